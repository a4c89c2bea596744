"""What a fold does with its terms: identity, taking a term, joining two results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import add, mul
from typing import TypeAlias, final

import numpy as np

from stepwell.compiler.dialects.loop.types import Combine
from stepwell.compiler.interpret.loops.functions import (
    Binary,
    both,
    either,
    fma,
    maximum,
    minimum,
    select,
)
from stepwell.compiler.interpret.loops.values import DType, Value

State: TypeAlias = tuple[Value, ...]
"""One accumulator, two for a fold over pairs, or several side by side; arrays that broadcast
against each other."""


@final
@dataclass(frozen=True)
class Combination:
    """`take(state, terms)` adds the terms of one position, `join(state, state)` two results."""

    identity: State
    take: Callable[[State, State], State]
    join: Callable[[State, State], State]


def combination(kind: Combine, *dtypes: DType) -> Combination:
    """The combination of this kind for accumulators of these types: of pairs the value's and the
    index's, of other kinds one type."""
    dtype = dtypes[0]
    if kind in _PAIRS:
        lowest, better = _PAIRS[kind]
        join = _joining_pairs(better)
        start = (_extreme(dtype, lowest), _extreme(dtypes[1], lowest=False))
        return Combination(start, join, join)
    join = _lifted(_joins(dtype)[kind])
    take = _take_product if kind is Combine.FMA else join
    return Combination((_identity(kind, dtype),) * len(dtypes), take, join)


def _joins(dtype: DType) -> Mapping[Combine, Binary]:
    floating = dtype.kind not in "biu"
    return {
        Combine.ADD: add,
        Combine.FMA: add,
        Combine.MUL: mul,
        Combine.MAX: maximum if floating else np.maximum,
        Combine.MIN: minimum if floating else np.minimum,
        Combine.AND: both,
        Combine.OR: either,
    }


def _identity(kind: Combine, dtype: DType) -> Value:
    if kind in (Combine.MAX, Combine.MIN):
        return _extreme(dtype, lowest=kind is Combine.MAX)
    ones = {Combine.MUL: 1, Combine.AND: -1}.get(kind, 0)
    return np.asarray(ones).astype(dtype)[()]


def _extreme(dtype: DType, lowest: bool) -> Value:
    if dtype.kind == "b":
        return np.bool_(not lowest)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return dtype.type(limits.min if lowest else limits.max)
    return dtype.type(-np.inf if lowest else np.inf)


def _lifted(function: Binary) -> Callable[[State, State], State]:
    return lambda state, terms: tuple(map(function, state, terms))


def _take_product(state: State, terms: State) -> State:
    return (fma(terms[0], terms[1], state[0]),)


def _joining_pairs(better: Binary) -> Callable[[State, State], State]:
    """The pair that is better, or NaN against a number, or as good with the smaller index."""

    def join(best: State, pair: State) -> State:
        (value, index), (rival, place) = best, pair
        best_nan, rival_nan = np.not_equal(value, value), np.not_equal(rival, rival)
        level = np.equal(value, rival) | (best_nan & rival_nan)
        wins = (better(rival, value) & ~best_nan) | (rival_nan & ~best_nan)
        wins = wins | (level & (place < index))
        return select(wins, rival, value), select(wins, place, index)

    return join


_PAIRS: Mapping[Combine, tuple[bool, Binary]] = {
    Combine.ARGMAX: (True, np.greater),
    Combine.ARGMIN: (False, np.less),
}


def halves(how: Combination, state: Sequence[Value]) -> State:
    """The states along the first axis, in any number above 0, joined in some order."""
    joined = tuple(state)
    while (count := len(joined[0])) > 1:
        half = count // 2
        pairs = how.join(tuple(s[:half] for s in joined), tuple(s[half : 2 * half] for s in joined))
        rest = [s[2 * half :] for s in joined]
        joined = tuple(np.concatenate(each) for each in zip(pairs, rest, strict=True))
    return tuple(s[0] for s in joined)
