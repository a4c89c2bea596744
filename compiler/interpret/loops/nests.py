"""Nests and folds on NumPy lanes: a body runs once for a whole slab of its index grid."""

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Block, Operation

from stepwell.compiler.dialects.loop.nests import (
    FoldOp,
    IndexOp,
    LocalOp,
    NestOp,
    PrefixOp,
    ReadOp,
    ScanOp,
    SortOp,
    WriteOp,
)
from stepwell.compiler.interpret.loops.casts import signed
from stepwell.compiler.interpret.loops.combinations import State, combination
from stepwell.compiler.interpret.loops.frames import Frame, Step
from stepwell.compiler.interpret.loops.memory import linear, name_of
from stepwell.compiler.interpret.loops.orders import fold
from stepwell.compiler.interpret.loops.places import refuse
from stepwell.compiler.interpret.loops.translator import Rule, Translator, check_elements
from stepwell.compiler.interpret.loops.values import Value, dtype_of, fresh

ROOM = 1 << 20
"""Elements of an array that is evaluated at once."""
DEEPER = 1 << 6
"""The part of the room that each level of folds is left: one step of lanes."""


def nest(op: NestOp, scope: Translator) -> Step:
    sizes = scope.shape(op.sizes.data)
    body = scope.body(op.body.block, len(sizes))
    room = ROOM // DEEPER ** max(_fold_depth(op.body.block), 1)

    def run(frame: Frame) -> None:
        outer = frame.grid
        for slab in slabs(sizes, room):
            for axis, (slot, (low, high)) in enumerate(zip(body.arguments, slab, strict=True)):
                frame[slot] = np.arange(low, high).reshape((-1, *[1] * (len(sizes) - axis - 1)))
            frame.grid = tuple(high - low for low, high in slab)
            body.run(frame)
        frame.grid = outer

    return run


def slabs(sizes: tuple[int, ...], room: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Boxes of at most `room` elements that together are the grid; inner axes are cut last."""
    lengths: list[int] = []
    for size in reversed(sizes):
        lengths.append(max(1, min(size, room)))
        room //= lengths[-1]
    cuts = [
        [(low, min(low + length, size)) for low in range(0, size, length)]
        for size, length in zip(sizes, reversed(lengths), strict=True)
    ]
    return product(*cuts)


def _fold_depth(block: Block) -> int:
    """How many folds lie within each other."""
    return max((_depth_of(op) for op in block.ops), default=0)


def _depth_of(op: Operation) -> int:
    inner = max((_fold_depth(b) for region in op.regions for b in region.blocks), default=0)
    return inner + isinstance(op, FoldOp)


def folded(op: FoldOp, scope: Translator) -> Step:
    sizes = scope.shape(op.sizes.data)
    rank = scope.rank
    body = scope.body(op.body.block, 2)
    how = combination(op.kind, *(dtype_of(each.type) for each in op.accumulators))
    results = scope.slots(op.accumulators)
    room = ROOM // DEEPER ** _fold_depth(op.body.block)

    def run(frame: Frame) -> None:
        outer = frame.grid

        def terms(positions: NDArray[np.int64]) -> State:
            at = positions.reshape((*positions.shape, *[1] * rank))
            frame.assign(body.arguments, _unravel(at, sizes))
            frame.grid = (*positions.shape, *outer)
            values = body.run(frame)
            frame.grid = outer
            return tuple(_spread(value, positions.shape, rank) for value in values)

        share = max(room // max(prod(outer), 1), 1)
        totals = fold(how, op.order.data, prod(sizes), terms, share)
        frame.assign(results, totals)

    return run


def _unravel(at: Value, sizes: tuple[int, ...]) -> list[Value]:
    """The index of each axis at row-major positions."""
    index: list[Value] = []
    for size in reversed(sizes):
        at, part = np.divmod(at, size)
        index.insert(0, part)
    return index


def _spread(term: Value, positions: tuple[int, ...], rank: int) -> Value:
    """The term with the leading axes at full length; those of the grid stay as they are."""
    term = np.asarray(term)
    inner = (*[1] * (rank - term.ndim), *term.shape[-rank:]) if rank else ()
    return np.broadcast_to(term, (*positions, *inner))


def scan(op: ScanOp, scope: Translator) -> Step:
    sizes = scope.shape(op.sizes.data)
    count, rank = prod(sizes), scope.rank
    body = scope.body(op.body.block, 1)

    def run(frame: Frame) -> None:
        if count == 0:
            return
        outer = frame.grid
        positions = np.arange(count).reshape((-1, *[1] * rank))
        frame.assign(body.arguments, _unravel(positions, sizes))
        frame.grid = (count, *outer)
        body.run(frame)
        frame.grid = outer

    return run


def prefix(op: PrefixOp, scope: Translator) -> Step:
    term, result = scope.slots((op.term, op.result))
    dtype, rank = dtype_of(op.term.type), scope.rank - 1
    how = combination(op.kind, dtype)

    def run(frame: Frame) -> None:
        terms = _spread(frame[term], frame.grid[:1], rank)
        state, prefixes = how.identity, np.empty(terms.shape, dtype)
        for position, each in enumerate(terms):
            state = how.take(state, (each,))
            prefixes[position] = state[0]
        frame[result] = prefixes

    return run


def sort(op: SortOp, scope: Translator) -> Step:
    inputs, outputs, axis = scope.slots(op.inputs), scope.slots(op.outputs), op.axis.data
    signs = op.signed is not None

    def run(frame: Frame) -> None:
        key = frame[inputs[0]]
        key = signed(key) if signs else key
        comparable = key.astype(np.float32) if key.dtype.itemsize == 2 else key
        order = np.argsort(comparable, axis, kind="stable")
        for source, target in zip(frame.read(inputs), frame.read(outputs), strict=True):
            target[...] = np.take_along_axis(source, order, axis)

    return run


def read(op: ReadOp, scope: Translator) -> Step:
    check_elements(op, op.source, op.result)
    source, result = scope.slots((op.source, op.result))
    index = [scope.affine(each, op.indices) for each in op.access.data]
    buffer, dtype = op.source, dtype_of(op.result.type)

    def everywhere(frame: Frame) -> None:
        memory = frame[source]
        offsets = linear(op, buffer, memory.shape, [each(frame) for each in index])
        frame[result] = memory.reshape(-1).take(offsets)

    if op.condition is None:
        return everywhere
    condition = scope.slot(op.condition)

    def inside(frame: Frame) -> None:
        memory, holds = frame[source], frame[condition]
        if not np.any(holds):
            frame[result] = np.zeros((), dtype)
            return
        at = [np.where(holds, each(frame), 0) for each in index]
        elements = memory.reshape(-1).take(linear(op, buffer, memory.shape, at))
        frame[result] = np.where(holds, elements, np.zeros((), dtype))

    return inside


def write(op: WriteOp, scope: Translator) -> Step:
    check_elements(op, op.target, op.value)
    value, target = scope.slots((op.value, op.target))
    index = [scope.affine(each, op.indices) for each in op.access.data]

    def run(frame: Frame) -> None:
        memory = frame[target]
        offsets = linear(op, op.target, memory.shape, [each(frame) for each in index])
        if offsets.size < prod(frame.grid):
            raise refuse(op, "SW0282", f"an index of {name_of(op.target)} is written twice")
        if frame.counts is not None:
            frame.counts.add(op.target, offsets)
        memory.reshape(-1)[np.broadcast_to(offsets, frame.grid)] = frame[value]

    return run


def index(op: IndexOp, scope: Translator) -> Step:
    result = scope.slot(op.result)
    affine = scope.affine(op.access.data[0], op.indices)

    def run(frame: Frame) -> None:
        frame[result] = affine(frame)

    return run


def local(op: LocalOp, scope: Translator) -> Step:
    result, dtype = scope.slot(op.result), dtype_of(op.result.type)
    shape = scope.shape(op.result.type.shape)

    def run(frame: Frame) -> None:
        frame[result] = fresh(shape, dtype)
        if frame.counts is not None:
            frame.counts.start(op.result, prod(shape))

    return run


NEST_RULES: dict[type[Operation], Rule] = {
    NestOp: nest,
    FoldOp: folded,
    ScanOp: scan,
    PrefixOp: prefix,
    SortOp: sort,
    ReadOp: read,
    WriteOp: write,
    IndexOp: index,
    LocalOp: local,
}
