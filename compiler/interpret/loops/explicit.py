"""The explicit form: loops, threads one after the other in a shuffled order, vectors, accesses."""

import numpy as np
from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.loop.explicit import (
    AlignedOp,
    DotTilesOp,
    FenceOp,
    ForOp,
    GatherOp,
    IfOp,
    LoadOp,
    ParallelOp,
    PrefetchOp,
    ScatterOp,
    StackOp,
    StoreOp,
)
from stepwell.compiler.interpret.loops.frames import Frame, Step
from stepwell.compiler.interpret.loops.memory import check_offsets, span
from stepwell.compiler.interpret.loops.places import refuse
from stepwell.compiler.interpret.loops.tiles import dot_tiles
from stepwell.compiler.interpret.loops.translator import Rule, Translator, check_elements
from stepwell.compiler.interpret.loops.values import Value, dtype_of, fresh, lanes_of


def counted(op: ForOp, scope: Translator) -> Step:
    low, high, initial = scope.slot(op.low), scope.slot(op.high), scope.slots(op.initial)
    body, final, step = scope.body(op.body.block), scope.slots(op.final), op.step.data
    index, *carried = body.arguments

    def run(frame: Frame) -> None:
        values = frame.read(initial)
        for position in range(int(frame[low]), int(frame[high]), step):
            frame.assign((index, *carried), (position, *values))
            values = body.run(frame)
        frame.assign(final, values)

    return run


def parallel(op: ParallelOp, scope: Translator) -> Step:
    bound, body, random = scope.slot(op.bound), scope.body(op.body.block), scope.outside.random
    ranges = len(body.arguments) > 1

    def run(frame: Frame) -> None:
        count = int(frame[bound])
        cuts = [0, *(n for n in range(1, count) if not ranges or random.integers(2)), count]
        for number in random.permutation(len(cuts) - 1 if count else 0).tolist():
            frame.assign(body.arguments, cuts[number : number + len(body.arguments)])
            body.run(frame)

    return run


def branch(op: IfOp, scope: Translator) -> Step:
    condition, results = scope.slot(op.condition), scope.slots(op.results_)
    then, otherwise = scope.body(op.then.block), scope.body(op.otherwise.block)

    def run(frame: Frame) -> None:
        taken = then if frame[condition] else otherwise
        frame.assign(results, taken.run(frame))

    return run


def load(op: LoadOp, scope: Translator) -> Step:
    check_elements(op, op.source, op.result)
    if op.mask is not None:
        return _masked_load(op, op.mask, scope)
    source, offset, result = scope.slots((op.source, op.offset, op.result))
    buffer, lanes = op.source, lanes_of(op.result.type)

    def run(frame: Frame) -> None:
        elements = span(op, buffer, frame[source], int(frame[offset]), lanes or 1)
        frame[result] = elements.copy() if lanes else elements[0]

    return run


def _masked_load(op: LoadOp, mask: SSAValue, scope: Translator) -> Step:
    source, offset, where, result = scope.slots((op.source, op.offset, mask, op.result))
    buffer, lanes = op.source, _counted_lanes(op.result)

    def run(frame: Frame) -> None:
        at = int(frame[offset]) + lanes
        elements = _gathered(op, buffer, frame[source], at, frame[where])
        frame[result] = elements if lanes.ndim else elements[()]

    return run


def gather(op: GatherOp, scope: Translator) -> Step:
    check_elements(op, op.source, op.result)
    source, offsets, result = scope.slots((op.source, op.offsets, op.result))
    buffer, where = op.source, None if op.mask is None else scope.slot(op.mask)

    def run(frame: Frame) -> None:
        inside = True if where is None else frame[where]
        frame[result] = _gathered(op, buffer, frame[source], frame[offsets], inside)

    return run


def _gathered(op: Operation, buffer: SSAValue, memory: Value, at: Value, inside: Value) -> Value:
    """The elements at linear offsets; zero where the mask is not set."""
    inside = np.broadcast_to(inside, at.shape)
    check_offsets(op, buffer, memory.size, at[inside])
    elements = np.zeros(at.shape, memory.dtype)
    elements[inside] = memory.reshape(-1)[at[inside]]
    return elements


def store(op: StoreOp, scope: Translator) -> Step:
    check_elements(op, op.target, op.value)
    if op.mask is not None:
        return _masked_store(op, op.mask, scope)
    value, target, offset = scope.slots((op.value, op.target, op.offset))
    buffer, lanes = op.target, lanes_of(op.value.type) or 1

    def run(frame: Frame) -> None:
        span(op, buffer, frame[target], int(frame[offset]), lanes)[:] = frame[value]

    return run


def _masked_store(op: StoreOp, mask: SSAValue, scope: Translator) -> Step:
    value, target, offset, where = scope.slots((op.value, op.target, op.offset, mask))
    buffer, lanes = op.target, _counted_lanes(op.value)

    def run(frame: Frame) -> None:
        at = int(frame[offset]) + lanes
        _scattered(op, buffer, frame[target], at, frame[where], frame[value])

    return run


def scatter(op: ScatterOp, scope: Translator) -> Step:
    check_elements(op, op.target, op.value)
    value, target, offsets = scope.slots((op.value, op.target, op.offsets))
    buffer, where = op.target, None if op.mask is None else scope.slot(op.mask)

    def run(frame: Frame) -> None:
        inside = True if where is None else frame[where]
        at = frame[offsets][np.broadcast_to(inside, frame[offsets].shape)]
        if len(np.unique(at)) < len(at):
            raise refuse(op, "SW0282", "two lanes store to the same offset")
        _scattered(op, buffer, frame[target], frame[offsets], inside, frame[value])

    return run


def _scattered(
    op: Operation, buffer: SSAValue, memory: Value, at: Value, inside: Value, value: Value
) -> None:
    inside = np.broadcast_to(inside, at.shape)
    check_offsets(op, buffer, memory.size, at[inside])
    memory.reshape(-1)[at[inside]] = np.broadcast_to(value, at.shape)[inside]


def _counted_lanes(value: SSAValue) -> Value:
    lanes = lanes_of(value.type)
    return np.asarray(0) if lanes is None else np.arange(lanes)


def stack(op: StackOp, scope: Translator) -> Step:
    result, dtype = scope.slot(op.result), dtype_of(op.result.type)
    shape = scope.shape(op.result.type.shape)

    def run(frame: Frame) -> None:
        frame[result] = fresh(shape, dtype)

    return run


def prefetch(op: PrefetchOp, scope: Translator) -> Step:
    """A hint may be about anything, also what is outside."""
    return lambda frame: None


def aligned(op: AlignedOp, scope: Translator) -> Step:
    """Memory may lie anywhere."""
    result, random = scope.slot(op.result), scope.outside.random

    def run(frame: Frame) -> None:
        frame[result] = np.bool_(random.integers(2))

    return run


def fence(op: FenceOp, scope: Translator) -> Step:
    """Threads run one after the other."""
    return lambda frame: None


EXPLICIT_RULES: dict[type[Operation], Rule] = {
    ForOp: counted,
    ParallelOp: parallel,
    IfOp: branch,
    LoadOp: load,
    StoreOp: store,
    GatherOp: gather,
    ScatterOp: scatter,
    StackOp: stack,
    DotTilesOp: dot_tiles,
    PrefetchOp: prefetch,
    AlignedOp: aligned,
    FenceOp: fence,
}
