"""Files of plans, and the kernels that the plans are for."""

from pathlib import Path

import pytest
from xdsl.context import Context

from expanding import kernel_of
from loop_text import parse_kernel, parse_module
from stepwell.compiler.dialects.loop.types import Plan
from stepwell.compiler.tuning.apply_plans import ApplyPlans
from stepwell.compiler.tuning.plans import NONE, Place, Plans, Tuned
from stepwell.runtime.errors import StepwellError

DOUBLED = """
loop.kernel @doubled<N: 1>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) {
  loop.nest [%i : N] {
    %v = loop.read %x[%i] : f32
    %w = arith.addf %v, %v : f32
    loop.write %w, %y[%i] : f32
  }
}"""
NARROW = Plan("map", (("bytes", 32), ("vectors", 2)))
LISTED = Plan("gemm", (("pack", ("left", "right")), ("mr", 3)))


def place(text: str = DOUBLED, machine: str = "x86-64-v4") -> Place:
    return Place.of(parse_kernel(text), machine)


def plans(plan: Plan = NARROW, seconds: int = 100) -> Plans:
    return Plans({place(): Tuned(plan, seconds, 250, "doubled")})


def test_names_are_no_part_of_a_kernel() -> None:
    assert place(DOUBLED.replace("@doubled", "@twice").replace("%v", "%value")) == place()


@pytest.mark.parametrize(
    ("one", "other"), [("addf", "mulf"), ("N: 1", "N: 1 to 8"), ("[N] x f32", "[2*N] x f32")]
)
def test_all_else_is(one: str, other: str) -> None:
    assert place(DOUBLED.replace(one, other)) != place()


def test_plans_are_for_machines_of_a_level() -> None:
    assert place(machine="x86-64-v3") != place()


@pytest.mark.parametrize("plan", [NARROW, LISTED])
def test_what_is_saved_is_loaded(plan: Plan, tmp_path: Path) -> None:
    plans(plan).save(tmp_path / "some.plans")
    assert Plans.load(tmp_path / "some.plans") == plans(plan)


def test_the_last_plan_for_a_kernel_decides() -> None:
    assert (plans(NARROW) | plans(LISTED)).found[place()].plan == LISTED
    assert plans(NARROW) | NONE == NONE | plans(NARROW) == plans(NARROW)


def test_the_digest_is_of_plans_and_not_of_times() -> None:
    assert plans(NARROW).digest == plans(NARROW, seconds=3).digest
    assert len({NONE.digest, plans(NARROW).digest, plans(LISTED).digest}) == 3


def test_how_plans_are_told() -> None:
    assert str(plans().found[place()]) == (
        "doubled: 2.50 times as fast by #loop.plan<map, bytes = 32, vectors = 2>"
    )


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        (None, "SW0301", "FILE cannot be read: No such file or directory"),
        ("plans", "SW0307", "FILE: it is not JSON"),
        ('{"format": 2}', "SW0304", "FILE has format 2, and this stepwell reads formats up to 1"),
        (
            '{"format": 1}',
            "SW0307",
            'FILE: expected an object with the member plans, got {"format": 1}',
        ),
    ],
)
def test_other_files_are_refused(
    text: str | None, code: str, sentence: str, tmp_path: Path
) -> None:
    file = tmp_path / "some.plans"
    if text is not None:
        file.write_text(text)
    with pytest.raises(StepwellError) as caught:
        Plans.load(file)
    assert (caught.value.code, caught.value.sentence) == (code, sentence.replace("FILE", str(file)))


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StepwellError, match="SW0317"):
        plans().save(tmp_path / "nowhere" / "some.plans")


def test_kernels_get_the_plans_that_are_for_them() -> None:
    module = parse_module(DOUBLED)
    ApplyPlans(plans(), "x86-64-v3").apply(Context(), module)
    assert kernel_of(module).plan is None
    ApplyPlans(plans(), "x86-64-v4").apply(Context(), module)
    assert kernel_of(module).plan is not None
    ApplyPlans(plans(LISTED), "x86-64-v4").apply(Context(), module)
    plan = kernel_of(module).plan
    assert plan is not None
    assert plan.data == NARROW
