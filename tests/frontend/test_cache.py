"""Programs from the cache are those that would have been compiled."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

import stepwell as sw
from stepwell import assert_, compiled, nn, scan
from stepwell import numpy as snp
from stepwell.compiler.cache import lookup
from stepwell.compiler.cache.folder import Folder
from stepwell.compiler.dialects.loop.types import Plan
from stepwell.compiler.dump import Dump
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.machines.x86 import X86_64_V3
from stepwell.compiler.pipeline import STAGES, Image, compile_module, level_of
from stepwell.compiler.targets.cpu import host
from stepwell.compiler.targets.support import support_object
from stepwell.compiler.tuning.plans import Place, Tuned
from stepwell.compiler.tuning.search import subjects
from stepwell.runtime.errors import CallError

X = np.arange(6, dtype=np.float32).reshape(2, 3)
WIDE = np.arange(192, dtype=np.float32).reshape(3, 64)
"""A weight that is packed."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEPWELL_CACHE", str(tmp_path / "cache"))
    # Whoever edits the compiler while its tests run would turn the cache off.
    monkeypatch.setattr("stepwell.compiler.cache.key.compiler", lambda: "of these tests")
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def images(monkeypatch: pytest.MonkeyPatch) -> list[Image]:
    """What was compiled so far, and not looked up."""
    images: list[Image] = []

    def compiling(module: ModuleOp, machine: Machine, dump: Dump | None, plans: sw.Plans) -> Image:
        images.append(compile_module(module, machine, dump, plans))
        return images[-1]

    monkeypatch.setattr(compiled, "compile_module", compiling)
    return images


def model(scale: float = 2.0) -> sw.Compiled:
    weight = np.full((3, 2), scale, np.float32)
    return sw.compile(lambda x: (x @ weight + 1, x.sum()), "f32[B, 3]")


def test_the_second_time_nothing_is_compiled(images: list[Image]) -> None:
    for _ in range(3):
        result, total = model()(X)
        np.testing.assert_array_equal(np.asarray(result), X @ np.full((3, 2), 2) + 1)
        assert float(total) == 15
    assert len(images) == 1


def test_other_weights_are_the_same_program(images: list[Image]) -> None:
    for scale in (2.0, 3.0):
        result, _ = model(scale)(X)
        np.testing.assert_array_equal(np.asarray(result), X @ np.full((3, 2), scale) + 1)
    assert len(images) == 1


def test_names_of_arguments_are_no_code(
    monkeypatch: pytest.MonkeyPatch, images: list[Image]
) -> None:
    def both() -> list[sw.Compiled]:
        return [sw.compile(lambda x: x @ x, "f32[B, B]"), sw.compile(lambda y: y @ y, "f32[B, B]")]

    assert list(map(repr, both())) == [
        "<Compiled main(x: f32[B,B]) -> f32[B,B]>",
        "<Compiled main(y: f32[B,B]) -> f32[B,B]>",
    ]
    assert len(images) == 1
    monkeypatch.setenv("STEPWELL_CACHE", "off")
    both()
    assert images[1].code == images[2].code


def test_plans_are_part_of_the_key(images: list[Image]) -> None:
    plain = model()
    (found, *_) = subjects(plain._module(), host(), {})
    place = Place.of(found.kernel, level_of(host()).name)
    tuned = sw.Plans({place: Tuned(found.chosen.plan.data, 10, 20, "measured")})
    other = sw.Plans({place: Tuned(Plan("map", (("vectors", 1),)), 10, 20, "measured")})
    for plans in (tuned, other, tuned, other):
        sw.compile(
            lambda x: (x @ np.full((3, 2), 2.0, np.float32) + 1, x.sum()), "f32[B, 3]", plans=plans
        )
    assert len(images) == 3
    assert "map, vectors = 1>" in "".join(images[2].plans.values())


def test_jit_looks_up_too(images: list[Image]) -> None:
    for _ in range(2):
        assert sw.jit(lambda x: x * 2)(X).tolist() == (X * 2).tolist()
    assert len(images) == 1


def test_what_is_saved_is_the_same_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: list[Image]
) -> None:
    def save(name: str) -> bytes:
        program = sw.compile(
            {
                "f": (lambda x: x @ WIDE, "f32[B, 3]"),
                "g": (lambda x: snp.sin(x), "f32[N]"),
            },
            target=["x86-64-v3", "x86-64-v4"],
        )
        program.save(tmp_path / name, sample={"f": (X,)})
        return (tmp_path / name).read_bytes()

    cold = save("cold.well")
    assert len(images) == 2
    assert save("warm.well") == cold
    assert len(images) == 2
    monkeypatch.setenv("STEPWELL_CACHE", "off")
    assert save("without.well") == cold


FAILING = """
import stepwell as sw

def f(x):
    sw.print("x is {}", x)
    sw.assert_((x > 0).all(), "all are positive")
    return x * 2
"""


def at(line: int, name: str) -> Any:
    """The function of a file of that name, so many lines below its first."""
    scope: dict[str, Any] = {}
    exec(compile("\n" * line + FAILING, name, "exec"), scope)
    return scope["f"]


def test_lines_are_those_of_the_program_at_hand(
    images: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    for line, name in ((0, "here.py"), (5, "there.py")):
        program = sw.compile(at(line, name), "f32[N]")
        with pytest.raises(CallError) as error:
            program(np.float32([1, -1]))
        where = error.value.where
        assert where is not None
        assert (where.file, where.line) == (name, line + 6)
    assert len(images) == 1
    assert capsys.readouterr().out == "x is [ 1. -1.]\n" * 2


COPIED = """
def step(carry, _):
    a, b = carry
    return (b, a + b[::-1]), None

def f(a, b):
    return scan(step, (a, b), None, length=5)[0]
"""


def copies(line: int, name: str) -> list[str]:
    scope: dict[str, Any] = {"scan": scan}
    exec(compile("\n" * line + COPIED, name, "exec"), scope)
    return list(sw.compile(scope["f"], "f32[4]", "f32[4]").copies["f"])


def test_what_is_copied_is_said_with_the_lines_at_hand(
    monkeypatch: pytest.MonkeyPatch, images: list[Image]
) -> None:
    here = copies(0, "here.py")
    assert any("here.py:" in each for each in here)
    there = copies(10, "there.py")
    assert len(images) == 1
    monkeypatch.setenv("STEPWELL_CACHE", "off")
    assert copies(10, "there.py") == there


def test_a_dump_is_of_what_is_compiled_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: list[Image]
) -> None:
    model()
    monkeypatch.setenv("STEPWELL_DUMP", str(tmp_path / "dump"))
    model()
    assert len(images) == 2
    assert len(list((tmp_path / "dump").rglob("*.mlir"))) == len(STAGES)


def test_a_damaged_entry_is_compiled_again(folder: Path, images: list[Image]) -> None:
    model()
    (path,) = folder.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    result, _ = model()(X)
    assert result.shape == (2, 2)
    assert len(images) == 2
    assert path.read_bytes()[-100:] == content[-100:]


def test_it_can_be_carried_elsewhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: list[Image]
) -> None:
    model()
    shutil.copytree(folder, tmp_path / "elsewhere")
    shutil.rmtree(folder)
    monkeypatch.setenv("STEPWELL_CACHE", str(tmp_path / "elsewhere"))
    model()
    assert len(images) == 1
    for path in (tmp_path / "elsewhere").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()
        assert str(Path(__file__).parent).encode() not in path.read_bytes()


def test_without_it_nothing_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, images: list[Image]
) -> None:
    monkeypatch.setenv("STEPWELL_CACHE", "off")
    model()
    model()
    assert len(images) == 2
    assert not folder.exists()


def test_sources_that_have_changed_meanwhile_compile_without(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepwell.compiler.cache.key.compiler", lambda: None)
    model()
    assert not folder.exists()


def test_support_code_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lookup.support_of.cache_clear()
    assert lookup.support_of(X86_64_V3) == support_object(X86_64_V3)
    assert len(Folder(folder, 0).files()) == 1
    lookup.support_of.cache_clear()
    monkeypatch.setattr(lookup, "support_object", None)
    assert lookup.support_of(X86_64_V3) == support_object(X86_64_V3)
    lookup.support_of.cache_clear()


PROGRAM = """
import stepwell as sw, stepwell.compiled, sys
count = []
original = stepwell.compiled.compile_module
stepwell.compiled.compile_module = lambda *given: count.append(1) or original(*given)
import numpy as np
print(sw.compile(lambda x: x * 2 + 1, "f32[B]")(np.float32([1])).tolist(), len(count))
"""


def test_another_process_finds_it() -> None:
    def run(seed: int) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        command = [sys.executable, "-c", PROGRAM]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    assert run(1) == "[3.0] 1\n"
    assert run(2) == "[3.0] 0\n"


def test_weights_that_the_compiler_makes_are_kept(images: list[Image]) -> None:
    kernel = np.random.default_rng(0).standard_normal((3, 3, 64, 64)).astype(np.float32)
    image = np.random.default_rng(1).standard_normal((1, 28, 28, 64)).astype(np.float32)
    found: list[np.ndarray[Any, Any]] = []
    for numerics in ("fast", "fast", "strict"):
        program = sw.compile(
            lambda x: nn.conv2d(x, kernel), "f32[1, 28, 28, 64]", numerics=numerics
        )
        found.append(np.asarray(program(image)))
    assert len(images) == 2
    assert found[0].tobytes() == found[1].tobytes() != found[2].tobytes()
    np.testing.assert_allclose(found[0], found[2], atol=1e-3)


def test_errors_are_those_of_compiling() -> None:
    for _ in range(2):
        with pytest.raises(sw.CompileError, match="SW0137"):
            sw.compile(lambda x: x, "f32[2]", numerics="wild")
        assert_(True, "fine")
