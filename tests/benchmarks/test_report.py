"""The benchmarks' arithmetic and tables."""

from typing import Any

import pytest
from benchmarks import ratios, report
from benchmarks.goals import GOALS, missed
from benchmarks.interleaved import far, rounds, samples
from benchmarks.workloads import workloads

TABLE = """\
| workload | Stepwell | ratio | least | of the limit |    numpy |    torch | error | kernels |
|----------|---------:|------:|------:|-------------:|---------:|---------:|------:|--------:|
| softmax  |     2 ms |  1.50 |  3.00 |          50% |     6 ms | **3 ms** | 2e-07 |       2 |
| add      |     2 ms |  0.50 |  1.00 |          50% | **1 ms** |          | 2e-07 |       2 |"""


def speed(name: str = "softmax", threads: int = 1, **seconds: float) -> dict[str, Any]:
    return {
        "name": name,
        "group": "rows",
        "threads": threads,
        "seconds": seconds,
        "least": {name: each / 2 if name == "Stepwell" else each for name, each in seconds.items()},
        "limits": {"arithmetic": 0.5e-3, "memory": 1e-3},
        "preparing": dict.fromkeys(seconds, 0.1),
        "missing": {"numba": "no loops written for it", "jax": "ValueError: too large"},
        "error": 2e-7,
        "notes": {"kernels": 2},
    }


def test_the_ratio_is_to_the_fastest_peer() -> None:
    found = speed(Stepwell=2e-3, numpy=6e-3, torch=3e-3)
    assert ratios.fastest(found) == ("torch", 3e-3)
    assert ratios.ratio(found) == pytest.approx(1.5)
    assert ratios.ratio(found, ratios.LEAST) == pytest.approx(3)


def test_no_ratio_without_a_peer_or_without_stepwell() -> None:
    assert ratios.ratio(speed(Stepwell=1.0)) is None
    assert ratios.ratio(speed(numpy=1.0)) is None


def test_the_limit_is_the_longer_of_both() -> None:
    assert ratios.of_the_limit(speed(Stepwell=2e-3)) == pytest.approx(0.5)


def test_a_table_has_the_fastest_peer_in_bold() -> None:
    found = [
        speed(Stepwell=2e-3, numpy=6e-3, torch=3e-3),
        speed("add", Stepwell=2e-3, numpy=1e-3),
    ]
    assert report.speed_table(found) == TABLE


def test_groups_have_the_geometric_mean_of_their_ratios() -> None:
    found = [speed(Stepwell=1.0, numpy=4.0), speed(Stepwell=1.0, numpy=0.25), speed(numpy=1.0)]
    assert report.group_table(found).splitlines()[-1].split("|")[1:-1] == [
        " rows      ",
        "                         1.00 ",
        "  0.25 ",
        "     1 of 2 ",
    ]


def test_every_goal_is_for_workloads_that_there_are() -> None:
    known = workloads()
    groups, names = ({each.group for each in known}, {each.name for each in known})
    for goal in GOALS:
        assert bool(goal.names) != bool(goal.group)
        assert names.issuperset(goal.names)
        assert not goal.group or goal.group in groups
    measured = {each.group for each in known} - {"calls", "fast"}
    assert measured == {goal.group for goal in GOALS if goal.group} | {"products"}


def test_what_misses_its_goal_is_named() -> None:
    (rows,) = (goal for goal in GOALS if goal.group == "rows")
    assert not missed(rows, speed(Stepwell=2e-3, numpy=2e-3))
    assert missed(rows, speed(Stepwell=3e-3, numpy=2e-3)) == "softmax 0.67"


def test_a_goal_that_no_program_reaches_is_told_from_others() -> None:
    (steps,) = (goal for goal in GOALS if goal.group == "training")
    assert missed(steps, speed(Stepwell=1.25e-3, numpy=1.25e-3)) == "softmax 1.00"
    assert missed(steps, speed(Stepwell=1.1e-3, numpy=1.1e-3)) == "softmax 1.00 (at most 1.10)"


def test_a_goal_may_be_a_part_of_the_limit() -> None:
    cubes = GOALS[0]
    assert not missed(cubes, speed(Stepwell=1e-3, numpy=2e-3))
    assert missed(cubes, speed(Stepwell=2e-3, numpy=3e-3)) == "softmax 1.50, 50%"


def test_the_goals_are_a_table() -> None:
    found = [speed(Stepwell=2e-3, numpy=3e-3), speed("add", Stepwell=2e-3, numpy=1e-3)]
    *_, line, _, missed_one = report.goal_table(found).splitlines()
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["rows and elements", "1", "0.87", "1 of 2"]
    assert missed_one == "* rows and elements missed: add 0.50"


def test_a_report_tells_failures_and_not_what_a_peer_cannot_say() -> None:
    found = [speed(Stepwell=1.0, numpy=4.0), speed(threads=2, Stepwell=1.0, numpy=4.0)]
    text = report.report({"date": "today"}, found, [], {"numpy": 0.06}, None)
    assert "## 1 thread\n" in text
    assert "## 2 threads\n" in text
    assert "* date: today" in text
    assert "| numpy   | 60 ms |" in text
    assert text.endswith("## What failed\n\n* jax: ValueError: too large (softmax)\n")


def test_candidates_take_turns() -> None:
    order: list[str] = []

    def candidate(name: str, seconds: float) -> Any:
        return lambda times: order.append(name) or seconds

    calls = {"quick": 4e-3, "other": 5e-3, "slow": 10.0}
    found = samples({name: candidate(name, each) for name, each in calls.items()}, calls, 1.0)
    assert order == ["quick", "other"] * 15
    assert found == {"quick": [4e-3] * 15, "other": [5e-3] * 15, "slow": [10.0]}


def test_rounds_fit_the_budget_within_limits() -> None:
    assert [rounds(seconds, 1.0) for seconds in (0.01, 0.2, 5.0)] == [15, 5, 3]
    assert far(1.0, 0.01)
    assert not far(0.05, 0.0001)
    assert not far(1.0, 0.1)
