"""The strategy `wave`: steps that follow each other through rings of rows, with the nests' bits."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing import examples
from expanding import agree
from loop_text import parse_kernel
from stepwell.compiler.lower.strategies.wave import Wave
from stepwell.compiler.machines import MACHINES


def steps(
    count: int,
    shape: Sequence[int],
    shifts: Sequence[Sequence[int]],
    dtype: str = "f32",
    beside: bool = False,
    mixed: bool = False,
) -> str:
    """A kernel of so many steps, which add up what lies at the shifts, where all of it is inside,
    and an element of another array if `beside`; every other one subtracts if `mixed`."""
    type = f"!loop.buffer<[{', '.join(map(str, shape))}] x {dtype}>"
    axes = [f"%i{n}" for n in range(len(shape))]
    text = [f"loop.kernel @steps(%x: {type}, %w: {type}) -> (%y: {type}) {{"]
    text += [f"%t{n} = loop.local : {type}" for n in range(1, count)]
    for number in range(count):
        source = f"%t{number}" if number else "%x"
        target = f"%t{number + 1}" if number + 1 < count else "%y"
        sizes = ", ".join(f"{a} : {n}" for a, n in zip(axes, shape, strict=True))
        text += [f"loop.nest [{sizes}] {{", f"%c0 = arith.constant 0.0 : {dtype}"]
        text += ["%in0 = arith.constant true"]
        holds, total = "%in0", "%c0"
        for n, (axis, size) in enumerate(zip(axes, shape, strict=True)):
            low, high = -min(s[n] for s in shifts), size - max(0, *(s[n] for s in shifts))
            text += [
                f"%a{n} = loop.index {axis}",
                f"%l{n} = loop.index {max(low, 0)}",
                f"%h{n} = loop.index {high}",
                f"%p{n} = loop.compare ge %a{n}, %l{n} : index",
                f"%q{n} = loop.compare lt %a{n}, %h{n} : index",
                f"%b{n} = arith.andi %p{n}, %q{n} : i1",
            ]
            text += [f"%in{n + 1} = arith.andi {holds}, %b{n} : i1"] if n else []
            holds = f"%in{n + 1}" if n else "%b0"
        op = "subf" if mixed and number % 2 else "addf"
        for n, shift in enumerate(shifts):
            at = ", ".join(f"{a} + {s}" if s else a for a, s in zip(axes, shift, strict=True))
            text += [f"%v{n} = loop.read {source}[{at}] where {holds} : {dtype}"]
            text += [f"%s{n} = arith.{op} {total}, %v{n} : {dtype}"]
            total = f"%s{n}"
        if beside:
            text += [f"%w0 = loop.read %w[{', '.join(axes)}] : {dtype}"]
            text += [f"%ws = arith.mulf {total}, %w0 : {dtype}"]
            total = "%ws"
        text += [f"%r = loop.select {holds}, {total}, %c0 : i1, {dtype}"]
        text += [f"loop.write %r, {target}[{', '.join(axes)}] : {dtype}", "}"]
    return "\n".join([*text, "}"])


plans = st.builds(
    Wave,
    bytes=st.sampled_from([16, 32, 64]),
    rows=st.sampled_from([1, 2, 3, 8, 12, 64]),
    band=st.integers(1, 60),
)
shapes = st.sampled_from(
    [(2,), (40,), (300,), (2, 3), (9, 1), (30, 20), (21, 64), (50, 70), (12, 5, 40), (20, 3, 17)]
)


@st.composite
def programs(draw: st.DrawFn) -> str:
    shape = draw(shapes)
    shift = st.tuples(*[st.integers(-2, 2)] * len(shape))
    shifts = draw(st.lists(shift, min_size=1, max_size=5))
    dtype, count = draw(st.sampled_from(["f32", "f64"])), draw(st.integers(2, 6))
    return steps(count, shape, shifts, dtype, draw(st.booleans()), draw(st.booleans()))


@given(programs(), plans, st.booleans())
@examples(60)
def test_any_plan_equals_the_nests(program: str, plan: Wave, special: bool) -> None:
    agree(program, strategy=plan, special=special)


@pytest.mark.parametrize("shape", [(5000,), (70, 130), (40, 9, 50)])
def test_machine_code_equals_the_nests(shape: tuple[int, ...]) -> None:
    unit = [tuple(int(n == axis) for n in range(len(shape))) for axis in range(len(shape))]
    shifts = [*unit, *(tuple(-each for each in one) for one in unit)]
    for rows in (8, 64):
        agree(steps(5, shape, shifts, beside=True), strategy=Wave(rows=rows, band=25), native=True)


def test_a_condition_may_be_part_of_another() -> None:
    """What holds at all corners is still a number for those that ask for it."""
    asked = """%positive = loop.compare gt %v0, %c0 : f32
      %both = arith.andi %in2, %positive : i1
      %r = loop.select %both"""
    text = steps(3, (20, 40), [(1, 0), (-1, 0)]).replace("%r = loop.select %in2", asked)
    agree(text, strategy=Wave(rows=4, band=10))


def test_rows_without_conditions_end_where_they_end() -> None:
    text = steps(3, (20, 21), [(1, 0), (-1, 0)]).replace(
        "arith.andi %b0, %b1", "arith.andi %b0, %b0"
    )
    agree(text, strategy=Wave(rows=4, band=10))


def test_steps_need_not_read_what_the_one_before_left() -> None:
    type = "!loop.buffer<[20, 40] x f32>"
    text = f"""loop.kernel @same(%x: {type}) -> (%y: {type}) {{
      %t = loop.local : {type}
      loop.nest [%i : 20, %j : 40] {{
        %v = loop.read %x[%i, %j] : f32
        loop.write %v, %t[%i, %j] : f32
      }}
      loop.nest [%i : 20, %j : 40] {{
        %v = loop.read %x[%i, %j] : f32
        loop.write %v, %y[%i, %j] : f32
      }}
    }}"""
    agree(text, strategy=Wave(rows=4, band=10))


LINE = steps(3, (40,), [(1,)])
FOLD = """%f = loop.fold add <serial, 1024> [%k : 3] {
  %fv = loop.read %x[%k] : f32
  loop.yield %fv : f32
} : f32
loop.write %r, %y[%i0] : f32"""
ALONE = "its nests do not each leave one array to the next"
SHIFTS = "an array is not read at constant shifts"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("", "", None),
        ("%x[%i0 + 1]", "%x[(2) * %i0]", None),
        ("%t1[%i0 + 1]", "%t1[(2) * %i0]", SHIFTS),
        ("%t1[%i0 + 1]", "%t1[3]", SHIFTS),
        ("%t2[%i0 + 1]", "%t1[%i0 + 1]", "a nest reads what the one before it did not write"),
        ("%t2[%i0 + 1]", "%y[%i0 + 1]", "a nest reads what the one before it did not write"),
        ("%t2[%i0]", "%t2[(-1) * %i0 + 39]", "a nest does not write each element of one array"),
        ("%y[%i0] : f32", "%t2[%i0] : f32", "a nest does not write each element of one array"),
        ("loop.write %r, %y[%i0] : f32", FOLD, "an element takes a loop"),
        ("40", "1", "it has no rows, or sizes that are not known"),
        ("[40]", "[41]", "the arrays that nests leave are not alike"),
        ("%t1 = loop", "%t0 = loop.local : !loop.buffer<[40] x f32>\n%t1 = loop", ALONE),
    ],
)
def test_what_does_not_fit_is_told(old: str, new: str, reason: str | None) -> None:
    refusal = Wave.fits(parse_kernel(LINE.replace(old, new)), MACHINES["x86-64-v4"])
    assert (refusal and refusal.reason) == reason


def test_sizes_are_known() -> None:
    text = LINE.replace("@steps", "@steps<N: 2>").replace("40", "N")
    refusal = Wave.fits(parse_kernel(text), MACHINES["x86-64-v4"])
    assert refusal is not None
    assert refusal.reason == "it has no rows, or sizes that are not known"


def test_short_rows_are_taken_in_greater_numbers() -> None:
    rows = [
        Wave.choose(parse_kernel(steps(3, shape, [(1, 0)])), MACHINES["x86-64-v4"]).rows
        for shape in ((40, 32), (40, 512))
    ]
    assert rows == [32, 8]


def test_bands_have_many_more_rows_than_they_share() -> None:
    machine = MACHINES["x86-64-v4"]
    found = [
        Wave.choose(parse_kernel(steps(count, (2048, 512), [(1, 0), (-1, 0)])), machine).band
        for count in (2, 11, 41, 101)
    ]
    assert found == [128, 512, 2048, 2048]
