"""Bounds of polynomials that see how floordiv, mod, min and max depend on their arguments.

Interval arithmetic alone cannot tell that B - floordiv(B, 2) is never negative, since it forgets
that both terms hold the same B. Here a call gives way to polynomials that bound it, one call at a
time, until none is left or `_DEPTH` of them are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

from stepwell.runtime.sizes.intervals import End, Interval, Ranges, enclosure, product
from stepwell.runtime.sizes.polynomial import (
    ONE,
    Call,
    Polynomial,
    collect,
    constant,
    content,
    over,
    without,
)

_DEPTH = 4


@final
@dataclass(frozen=True)
class Case:
    """Polynomials the least of which is a bound, once divided by `scale`."""

    polynomials: tuple[Polynomial, ...]
    scale: int = 1


def bounds(polynomial: Polynomial, ranges: Ranges) -> Interval:
    """An interval that holds every value of `polynomial`."""
    if polynomial.constant is not None:
        return polynomial.constant, polynomial.constant
    if not any(isinstance(each, Call) for each in polynomial.atoms):
        return enclosure(polynomial, ranges)
    _, scale = content([polynomial])
    low = _low(without(polynomial, ((), scale)), ranges, _DEPTH)
    high = _low(without(-polynomial, ((), scale)), ranges, _DEPTH)
    return product(scale, low), product(-scale, high)


@lru_cache(maxsize=4096)
def is_never_negative(polynomial: Polynomial) -> bool:
    """Whether the value is known to be 0 or more for all values of the symbols."""
    return bounds(polynomial, {})[0] >= 0


def _low(polynomial: Polynomial, ranges: Ranges, depth: int) -> End:
    """A lower bound."""
    calls = [each for each in polynomial.atoms if isinstance(each, Call)] if depth else []
    choices = [found for each in calls if (found := _cases(polynomial, each, ranges))]
    # A call with one case goes first: to split min(a, b) into a and b loses nothing, and to take
    # either of the two for it does.
    cases = min(choices, key=len) if choices else []
    found = [_least(case, ranges, depth - 1) for case in cases]
    return max([enclosure(polynomial, ranges)[0], *found])


def _least(case: Case, ranges: Ranges, depth: int) -> End:
    low = min(_low(each, ranges, depth) for each in case.polynomials)
    return low if isinstance(low, float) else -(-low // case.scale)


def _cases(polynomial: Polynomial, call: Call, ranges: Ranges) -> list[Case]:
    """Ways to bound `polynomial` from below without `call`, in which it must be linear."""
    factor, rest = _split(polynomial, call)
    if call in factor.atoms:
        return []
    low, high = enclosure(factor, ranges)
    limits = _limits(call, ranges, above=low < 0) if low >= 0 or high <= 0 else []
    return [
        Case(
            tuple(factor * each + rest * constant(limit.scale) for each in limit.polynomials),
            limit.scale,
        )
        for limit in limits
    ]


def _split(polynomial: Polynomial, call: Call) -> tuple[Polynomial, Polynomial]:
    """`(factor, rest)` with polynomial = factor * call + rest."""
    inside = [term for term in polynomial.terms if call in term[0]]
    outside = [term for term in polynomial.terms if call not in term[0]]
    factor = collect((over(monomial, (call,)) or (), c) for monomial, c in inside)
    return factor, Polynomial(tuple(outside))


def _limits(call: Call, ranges: Ranges, *, above: bool) -> list[Case]:
    """What a call is at least, or what it is at most."""
    if call.function in ("min", "max"):
        any_of_them = call.function == ("min" if above else "max")
        return [Case((x,)) for x in call.arguments] if any_of_them else [Case(call.arguments)]
    dividend, divisor = call.arguments
    if call.function == "floordiv" and divisor.constant is not None:
        return [Case((dividend if above else dividend - divisor + ONE,), divisor.constant)]
    if not above or min(enclosure(each, ranges)[0] for each in call.arguments) < 0:
        return []
    return [Case((dividend,))] + [Case((divisor - ONE,))] * (call.function == "mod")
