"""What a nest costs, roughly: enough to choose the axis of its vectors and the size of a task."""

from collections.abc import Mapping, Sequence
from math import prod

from xdsl.dialects import arith, math
from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.loop.host import WhileOp
from stepwell.compiler.dialects.loop.nests import FoldOp, WriteOp
from stepwell.compiler.lower.analysis import BACK, Access, Analysis, Around, Axis, lanes_of
from stepwell.compiler.lower.writer import ONE, ZERO
from stepwell.runtime.sizes import Size

UNKNOWN = 512
"""What a symbol of a size counts as."""

ROUNDS = 64
"""How often a loop counts as going round."""

LOAD, TURNED, GATHER, TABLE, CHAIN = 1.0, 5.0, 1.5, 2.0, 4.0
"""Steps for one vector: an access; one of a tile that is turned; for each of its lanes, a gather;
an accumulator in memory; one that waits for the last term."""

STEPS: Mapping[type[Operation], float] = {
    math.ExpOp: 16,
    math.LogOp: 24,
    math.SinOp: 24,
    math.CosOp: 24,
    math.TanhOp: 24,
    math.ErfOp: 30,
    math.PowFOp: 60,
    math.SqrtOp: 8,
    arith.DivfOp: 8,
    arith.DivSIOp: 40,
    arith.DivUIOp: 40,
    arith.RemSIOp: 40,
    arith.RemUIOp: 40,
    arith.FloorDivSIOp: 50,
}

NANOSECONDS = 0.3
"""For one step."""

ALIKE = 2, 4
"""Numbers of threads that are to have as much to do as each other."""

TASKS, SHORTEST = 16, 5_000
"""So many tasks let two or more threads end together; but nanoseconds that one is to take."""


def length(size: Size) -> int:
    return max(1, size.evaluate(dict.fromkeys(size.symbols, UNKNOWN)))


def busy(count: int, each: int) -> float:
    """What all of a few threads could do until the last one ends, if tasks of `each` make up
    `count`: that, if they end together."""
    rounds = (threads * -(-count // (each * threads)) for threads in ALIKE)
    return sum(rounds) * each / len(ALIKE)


def evenly(count: int, tasks: int) -> int:
    """How much of `count` a task takes, so that there are so many or up to twice as many, and a few
    threads end together."""
    most = -(-count // tasks)
    return min(range(most, (most - 1) // 2, -1), key=lambda each: busy(count, each))


def task_time(whole: float, most: float) -> float:
    """Nanoseconds of a task, at most so many, of what takes so many in all."""
    return min(most, max(SHORTEST, whole / TASKS))


def steps(analysis: Analysis) -> float:
    """Steps of the scalar ops of one position, each fold counted as long as it is."""
    return sum(
        STEPS.get(kind, 1.0) * count * _repeats(folds)
        for (kind, folds), count in analysis.counts.items()
    )


def nanoseconds(analysis: Analysis, lanes: Axis | None, width: int) -> float:
    """What one position takes, in vectors along such an axis."""
    return NANOSECONDS * (steps(analysis) / width + memory(analysis, lanes, width))


def _repeats(around: Around) -> int:
    return prod(
        ROUNDS if isinstance(each, WhileOp) else prod(map(length, each.sizes.data))
        for each in around
    )


def best_lanes(analysis: Analysis, axes: Sequence[Axis], bytes: int) -> Axis | None:
    """The axis along which vectors cost least; None where scalars, or vectors within folds, do."""
    width = lanes_of(analysis.types, bytes)
    writable = [axis for axis in reversed(axes) if ZERO not in analysis.written_along(axis)]
    costs = {axis: memory(analysis, axis, width) for axis in writable}
    best = min(costs, key=lambda axis: costs[axis], default=None)
    return best if best is not None and costs[best] <= memory(analysis, None, width) else None


def memory(analysis: Analysis, lanes: Axis | None, width: int) -> float:
    """Steps for the accesses of one position."""
    used = 1 if lanes is None else max(1, min(length(lanes.size), width))
    return (
        sum(_access(analysis, access, lanes, width) for access in analysis.accesses.values()) / used
    )


def _access(analysis: Analysis, access: Access, lanes: Axis | None, width: int) -> float:
    """Steps for one vector of positions, or for one position if there are no lanes."""
    around = analysis.around.get(access.op, ())
    repeats = _repeats(around)
    folds = [each for each in around if isinstance(each, FoldOp)]
    if folds and (lanes is None or lanes.value not in analysis.dependences(folds[0].results[0])):
        last = folds[-1]
        if last.order.data.kind == "serial":
            return CHAIN * repeats
        return _stride_cost(analysis, access, last.axes[-1], width) * repeats / width
    if lanes is None:
        return LOAD * repeats
    if turned_axis(analysis, access, lanes) is not None:
        return TURNED
    cost = _stride_cost(analysis, access, lanes.value, width)
    if folds and folds[-1].order.data.kind == "lanes":
        cost += TABLE
    return cost * repeats


def turned_axis(analysis: Analysis, access: Access, lanes: Axis) -> SSAValue | None:
    """The axis of the nest along which a read is contiguous that is not so along the lanes."""
    stride = access.stride(lanes.value)
    if analysis.repeats or analysis.around.get(access.op) or isinstance(access.op, WriteOp):
        return None
    if stride in (ZERO, ONE, BACK):
        return None
    axes = [axis for axis, stride in access.at.terms.items() if stride == ONE]
    return next((axis for axis in axes if axis in analysis.nest.axes), None)


def _stride_cost(analysis: Analysis, access: Access, axis: SSAValue, width: int) -> float:
    stride = access.stride(axis)
    if any(axis in analysis.dependences(value) for value in access.at.terms if value is not axis):
        return GATHER * width
    if stride == ZERO:
        return LOAD / 2
    return LOAD if stride in (ONE, BACK) else GATHER * width
