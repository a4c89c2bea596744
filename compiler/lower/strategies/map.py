"""The strategy `map`: the nests one after the other, each over tiles of vectors. It always fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2, prod
from typing import ClassVar, Self, final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.nests import KernelOp, NestOp
from stepwell.compiler.dialects.sizes import Range
from stepwell.compiler.lower.analysis import Analysis, Axis, lanes_of
from stepwell.compiler.lower.costs import (
    NANOSECONDS,
    best_lanes,
    length,
    memory,
    steps,
    turned_axis,
)
from stepwell.compiler.lower.strategies.base import (
    Refusal,
    Strategy,
    bytes_of_locals,
    drop_ops,
    locals_of,
    nests_of,
    place_locals,
    take_ops,
)
from stepwell.compiler.lower.tiling import NestLoops, Tasks, Tiling, unless_empty
from stepwell.compiler.lower.writer import Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

VECTORS = 4
CHAINED_ROWS = {"scan": 8, "serial": 4}
"""Rows whose chains go side by side, since each waits for its own last sum."""


@final
@dataclass(frozen=True)
class Map(Strategy):
    """Outer axes shared among threads, the cheapest axis in vectors, locals in the workspace.

    `bytes` is the width of a vector. A tile has `vectors` of them, in nests with folds or scans in
    `rows` rows. A task takes about `task` microseconds; 0 leaves all to one thread.
    """

    name: ClassVar[str] = "map"
    bytes: int = 64
    vectors: int = VECTORS
    rows: int = 1
    task: int = 20

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        return None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        nests = [Analysis(nest) for nest in nests_of(kernel)]
        kinds = {fold.order.data.kind for nest in nests for fold in nest.inside}
        kinds.update("scan" for nest in nests if nest.scans)
        rows = max((CHAINED_ROWS.get(kind, 1) for kind in kinds), default=1)
        vectors = max((columns(nest, machine) for nest in nests), default=VECTORS)
        return cls(machine.vector_bytes, vectors, rows)

    def workspace(self, kernel: KernelOp) -> Size:
        return bytes_of_locals(locals_of(kernel))

    def expand(self, kernel: KernelOp) -> None:
        locals = locals_of(kernel)
        ops = take_ops(kernel)
        writer = Writer(kernel.body.block)
        buffers = place_locals(writer, kernel.arguments[-1], locals) if locals else {}
        for op in ops:
            if isinstance(op, NestOp):
                writer.location = op.location
                self._nest(writer, op, buffers, kernel.symbols.ranges)
        drop_ops(ops)

    def _nest(
        self,
        writer: Writer,
        nest: NestOp,
        buffers: dict[SSAValue, SSAValue],
        ranges: dict[str, Range],
    ) -> None:
        analysis = Analysis(nest)
        tiling = tiling_of(analysis, analysis.axes(), self.bytes, self.vectors, self.rows)
        loops = NestLoops(writer, analysis, tiling, buffers)
        tasks = tasks_of(analysis, tiling, self.task * 1000)

        def inside() -> None:
            if tasks is None:
                loops.write({})
            else:
                tasks.write(writer, loops.write)

        unless_empty(writer, nest.sizes.data, ranges, inside)


def columns(nest: Analysis, machine: Machine) -> int:
    """Vectors of a tile: of a matrix whose columns are folded long pieces of a row, since each row
    may lie on another page of memory, as long as there remain tasks enough."""
    axes = nest.axes()
    if len(axes) != 1 or not any(fold.order.data.kind == "serial" for fold in nest.inside):
        return VECTORS
    width = lanes_of(nest.types, machine.vector_bytes)
    most = min(machine.vector_registers // 2, length(axes[0].size) // (MINIMUM * width))
    return max(VECTORS, most)


def tiling_of(
    analysis: Analysis, axes: Sequence[Axis], bytes: int, vectors: int, height: int
) -> Tiling:
    """The tiles of a nest along these of its axes, no longer than they are."""
    width = lanes_of(analysis.types, bytes)
    lanes = best_lanes(analysis, axes, bytes)
    if lanes is not None and lanes.size.static is not None:
        width = min(width, 1 << (lanes.size.static - 1).bit_length())
        vectors = max(1, min(vectors, lanes.size.static // width))
    others = [axis for axis in axes if axis is not lanes]
    turned = None if lanes is None else turned_rows(analysis, others, lanes)
    if turned is not None:
        return Tiling(tuple(axes), width, lanes, 1, turned, width, squares=True)
    chains = analysis.inside or analysis.scans
    rows = others[-1] if height > 1 and others and chains else None
    if rows is not None and rows.size.static is not None:
        height = min(height, rows.size.static)
    return Tiling(tuple(axes), width, lanes, vectors if lanes else 1, rows, height if rows else 1)


def turned_rows(analysis: Analysis, axes: Sequence[Axis], lanes: Axis) -> Axis | None:
    """The axis along which a read is contiguous that is not so along the lanes."""
    found = {turned_axis(analysis, access, lanes) for access in analysis.accesses.values()}
    return next((axis for axis in axes if axis.value in found), None)


def tasks_of(analysis: Analysis, tiling: Tiling, time: int) -> Tasks | None:
    """Tasks of about `time` nanoseconds; None where that is all there is to do.

    Outer axes are taken tile by tile until what is left is a task or less; of the last one a task
    takes a block.
    """
    cost = NANOSECONDS * (
        steps(analysis) / tiling.width + memory(analysis, tiling.lanes, tiling.width)
    )
    order = [*tiling.outer, *(axis for axis in (tiling.rows, tiling.lanes) if axis is not None)]
    whole = cost * prod(length(axis.size) for axis in order)
    known = all(axis.size.static is not None for axis in order)
    if time == 0 or whole == 0 or (known and whole < 2 * time):
        return None
    for number, axis in enumerate(order):
        step = tiling.step(axis)
        whole /= max(1, length(axis.size))
        block = step << max(0, round(log2(time / (whole * step))))
        if block > step or length(axis.size) >= MINIMUM * step or axis is order[-1]:
            before = [(each, tiling.step(each)) for each in order[:number]]
            return Tasks((*before, (axis, block)))
    return None


MINIMUM = 16
"""So many tasks let two or more threads end together."""
