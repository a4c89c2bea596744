"""Programs are tuned, and compiled with plans: by Python, and by commands."""

from pathlib import Path

import numpy as np
import pytest

import stepwell as sw
from stepwell import numpy as snp
from stepwell.cli import main
from stepwell.compiler.dialects.loop.types import Plan
from stepwell.compiler.pipeline import level_of
from stepwell.compiler.targets.cpu import host
from stepwell.compiler.tuning import search as searching
from stepwell.compiler.tuning.alone import Trial
from stepwell.compiler.tuning.plans import Place, Tuned
from stepwell.compiler.tuning.search import subjects
from stepwell.runtime.artifact import Artifact
from stepwell.runtime.errors import StepwellError

SOURCE = """
import stepwell.numpy as np

def doubled(x):
    return np.exp(x) * 2
"""


def program(plans: sw.Plans | str | list[sw.Plans] | tuple[()] = ()) -> sw.Compiled:
    return sw.compile(lambda x: snp.exp(x) * 2, "f32[B: 1..64, 9]", plans=plans)


def plans(vectors: int = 3) -> sw.Plans:
    """For the program's only kernel."""
    (found,) = subjects(program()._module(), host(), {})
    place = Place.of(found.kernel, level_of(host()).name)
    return sw.Plans({place: Tuned(Plan("map", (("vectors", vectors),)), 10, 20, "main")})


def test_plans_are_visible_and_change_no_result(tmp_path: Path) -> None:
    x = np.linspace(-3, 3, 63, dtype=np.float32).reshape(7, 9)
    plain, tuned = program(), program(plans())
    assert "plan <map, vectors = 3>" in tuned.ir("loop")
    assert "plan <map, vectors = 3>" not in plain.ir("loop")
    assert np.asarray(tuned(x)).tobytes() == np.asarray(plain(x)).tobytes()


def test_of_several_plans_the_last_decides() -> None:
    assert "vectors = 5>" in program([plans(3), plans(5)]).ir("loop")


def test_a_file_says_which_plans_it_was_made_with(tmp_path: Path) -> None:
    plans().save(tmp_path / "f.plans")
    program(str(tmp_path / "f.plans")).save(tmp_path / "tuned.well")
    program().save(tmp_path / "plain.well")
    assert Artifact.open(tmp_path / "tuned.well").manifest.tuned == plans().digest
    assert Artifact.open(tmp_path / "plain.well").manifest.tuned is None


def test_a_program_is_tuned_to_what_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    times: dict[Trial, float] = {}

    def second_is_fast(trial: Trial) -> float:
        return times.setdefault(trial, 0.5 if len(times) == 1 else 1.0)

    monkeypatch.setattr(searching, "_sample", second_is_fast)
    (tuned,) = program().tune(60, {"B": 8}).found.values()
    assert (tuned.before, tuned.nanoseconds) == (10**9, 10**9 // 2)


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"C": 3}, "there is no symbolic size C"),
        ({"B": 65}, "the size B is from 1 to 64, and cannot be 65"),
    ],
)
def test_other_sizes_are_refused(sizes: dict[str, int], sentence: str) -> None:
    with pytest.raises(StepwellError) as caught:
        program().tune(0, sizes)
    assert (caught.value.code, caught.value.sentence) == ("SW0163", sentence)
    assert caught.value.where is not None


def test_plans_of_a_strategy_that_has_changed_are_refused() -> None:
    (place,) = plans().found
    old = sw.Plans({place: Tuned(Plan("map", (("speed", 9),)), 10, 20, "main")})
    with pytest.raises(StepwellError, match="the strategy map has no parameter speed = 9"):
        program(old)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text(SOURCE)
    return tmp_path


def test_the_commands(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = ["m.py:doubled", "--spec", "x=f32[B, 9]"]
    assert main(["tune", *what, "--size", "B=4", "--budget", "0", "-o", "m.plans"]) == 0
    assert capsys.readouterr().out == "m.plans: 0 new plans, 0 in all\n"
    plans().save("m.plans")
    assert main(["tune", *what, "--budget", "0", "-o", "m.plans"]) == 0
    assert capsys.readouterr().out == "m.plans: 0 new plans, 1 in all\n"
    assert main(["compile", *what, "--plans", "m.plans", "-o", "m.well"]) == 0
    assert main(["inspect", "m.well"]) == 0
    assert f"with plans that were measured, {plans().digest[:8]}\n" in capsys.readouterr().out


def test_a_size_is_a_number(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = ["m.py:doubled", "--spec", "x=f32[B, 9]", "--size", "B=many", "-o", "m.plans"]
    assert main(["tune", *what]) == 1
    assert capsys.readouterr().err == "SW0512: --size B=many: 'many' is no number\n"
    assert not (source / "m.plans").exists()


@pytest.mark.parametrize("budget", ["nan", "-1", "inf", "long"])
def test_a_budget_is_a_number_of_seconds(
    source: Path, budget: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tune", "m.py:doubled", "--spec", "x=f32[B, 9]", "--budget", budget, "-o", "m.plans"])
    assert ended.value.code == 2
    assert f"argument --budget: {budget!r} is no number of seconds" in capsys.readouterr().err


def test_where_plans_cannot_be_kept_nothing_is_measured(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sw.Compiled, "tune", lambda *_: pytest.fail("it was measured"))
    assert main(["tune", "m.py:doubled", "--spec", "x=f32[B, 9]", "-o", "no/m.plans"]) == 1
    expected = "SW0317: no/m.plans cannot be written: No such file or directory\n"
    assert capsys.readouterr().err == expected


def test_fast_functions_are_tuned_as_they_are_compiled(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned: list[sw.Compiled] = []

    def tune(program: sw.Compiled, *_: object) -> sw.Plans:
        tuned.append(program)
        return sw.Plans()

    monkeypatch.setattr(sw.Compiled, "tune", tune)
    what = ["m.py:doubled", "--spec", "x=f32[B, 9]", "-o", "m.plans"]
    assert main(["tune", *what, "--numerics", "fast"]) == 0
    assert main(["tune", *what]) == 0
    assert ['numerics = "fast"' in each.ir("loop") for each in tuned] == [True, False]
