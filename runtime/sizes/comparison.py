"""Comparing sizes whose symbols lie in ranges: true, false, or not to be decided."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from stepwell.runtime.sizes.bounds import bounds
from stepwell.runtime.sizes.intervals import Interval, Ranges, both
from stepwell.runtime.sizes.size import Operator, Size, combine

Relation: TypeAlias = Callable[[Size, Size, Ranges], bool | None]


def equal(a: Size, b: Size, ranges: Ranges) -> bool | None:
    """Whether a = b: True everywhere in `ranges`, False nowhere, None depends or is unknown."""
    if a == b:
        return True
    low, high = _difference(a, b, ranges)
    if low == high == 0:
        return True
    return False if low > 0 or high < 0 or _differ_by_a_remainder(a, b) else None


def at_most(a: Size, b: Size, ranges: Ranges) -> bool | None:
    """Whether a <= b: True everywhere in `ranges`, False nowhere, None depends or is unknown."""
    low, high = _difference(a, b, ranges)
    return True if high <= 0 else False if low > 0 else None


def _differ_by_a_remainder(a: Size, b: Size) -> bool:
    """Whether a - b is a constant away from a multiple of some integer, as 2*B and 2*S + 1 are."""
    difference = a - b
    step = math.gcd(*(factor for monomial, factor in difference.polynomial.terms if monomial))
    return step > 1 and difference % step != 0


def _difference(a: Size, b: Size, ranges: Ranges) -> Interval:
    """Bounds of a - b, as it stands and with mod(x, y) written x - y*floordiv(x, y)."""
    difference = a - b
    found = bounds(difference.polynomial, ranges)
    rewritten = difference.build(Size.of, Size.of, _without_mod)
    return found if rewritten == difference else both(found, bounds(rewritten.polynomial, ranges))


def _without_mod(operator: Operator, left: Size, right: Size) -> Size:
    return left - right * (left // right) if operator == "mod" else combine(operator, left, right)


def proposal(
    a: Size, b: Size, ranges: Ranges, relation: Relation = equal, wanted: bool | None = None
) -> str | None:
    """The widest range of one symbol that decides `relation(a, b)`, as a spec writes it: "B: 2..".

    With `wanted`, only a range that decides it so. None: no such range was found.
    """

    def decides(symbol: str, low: int, high: int | None) -> bool:
        answer = relation(a, b, {**ranges, symbol: (low, high)})
        return answer is not None if wanted is None else answer is wanted

    limits = [(symbol, *ranges.get(symbol, (0, None))) for symbol in sorted((a - b).symbols)]
    for symbol, low, high in limits:
        stop = low + _REACH if high is None else high
        raised = _nearest(low, stop, lambda low, s=symbol, high=high: decides(s, low, high))
        if raised is not None:
            return f"{symbol}: {raised}..{'' if high is None else high}"
    for symbol, low, high in limits:
        start = low + _REACH if high is None else high
        lowered = _nearest(start, low, lambda high, s=symbol, low=low: decides(s, low, high))
        if lowered is not None:
            return f"{symbol}: {low}..{lowered}"
    for symbol in sorted((a - b).symbols):
        root = _root(a - b, symbol)
        if root is not None and decides(symbol, root, root):
            return f"{symbol}: {root}..{root}"
    return None


def _root(size: Size, symbol: str) -> int | None:
    """The value of the symbol for which `size` is 0, when it is linear and has no other symbol."""
    at_zero, at_one = (size.substitute({symbol: Size.of(value)}).static for value in (0, 1))
    if at_zero is None or at_one is None or at_zero == at_one or at_zero % (at_zero - at_one):
        return None
    return at_zero // (at_zero - at_one)


_REACH = 2**31
"""How far above its minimum a symbol's limit is looked for."""


def _nearest(start: int, stop: int, holds: Callable[[int], bool]) -> int | None:
    """The value nearest to `start` for which `holds`, given that it then does as far as `stop`."""
    if not holds(stop):
        return None
    while start != stop:
        middle = (start + stop) // 2 if start < stop else (start + stop + 1) // 2
        start, stop = (start, middle) if holds(middle) else (middle + (stop > start) * 2 - 1, stop)
    return stop
