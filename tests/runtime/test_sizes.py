"""Sizes: every canonical form has the value of what was written, and comparisons never lie."""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stepwell.runtime.sizes import (
    Ranges,
    Size,
    SizeSyntaxError,
    at_most,
    equal,
    largest,
    proposal,
    smallest,
)

B, S, T = (Size.of(name) for name in "BST")
NAMES = ("B", "S", "T")


@dataclass(frozen=True)
class Written:
    """A size and, written independently of its normal form, the function that it stands for."""

    size: Size
    value: Callable[[Mapping[str, int]], int]


def written(size: Size, value: Callable[[Mapping[str, int]], int]) -> Written:
    return Written(size, value)


def combined(operation: str, left: Written, right: Written) -> Written:
    build, compute = OPERATIONS[operation]
    try:
        size = build(left.size, right.size)
    except ValueError:
        assume(False)
        raise
    return written(size, lambda at: compute(left.value(at), right.value(at)))


OPERATIONS: dict[str, tuple[Callable[[Size, Size], Size], Callable[[int, int], int]]] = {
    "+": (lambda a, b: a + b, lambda a, b: a + b),
    "-": (lambda a, b: a - b, lambda a, b: a - b),
    "*": (lambda a, b: a * b, lambda a, b: a * b),
    "//": (lambda a, b: a // b, lambda a, b: a // b),
    "%": (lambda a, b: a % b, lambda a, b: a % b),
    "min": (smallest, min),
    "max": (largest, max),
}

leaves = st.one_of(
    st.integers(-4, 7).map(lambda n: written(Size.of(n), lambda at: n)),
    st.sampled_from(NAMES).map(lambda name: written(Size.of(name), lambda at: at[name])),
)
sizes = st.recursive(
    leaves,
    lambda inner: st.builds(combined, st.sampled_from(sorted(OPERATIONS)), inner, inner),
    max_leaves=7,
)
points = st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(0, 12)))


@st.composite
def ranges_and_points(draw: st.DrawFn) -> tuple[Ranges, dict[str, int]]:
    ranges: dict[str, tuple[int, int | None]] = {}
    point: dict[str, int] = {}
    for name in NAMES:
        low = draw(st.integers(0, 4))
        high = draw(st.one_of(st.none(), st.integers(low, low + 5)))
        ranges[name] = (low, high)
        point[name] = draw(st.integers(low, low + 9 if high is None else high))
    return ranges, point


def value_at(each: Written, point: Mapping[str, int]) -> int:
    try:
        return each.value(point)
    except ZeroDivisionError:
        assume(False)
        raise


@given(sizes, points)
def test_the_normal_form_has_the_value_of_what_was_written(
    each: Written, point: dict[str, int]
) -> None:
    value = value_at(each, point)
    assert each.size.evaluate(point) == value


@given(sizes)
def test_the_text_form_reads_back(each: Written) -> None:
    assert Size.parse(str(each.size)) == each.size


@given(sizes, sizes, sizes)
def test_laws_hold_structurally(x: Written, y: Written, z: Written) -> None:
    a, b, c = x.size, y.size, z.size
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a * b == b * a
    assert (a * b) * c == a * (b * c)
    assert a * (b + c) == a * b + a * c
    assert a - a == 0
    assert smallest(a, b) == smallest(b, a)
    assert smallest(a, smallest(b, c)) == smallest(smallest(a, b), c)
    assert largest(a, a) == a
    assert hash(a + b) == hash(b + a)


@given(sizes, sizes, st.integers(-9, 9), st.integers(0, 5))
def test_what_all_share_stands_outside_of_min_and_max(
    x: Written, y: Written, offset: int, factor: int
) -> None:
    a, b, shift = x.size, y.size, factor * B * S + offset
    assert smallest(a + shift, b + shift) == smallest(a, b) + shift
    assert largest(a * factor, b * factor) == largest(a, b) * factor


@given(sizes, sizes, st.integers(1, 5))
def test_division_takes_out_multiples(x: Written, y: Written, n: int) -> None:
    a, b = x.size, y.size
    assert (a * n + b) // n == a + b // n
    assert (a * n + b) % n == b % n
    assume(b != 0)
    assert a * b // b == a
    assert a * b % b == 0


@given(sizes, ranges_and_points())
def test_bounds_hold(each: Written, where: tuple[Ranges, dict[str, int]]) -> None:
    ranges, point = where
    value = value_at(each, point)
    low, high = each.size.bounds(ranges)
    assert low is None or low <= value
    assert high is None or value <= high


@given(sizes, sizes, ranges_and_points())
def test_comparisons_are_true_or_silent(
    x: Written, y: Written, where: tuple[Ranges, dict[str, int]]
) -> None:
    ranges, point = where
    a, b = value_at(x, point), value_at(y, point)
    assert equal(x.size, y.size, ranges) in (None, a == b)
    assert at_most(x.size, y.size, ranges) in (None, a <= b)


@given(sizes, sizes, points)
def test_substitution_is_evaluation_in_two_steps(
    x: Written, y: Written, point: dict[str, int]
) -> None:
    inner = value_at(y, point)
    assume(inner >= 0)
    outer = value_at(x, {**point, "B": inner})
    try:
        size = x.size.substitute({"B": y.size})
    except ValueError:
        assume(False)
        raise
    assert size.evaluate(point) == outer


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (2 * B * S + B // 2 - 1, "2*B*S + floordiv(B, 2) - 1"),
        (S * B, "B*S"),
        (6 * B // 3, "2*B"),
        (B * S // S, "B"),
        (4 * B % 2, "0"),
        ((4 * B + 7) // 4, "B + 1"),
        ((4 * B + S + 7) % 4, "mod(S + 3, 4)"),
        (2 * B // (2 * S + 2), "floordiv(B, S + 1)"),
        (B // 2 // 3, "floordiv(B, 6)"),
        ((B % 4) % 2, "mod(B, 2)"),
        ((B % 4) // 4, "0"),
        (B // -2, "-B + floordiv(B, 2)"),
        (smallest(B, B + 1), "B"),
        (smallest(smallest(B, 5), 3), "min(B, 3)"),
        (largest(B, 0), "B"),
        (largest(largest(B - 1, 0) - 1, 0), "max(B, 2) - 2"),
        (smallest(B * S, 3 * B), "B*min(S, 3)"),
        (smallest(S, largest(B, T), 4), "min(S, max(B, T), 4)"),
        (Size.of(0) - B, "-B"),
        (Size.of(-3), "-3"),
    ],
)
def test_normal_forms(size: Size, text: str) -> None:
    assert str(size) == text


def test_chained_strided_windows_have_one_form() -> None:
    once = (B - 3) // 2 + 1
    assert (once - 3) // 2 + 1 == (B - 7) // 4 + 1


@pytest.mark.parametrize(
    ("a", "b", "ranges", "answer"),
    [
        (B - S, B + S, {}, True),
        (B, B * S, {"S": (1, None)}, True),
        (B // 2, B, {}, True),
        (B % 4, B, {}, True),
        (B // S, B, {}, True),
        (smallest(B, S), largest(B, S), {}, True),
        (B - B // 2, B, {}, True),
        (B + 1, B, {}, False),
        (B, Size.of(5), {"B": (0, 5)}, True),
        (B, Size.of(5), {"B": (6, None)}, False),
        (B, Size.of(5), {}, None),
        (B, S, {}, None),
    ],
)
def test_at_most(a: Size, b: Size, ranges: Ranges, answer: bool | None) -> None:
    assert at_most(a, b, ranges) is answer


@pytest.mark.parametrize(
    ("a", "b", "ranges", "answer"),
    [
        (B * S, S * B, {}, True),
        (B, 2 * (B // 2) + B % 2, {}, True),
        (B // 2, 2 * (B // 4) + (B // 2) % 2, {}, True),
        (smallest(B, S) + largest(B, S), B + S, {}, True),
        (B, Size.of(1), {}, None),
        (B, Size.of(1), {"B": (2, None)}, False),
        (B, Size.of(1), {"B": (1, 1)}, True),
        (2 * B, 2 * S + 1, {}, False),
    ],
)
def test_equal(a: Size, b: Size, ranges: Ranges, answer: bool | None) -> None:
    assert equal(a, b, ranges) is answer


def test_proposals_name_the_range_that_decides() -> None:
    assert proposal(B, Size.of(1), {}) == "B: 2.."
    assert proposal(B, Size.of(1), {"B": (0, 9)}) == "B: 2..9"
    assert proposal(B, B * S, {}, at_most) == "S: 1.."
    assert proposal(B, Size.of(5), {}, at_most, wanted=True) == "B: 0..5"
    assert proposal(B, Size.of(3), {}, equal, wanted=True) == "B: 3..3"
    assert proposal(B, S, {}, equal, wanted=True) is None


@pytest.mark.parametrize(
    ("text", "offset", "sentence"),
    [
        ("2*", 2, "the size '2*' needs a number or a name of a size at the end"),
        ("B S", 2, "the size 'B S' needs an operator or the end before 'S'"),
        ("(B", 2, "the size '(B' needs ')' at the end"),
        ("B & 3", 2, "the size 'B & 3' needs an operator or the end before '& 3'"),
        ("floordiv(B)", 0, "floordiv takes two sizes, not 1"),
        ("1 + floordiv(B, 0)", 4, "floordiv(B, 0) divides by zero"),
        ("", 0, "the size '' needs a number or a name of a size at the end"),
    ],
)
def test_texts_that_are_no_size(text: str, offset: int, sentence: str) -> None:
    with pytest.raises(SizeSyntaxError) as caught:
        Size.parse(text)
    assert str(caught.value) == sentence
    assert caught.value.offset == offset


def test_a_missing_value_and_a_zero_divisor_are_named() -> None:
    with pytest.raises(ValueError, match=r"^the size B\*S needs a value for S$"):
        (B * S).evaluate({"B": 1})
    with pytest.raises(
        ValueError, match=r"^the size floordiv\(B, S\) divides by zero for B = 1, S"
    ):
        (B // S).evaluate({"B": 1, "S": 0})
    with pytest.raises(ValueError, match="'min' cannot be the name of a size"):
        Size.of("min")


def test_sizes_meet_integers() -> None:
    assert Size.of(3) == 3
    assert hash(Size.of(3)) == hash(3)
    assert (B - B + 3).static == 3
    assert B.static is None
    assert 7 - B + B == 7
    assert 7 // Size.of(2) == 3
    assert 7 % Size.of(2) == 1


def test_sizes_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(B * S + 1)) == B * S + 1


def test_build_computes_in_another_algebra() -> None:
    text = (2 * B + S // 4).build(str, str.lower, lambda op, x, y: f"({x} {op} {y})")
    assert text == "((b mul 2) add (s floordiv 4))"
