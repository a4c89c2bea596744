"""Interval arithmetic on polynomials: each atom on its own, from the ranges of the symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import inf
from typing import TypeAlias

from stepwell.runtime.sizes.polynomial import (
    Atom,
    Function,
    Polynomial,
    Symbol,
    atom,
    constant,
    replaced,
)

Ranges: TypeAlias = Mapping[str, tuple[int, int | None]]
"""Least and greatest value of each symbol; None is no limit; one that is not named is 0 or more."""
End: TypeAlias = int | float
Interval: TypeAlias = tuple[End, End]
"""Both ends are included; an infinite one, the only float that there is, is no known limit."""

ANYTHING: Interval = (-inf, inf)


def enclosure(polynomial: Polynomial, ranges: Ranges) -> Interval:
    """An interval that holds every value of `polynomial`."""
    intervals = {each: of_atom(each, ranges) for each in polynomial.atoms}
    return both(_sum(polynomial, intervals), _shifted(polynomial, intervals))


def _shifted(polynomial: Polynomial, intervals: Mapping[Atom, Interval]) -> Interval:
    """The enclosure with each atom written as its least value plus something non-negative.

    This is what sees that B*S - B is not negative when S is at least 1.
    """
    least = {each: low for each, (low, _) in intervals.items() if low and isinstance(low, int)}
    moved = replaced(polynomial, {each: atom(each) + constant(low) for each, low in least.items()})
    return _sum(moved, {each: _less(intervals[each], least.get(each, 0)) for each in moved.atoms})


def both(one: Interval, other: Interval) -> Interval:
    """The intersection."""
    return max(one[0], other[0]), min(one[1], other[1])


def _less(interval: Interval, by: int) -> Interval:
    low, high = interval
    return _plus(low, -by), _plus(high, -by)


def _sum(polynomial: Polynomial, intervals: Mapping[Atom, Interval]) -> Interval:
    low: End = 0
    high: End = 0
    for monomial, coefficient in polynomial.terms:
        # An even power of something that may be negative is bounded loosely, and soundly.
        factors = (intervals[each] for each in monomial)
        least, most = reduce(_times, factors, (coefficient, coefficient))
        low, high = _plus(low, least), _plus(high, most)
    return low, high


def _times(one: Interval, other: Interval) -> Interval:
    corners = [product(a, b) for a in one for b in other]
    return min(corners), max(corners)


def _plus(a: End, b: End) -> End:
    """Of integers that no float may hold, too."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    return b if isinstance(a, int) else a


def product(a: End, b: End) -> End:
    """Of integers that no float may hold, too; 0 times anything is 0."""
    if a == 0 or b == 0:
        return 0
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    return inf if (a > 0) == (b > 0) else -inf


def of_atom(value: Atom, ranges: Ranges) -> Interval:
    """An interval that holds every value of an atom."""
    if isinstance(value, Symbol):
        low, high = ranges.get(value.name, (0, None))
        return low, inf if high is None else high
    return _CALLS[value.function]([enclosure(argument, ranges) for argument in value.arguments])


def _floordiv(arguments: Sequence[Interval]) -> Interval:
    (low, high), (least, most) = arguments[0], _divisor(arguments[1])
    if least < 0:
        return ANYTHING
    return _quotient(low, least, most, rising=True), _quotient(high, least, most, rising=False)


def _quotient(numerator: End, least: End, most: End, *, rising: bool) -> End:
    """The least (rising) or greatest quotient of one end of the numerator by a positive divisor."""
    if isinstance(numerator, float):
        return numerator
    if (numerator >= 0) != rising:
        return numerator // least
    if most == inf:
        return 0 if rising else -1
    return numerator // most


def _mod(arguments: Sequence[Interval]) -> Interval:
    (low, high), (least, most) = arguments[0], _divisor(arguments[1])
    return ANYTHING if least < 0 else (0, min(most - 1, high if low >= 0 else inf))


def _divisor(interval: Interval) -> Interval:
    """A divisor's bounds where the division has a value; anything when it may be negative."""
    low, high = interval
    return ANYTHING if low < 0 or high == 0 else (max(low, 1), high)


def _min(arguments: Sequence[Interval]) -> Interval:
    return min(low for low, _ in arguments), min(high for _, high in arguments)


def _max(arguments: Sequence[Interval]) -> Interval:
    return max(low for low, _ in arguments), max(high for _, high in arguments)


_CALLS: dict[Function, Callable[[Sequence[Interval]], Interval]] = {
    "floordiv": _floordiv,
    "mod": _mod,
    "min": _min,
    "max": _max,
}
