"""What any test emits for a GPU is noted, and handed to NVIDIA's assembler behind the test."""

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

import stepwell as sw
import under_test
from assembler import needs_assembler
from emitted import EMITTED, Emitted, joined
from emulator.emulated import EmulatedDevice
from emulator.errors import DeadlockError
from small_kernels import run, text, words
from spilling import spilling
from stepwell.compiler.machines.gpu.nvidia import GPUS

pytestmark = [
    needs_assembler,
    pytest.mark.skipif(not under_test.is_emulated(), reason="a card assembles what it loads"),
]
GOOD = text("st.global.u32 [%g0], %t;", 1)
BAD = GOOD.replace("st.global.u32", "st.global.u31")


@pytest.fixture(autouse=True)
def nothing_assembled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever other tests have given to the assembler."""
    monkeypatch.setattr("emitted.ASSEMBLED", set[tuple[str, bytes]]())


def scaled(x: sw.Array) -> sw.Array:
    return x * 3.5 - 1.25


def noted(*texts: str) -> Emitted:
    found = Emitted()
    for each in texts:
        found.note(each, ["sm_90a"])
    return found


def test_what_is_compiled_is_for_all_gpus_that_run_it() -> None:
    sw.jit(scaled, target=under_test.EMULATED)(np.ones(37, "f4"))
    assert [processor for processor, _ in EMITTED.waiting] == ["sm_90a"]
    EMITTED.waiting.clear()
    sw.compile(scaled, "f32[37]", target="sm_80")
    assert [processor for processor, _ in EMITTED.waiting] == [*GPUS]


def test_what_is_written_by_hand_is_for_the_processor_that_it_names() -> None:
    run("st.global.u32 [%g0], %t;", outputs=[words(32)])
    assert [*EMITTED.waiting] == [("sm_90", GOOD)]


def test_what_the_emulator_refuses_is_not_for_the_assembler() -> None:
    with pytest.raises(DeadlockError):
        run("bar.sync 16;", outputs=[words(32)])
    assert not EMITTED.waiting


def test_a_test_fails_that_emits_what_is_spilled(request: pytest.FixtureRequest) -> None:
    plugins: Any = request.config.pluginmanager.list_name_plugin()
    (conftest,) = (each for name, each in plugins if name.endswith("tests/conftest.py"))
    around: Generator[None] = conftest.pytest_runtest_call(request.node)
    next(around)
    EMITTED.note(spilling(), ["sm_80"])
    with pytest.raises(AssertionError, match="t0_spilling"):
        around.send(None)
    assert not EMITTED.waiting


@pytest.mark.parametrize("texts", [(BAD,), (GOOD, BAD), (spilling(), GOOD)], ids=["1", "2", "3"])
def test_what_the_assembler_does_not_take_is_seen(texts: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError):
        noted(*texts).expect_assembled()


def test_each_text_is_assembled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    noted(GOOD).expect_assembled()
    monkeypatch.setattr("emitted.expect_nothing_spilled", None)
    noted(GOOD).expect_assembled()


def test_texts_for_several_processors_stand_apart() -> None:
    """What a later processor has beside what an earlier one can run."""
    early = GOOD.replace("sm_90", "sm_80").replace(".version 8.0", ".version 7.0")
    late = text("max.s16x2 %t, %t, %t;", 1)
    noted(early, late).expect_assembled()


def test_texts_keep_apart_what_they_declare() -> None:
    top = ".global .align 4 .u32 x[2] = {1, 2};\n.shared .b8 room[16];\n"
    body = "ld.global.u32 %r1, [x];\nst.shared.u32 [room], %r1;\nst.global.u32 [%g0], %r1;"
    one = text(body, 1, top)
    both = joined([one, one.replace("{1, 2}", "{3, 4}")])
    assert both.count(".version") == 1
    kernels = EmulatedDevice().load(both)
    for name in ("t0_k", "t1_k"):
        kernels.function(name)
