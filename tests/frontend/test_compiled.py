"""A compiled program as an object: what it shows, its entry points, its samples, and pickling."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from full_disk import full_disk
from messages import expect
from stepwell import CallError, CompileError, StepwellError, compile, load
from stepwell import numpy as np
from stepwell.runtime import verify

X = numpy.ones((2, 2), "f4")


def add(x: Any, y: Any) -> Any:
    return x + y


PROGRAM = compile(add, "f32[B, 2]", "f32[B, 2]")


def test_programs_and_models_show_their_entry_points(tmp_path: Path) -> None:
    entries = {"add": (add, "f32[B]", "f32"), "big": (lambda p: p, ["f32[B]"] * 40)}
    program = compile(entries)
    PROGRAM.save(tmp_path / "m.well")
    assert repr(PROGRAM) == "<Compiled add(x: f32[B,2], y: f32[B,2]) -> f32[B,2]>"
    assert repr(load(tmp_path / "m.well")) == "<Model add(x: f32[B,2], y: f32[B,2]) -> f32[B,2]>"
    first, _, second = repr(program).partition("; ")
    assert first == "<Compiled add(x: f32[B], y: f32[]) -> f32[B]"
    assert second == f"big(p: [{'f32[B], ' * 11}f32…>"


def test_an_unknown_entry_point(tmp_path: Path) -> None:
    expect(
        lambda: PROGRAM["foo"],
        """
        SW0418: there is no entry point foo; there is add
          --> model.py:N
           |     lambda: PROGRAM["foo"],
           |             ^^^^^^^^^^^^^^
        """,
    )
    PROGRAM.save(tmp_path / "m.well")
    with pytest.raises(CallError) as caught:
        load(tmp_path / "m.well")["foo"]
    assert str(caught.value) == "SW0418: there is no entry point foo; there is add"


@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_program_is_not_pickled(called: bool, how: Callable[[object], object]) -> None:
    program = compile(add, "f32", "f32")
    if called:
        program(1.0, 2.0)
    with pytest.raises(CompileError) as caught:
        how(program)
    assert str(caught.value) == (
        "SW0156: a compiled program can be neither pickled nor copied\n"
        '  help: write it with program.save("program.well"), and use stepwell.load there'
    )


HINT = 'help: write sample={"add": (x, …)}, with all arguments of add'


@pytest.mark.parametrize(
    ("sample", "sentence", "rest"),
    [
        ({"foo": (X, X)}, "SW0418: there is no entry point foo; there is add", []),
        (
            {"add": (X,)},
            "SW0110: the signature and the arguments are not nested alike",
            ["the signature: a tuple of 2", "the arguments: a tuple of 1"],
        ),
        (
            [X, X],
            "SW0154: the sample is a list, and should be a dict of arguments by entry point",
            [HINT],
        ),
        ({"add": X}, "SW0154: the sample of add is a ndarray, and should be a tuple", [HINT]),
        (
            {"add": (X, X.astype("f8"))},
            "SW0402: y: expected f32[B,2], got float64 array of shape (2, 2)",
            [],
        ),
    ],
)
def test_samples_that_are_no_calls(
    tmp_path: Path, sample: Any, sentence: str, rest: list[str]
) -> None:
    with pytest.raises(StepwellError) as caught:
        PROGRAM.save(tmp_path / "m.well", sample=sample)
    first, place, _, _, *others = str(caught.value).splitlines()
    assert first == sentence
    assert place.startswith(f"  --> {__file__}:")
    assert [line.strip() for line in others] == rest
    assert not (tmp_path / "m.well").exists()


def test_a_sample_may_be_a_list(tmp_path: Path) -> None:
    PROGRAM.save(tmp_path / "m.well", sample={"add": [X, X]})
    assert verify(tmp_path / "m.well").worst == 0
    assert len(verify(tmp_path / "m.well").outputs) > 0


def test_a_sample_keeps_what_the_call_overwrites(tmp_path: Path) -> None:
    program = compile(lambda x: x * 2, "f32[B]", donate="x")
    x = numpy.array([3], "f4")
    program.save(tmp_path / "m.well", sample={program_name(program): (x,)})
    assert verify(tmp_path / "m.well").worst == 0


def program_name(program: Any) -> str:
    return next(iter(program.copies))


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (add, "a function"),
        ("f32", "a str"),
        ((), "a tuple that begins with none"),
        (["f32"], "a list that begins with none"),
    ],
)
def test_an_entry_point_without_its_specs(entry: Any, found: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile({"a": entry})
    sentence, place, *_, hint = str(caught.value).splitlines()
    wanted = "the entry point a should be a tuple of a function and its specs, and is"
    assert sentence == f"SW0155: {wanted} {found}"
    assert place.startswith(f"  --> {__file__}:")
    assert hint == '  help: write {"a": (function, "f32[B, 2]")}, or a spec for each argument'


def test_a_huge_result() -> None:
    program = compile(lambda n, x: n + x, "f32[B, 1]", "f32[S]")
    n, x = numpy.ones((4 * 10**6, 1), "f4"), numpy.ones(4 * 10**6, "f4")
    expect(
        lambda: program(n, x),
        """
        SW0414: there is no memory for a result of 64000000000000 bytes
          --> model.py:N
           |     lambda: program(n, x),
           |             ^^^^^^^^^^^^^
        """,
    )


@pytest.mark.parametrize(
    ("length", "sentence"),
    [
        (lambda x, y: x.shape[0] - 5, "result: A - 5 is no size for A = 3"),
        (
            lambda x, y: x.shape[0] // y.shape[0],
            "result: floordiv(A, B) is no size for A = 3, B = 0",
        ),
    ],
)
def test_a_size_without_a_value(length: Callable[[Any, Any], Any], sentence: str) -> None:
    program = compile(lambda x, y: np.ones((length(x, y),)), "f32[A]", "f32[B]")
    with pytest.raises(CallError) as caught:
        program(np.ones(3), np.ones(0))
    assert (caught.value.code, caught.value.sentence) == ("SW0419", sentence)


def test_an_empty_array_that_is_too_large() -> None:
    program = compile(lambda x: np.ones((x.shape[0], x.shape[0], x.shape[0], 0)), "f32[A, 0]")
    with pytest.raises(CallError, match="SW0414: there is no memory for a result of"):
        program(numpy.ones((2**40, 0), "f4"))


def test_a_dump_that_finds_no_room_leaves_whole_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_DUMP", str(tmp_path / "dumps"))
    with full_disk(), pytest.raises(CompileError) as caught:
        compile(lambda x: x @ x, "f32[N, N]", target="x86-64-v3")
    folder = tmp_path / "dumps" / "0001-main"
    assert str(caught.value).splitlines()[0] == (
        f"SW0317: STEPWELL_DUMP: {folder} cannot be written: File too large"
    )
    found = sorted(folder.glob("*/*"))
    assert found[0].name == "00-tensor.mlir"
    assert all(each.read_text().endswith("}\n") for each in found)
    assert not list(folder.glob("*/.*"))


def test_a_folder_for_stages_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STEPWELL_DUMP", str(tmp_path / "file"))
    with pytest.raises(CompileError) as caught:
        compile(lambda x: x + 1, "f32", target="x86-64-v3")
    sentence, place, *_ = str(caught.value).splitlines()
    folder = tmp_path / "file"
    assert sentence == f"SW0317: STEPWELL_DUMP: {folder} cannot be written: File exists"
    assert place.startswith(f"  --> {__file__}:")


FORK = """
import os, signal, threading, time
import stepwell as sw
from stepwell.compiled import Compiled

loaded, loading = Compiled._loaded, threading.Event()

def slowly(program):
    loading.set()
    time.sleep(0.2)
    return loaded(program)

Compiled._loaded = slowly
program = sw.compile(lambda x: x + 1, "f32")
threading.Thread(target=program, args=(1.0,)).start()
loading.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(int(program(1.0)))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
"""


def test_a_process_forks_while_a_thread_loads() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=60)
