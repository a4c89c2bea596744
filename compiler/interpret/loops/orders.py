"""The orders of folds, vectorised over the outputs and over the chunks of a fold.

Terms arrive as arrays of shape [steps, chunks, *grid]; docs/semantics.md defines the orders.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from stepwell.compiler.dialects.loop.types import LANE_COUNT, Order
from stepwell.compiler.interpret.bf16_pairs import add_pair
from stepwell.compiler.interpret.loops.combinations import Combination, State, halves
from stepwell.compiler.interpret.matrix_sums import BLOCK, add_products

Terms = Callable[[NDArray[np.int64]], State]
"""From positions [steps, chunks] to terms [steps, chunks, *grid]."""


def fold(how: Combination, order: Order, count: int, terms: Terms, room: int) -> State:
    """The terms of the positions below `count`, combined in `order`; about `room` at a time."""
    total: State | None = None
    for first, length, chunks in _batches(count, _chunk(order, count, room), room):
        positions = _positions(first, length, chunks)
        results = _FOLDS[order.kind](how, positions, terms, room)
        for chunk in range(chunks):
            result = tuple(each[chunk] for each in results)
            total = result if total is None else how.join(total, result)
    return how.identity if total is None else total


def _chunk(order: Order, count: int, room: int) -> int:
    """Where the order cannot be seen, the chunks are as long as there is room."""
    return min(room, count) if order.kind == "any" else order.chunk or count


def _batches(count: int, chunk: int, room: int) -> Iterator[tuple[int, int, int]]:
    """First position, length and number of chunks that are taken together; the rest comes last."""
    whole = count // chunk if count else 0
    together = max(1, room // chunk) if count else 1
    for first in range(0, whole, together):
        yield first * chunk, chunk, min(together, whole - first)
    if rest := count - whole * chunk:
        yield whole * chunk, rest, 1


def _positions(first: int, length: int, chunks: int) -> NDArray[np.int64]:
    return first + np.arange(length)[:, None] + length * np.arange(chunks)


def _blocks(
    positions: NDArray[np.int64], room: int, multiple: int = 1
) -> Iterator[NDArray[np.int64]]:
    """Runs of steps for which there is room, each but the last a multiple in length."""
    length, chunks = positions.shape
    block = max(room // chunks // multiple, 1) * multiple
    for low in range(0, length, block):
        yield positions[low : low + block]


def _serial(how: Combination, positions: NDArray[np.int64], terms: Terms, room: int) -> State:
    state = how.identity
    for block in _blocks(positions, room):
        for term in zip(*terms(block), strict=True):
            state = how.take(state, term)
    return state


def _lanes(how: Combination, positions: NDArray[np.int64], terms: Terms, room: int) -> State:
    state: State | None = None
    for block in _blocks(positions, room, LANE_COUNT):
        values = terms(block)
        for low in range(0, len(block), LANE_COUNT):
            term = tuple(each[low : low + LANE_COUNT] for each in values)
            state = _join_lanes(how, _start(how, term) if state is None else state, term)
    assert state is not None
    return _tree(how, state)


def _start(how: Combination, like: State) -> State:
    """All accumulators at the identity."""
    shape = (LANE_COUNT, *(1 for _ in like[0].shape[1:]))
    return tuple(np.full(shape, each) for each in how.identity)


def _join_lanes(how: Combination, state: State, term: State) -> State:
    """Each accumulator takes its term; those past the last position stay as they are."""
    count = len(term[0])
    taken = how.take(tuple(each[:count] for each in state), term)
    if count == LANE_COUNT:
        return taken
    return tuple(_with_rest(new, old[count:]) for new, old in zip(taken, state, strict=True))


def _with_rest(new: NDArray[np.generic], rest: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.concatenate((new, np.broadcast_to(rest, (len(rest), *new.shape[1:]))))


def _tree(how: Combination, state: State) -> State:
    half = LANE_COUNT // 2
    while half:
        low, high = (tuple(each[a : a + half] for each in state) for a in (0, half))
        state = how.join(low, high)
        half //= 2
    return tuple(each[0] for each in state)


def _any(how: Combination, positions: NDArray[np.int64], terms: Terms, room: int) -> State:
    results = [halves(how, how.take(how.identity, terms(b))) for b in _blocks(positions, room)]
    stacked = tuple(np.stack(each) for each in zip(*results, strict=True))
    return halves(how, stacked)


def _pairs(how: Combination, positions: NDArray[np.int64], terms: Terms, room: int) -> State:
    (sums,) = how.identity
    for block in _blocks(positions, room, 2):
        left, right = terms(block)
        for low in range(0, len(block), 2):
            sums = add_pair(sums, left[low : low + 2], right[low : low + 2])
    return (sums,)


def _tensor(how: Combination, positions: NDArray[np.int64], terms: Terms, room: int) -> State:
    (sums,) = how.identity
    for block in _blocks(positions, room, BLOCK):
        left, right = terms(block)
        for low in range(0, len(block), BLOCK):
            part = slice(low, low + BLOCK)
            sums = add_products(sums, left[part], right[part])
    return (sums,)


_FOLDS = {"serial": _serial, "lanes": _lanes, "any": _any, "pairs": _pairs, "tensor": _tensor}
