"""Interval arithmetic on polynomials: each atom on its own, from the ranges of the symbols."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TypeAlias

from stepwell.runtime.sizes.polynomial import (
    Atom,
    Function,
    Monomial,
    Polynomial,
    Symbol,
    atom,
    constant,
    replaced,
)

Ranges: TypeAlias = Mapping[str, tuple[int, int | None]]
"""Least and greatest value of each symbol; None is no limit; one that is not named is 0 or more."""
Interval: TypeAlias = tuple[int | None, int | None]

ANYTHING: Interval = (None, None)


def enclosure(polynomial: Polynomial, ranges: Ranges) -> Interval:
    """An interval that holds every value of `polynomial`; None is no known limit."""
    return both(
        _sum(polynomial, {each: of_atom(each, ranges) for each in polynomial.atoms}),
        _shifted(polynomial, ranges),
    )


def _shifted(polynomial: Polynomial, ranges: Ranges) -> Interval:
    """The enclosure with each atom written as its least value plus something non-negative.

    This is what sees that B*S - B is not negative when S is at least 1.
    """
    intervals = {each: of_atom(each, ranges) for each in polynomial.atoms}
    least = {each: low for each, (low, _) in intervals.items() if low}
    moved = replaced(polynomial, {each: atom(each) + constant(low) for each, low in least.items()})
    return _sum(moved, {each: _less(intervals[each], least.get(each, 0)) for each in moved.atoms})


def both(one: Interval, other: Interval) -> Interval:
    """The intersection."""
    lows = [low for low, _ in (one, other) if low is not None]
    highs = [high for _, high in (one, other) if high is not None]
    return max(lows, default=None), min(highs, default=None)


def _less(interval: Interval, by: int) -> Interval:
    low, high = interval
    return None if low is None else low - by, None if high is None else high - by


def _sum(polynomial: Polynomial, intervals: Mapping[Atom, Interval]) -> Interval:
    low: int | None = 0
    high: int | None = 0
    for monomial, coefficient in polynomial.terms:
        least, most = _times((coefficient, coefficient), _monomial(monomial, intervals))
        low = None if low is None or least is None else low + least
        high = None if high is None or most is None else high + most
    return low, high


def _monomial(monomial: Monomial, intervals: Mapping[Atom, Interval]) -> Interval:
    # An even power of something that may be negative is bounded loosely, and soundly.
    return reduce(_times, (intervals[each] for each in monomial), (1, 1))


def _times(one: Interval, other: Interval) -> Interval:
    corners = [_product(a, b) for a in _ends(one) for b in _ends(other)]
    low, high = min(corners), max(corners)
    return low if isinstance(low, int) else None, high if isinstance(high, int) else None


def _ends(interval: Interval) -> tuple[int | float, int | float]:
    low, high = interval
    return -math.inf if low is None else low, math.inf if high is None else high


def _product(a: int | float, b: int | float) -> int | float:
    if a == 0 or b == 0:
        return 0
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    return math.inf if (a > 0) == (b > 0) else -math.inf


def of_atom(value: Atom, ranges: Ranges) -> Interval:
    """An interval that holds every value of an atom."""
    if isinstance(value, Symbol):
        return ranges.get(value.name, (0, None))
    return _CALLS[value.function]([enclosure(argument, ranges) for argument in value.arguments])


def _floordiv(arguments: Sequence[Interval]) -> Interval:
    (low, high), (least, most) = arguments[0], _divisor(arguments[1])
    if least is None:
        return ANYTHING
    return _quotient(low, least, most, rising=True), _quotient(high, least, most, rising=False)


def _quotient(numerator: int | None, least: int, most: int | None, *, rising: bool) -> int | None:
    """The least (rising) or greatest quotient of one end of the numerator by a positive divisor."""
    if numerator is None:
        return None
    if (numerator >= 0) != rising:
        return numerator // least
    if most is None:
        return 0 if rising else -1
    return numerator // most


def _mod(arguments: Sequence[Interval]) -> Interval:
    (low, high), (least, most) = arguments[0], _divisor(arguments[1])
    if least is None:
        return ANYTHING
    limits = [] if most is None else [most - 1]
    if low is not None and low >= 0 and high is not None:
        limits.append(high)
    return 0, min(limits, default=None)


def _divisor(interval: Interval) -> Interval:
    """A divisor's bounds where the division has a value; (None, …) when it may be negative."""
    low, high = interval
    if low is None or low < 0 or high == 0:
        return ANYTHING
    return max(low, 1), high


def _min(arguments: Sequence[Interval]) -> Interval:
    lows = [low for low, _ in arguments]
    highs = [high for _, high in arguments if high is not None]
    known = [low for low in lows if low is not None]
    return min(known) if len(known) == len(lows) else None, min(highs, default=None)


def _max(arguments: Sequence[Interval]) -> Interval:
    return _negative(_min([_negative(interval) for interval in arguments]))


def _negative(interval: Interval) -> Interval:
    low, high = interval
    return None if high is None else -high, None if low is None else -low


_CALLS: dict[Function, Callable[[Sequence[Interval]], Interval]] = {
    "floordiv": _floordiv,
    "mod": _mod,
    "min": _min,
    "max": _max,
}
