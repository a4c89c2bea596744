"""What machine code is for: this machine, a level by name, or several."""

from pathlib import Path
from typing import Any

import numpy
import pytest

from stepwell import Compiled, LoadError, compile, load
from stepwell.cli import main
from stepwell.compiler.machines import MACHINES, X86_64_V3
from stepwell.runtime import system
from stepwell.runtime.artifact import Artifact

X = numpy.arange(6, dtype="f4").reshape(2, 3)


def program(target: Any) -> Compiled:
    return compile(lambda x: x + 1, "f32[B, 3]", target=target)


def targets(path: Path) -> dict[str, tuple[str, ...]]:
    """The features that each target of a file needs, the best first."""
    return {each.name: each.features for each in Artifact.open(path).manifest.targets}


def test_a_level_is_compiled_for_alone(tmp_path: Path) -> None:
    made = program("x86-64-v3")
    assert made(X).tolist() == (X + 1).tolist()
    made.save(tmp_path / "m.well")
    assert targets(tmp_path / "m.well") == {"x86-64-v3": X86_64_V3.features}
    assert load(tmp_path / "m.well")(X).tolist() == (X + 1).tolist()
    assert "zmm" not in made.ir("asm")


def test_several_levels_stand_in_one_file_the_best_first(tmp_path: Path) -> None:
    made = program(("x86-64-v3", "x86-64-v4"))
    assert made(X).tolist() == (X + 1).tolist()
    made.save(tmp_path / "m.well")
    assert list(targets(tmp_path / "m.well")) == ["x86-64-v4", "x86-64-v3"]
    assert load(tmp_path / "m.well", target="x86-64-v3")(X).tolist() == (X + 1).tolist()


def test_a_file_for_this_machine_runs_on_the_least_one_too(tmp_path: Path) -> None:
    program("host").save(tmp_path / "m.well")
    assert list(targets(tmp_path / "m.well"))[-1] == "x86-64-v3"


@pytest.fixture
def haswell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor of x86-64-v3."""
    features = frozenset(X86_64_V3.features)
    monkeypatch.setattr(system, "cpu_features", lambda: features)


@pytest.mark.usefixtures("haswell")
def test_code_for_better_processors_is_saved_and_not_called(tmp_path: Path) -> None:
    made = program("x86-64-v4")
    made.save(tmp_path / "m.well")
    with pytest.raises(LoadError) as caught:
        made(X)
    assert caught.value.code == "SW0308"
    assert caught.value.sentence.startswith(
        "the program cannot run on this processor: x86-64-v4 needs avx512bw, "
    )
    assert caught.value.where is not None
    assert caught.value.where.file == __file__
    with pytest.raises(LoadError, match="SW0308"):
        load(tmp_path / "m.well")


@pytest.mark.usefixtures("haswell")
def test_the_best_code_that_runs_is_called(tmp_path: Path) -> None:
    made = program(tuple(MACHINES))
    assert made(X).tolist() == (X + 1).tolist()
    made.save(tmp_path / "m.well")
    assert set(targets(tmp_path / "m.well")) == {*MACHINES}
    assert load(tmp_path / "m.well").target.name == "x86-64-v3"


def test_the_command_takes_targets(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("def f(x):\n    return x + 1\n")
    place, file = f"{tmp_path / 'f.py'}:f", str(tmp_path / "f.well")
    levels = ["--target", "x86-64-v4", "--target", "x86-64-v3"]
    assert main(["compile", place, "--spec", "x=f32[B]", *levels, "-o", file]) == 0
    assert list(targets(tmp_path / "f.well")) == ["x86-64-v4", "x86-64-v3"]
