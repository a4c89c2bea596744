"""The strategy `map`: the nests one after the other, each over tiles of vectors. It always fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2, prod
from typing import ClassVar, Self, final

from stepwell.compiler.dialects.loop.nests import KernelOp, NestOp
from stepwell.compiler.dialects.sizes import Range
from stepwell.compiler.lower.analysis import Analysis, Axis, lanes_of
from stepwell.compiler.lower.costs import NANOSECONDS, best_lanes, length, memory, steps
from stepwell.compiler.lower.strategies.base import (
    Refusal,
    Strategy,
    bytes_of_locals,
    drop_ops,
    locals_of,
    place_locals,
    take_ops,
)
from stepwell.compiler.lower.tiling import Interval, NestLoops, Tiling, cut, unless_empty
from stepwell.compiler.lower.writer import Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size
from xdsl.ir import SSAValue


@final
@dataclass(frozen=True)
class Map(Strategy):
    """Outer axes shared among threads, the cheapest axis in vectors, locals in the workspace.

    `bytes` is the width of a vector. A tile has `vectors` of them, in nests with folds in `rows`
    rows. A task takes about `task` microseconds; 0 leaves all to one thread.
    """

    name: ClassVar[str] = "map"
    bytes: int = 64
    vectors: int = 4
    rows: int = 1
    task: int = 20

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        return None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        return cls(machine.vector_bytes)

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
        shares = Shares.of(analysis, tiling, self.task)

        def inside() -> None:
            if shares is None:
                loops.write({})
            else:
                shares.write(writer, loops)

        unless_empty(writer, nest.sizes.data, ranges, inside)


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
    rows = others[-1] if height > 1 and others and analysis.inside else None
    if rows is not None and rows.size.static is not None:
        height = min(height, rows.size.static)
    return Tiling(tuple(axes), width, lanes, vectors if lanes else 1, rows, height if rows else 1)


@dataclass(frozen=True, eq=False)
class Shares:
    """How a nest is shared: a task is a position of the axes `each` and a block of the axis `last`."""

    each: tuple[Axis, ...]
    last: Axis
    block: int

    @classmethod
    def of(cls, analysis: Analysis, tiling: Tiling, task: int) -> "Shares | None":
        """Tasks of about `task` microseconds; None where that is all there is to do."""
        order = [*tiling.outer, *(axis for axis in (tiling.rows, tiling.lanes) if axis is not None)]
        cost = (steps(analysis) / tiling.width + memory(analysis, tiling.lanes, tiling.width)) * (
            NANOSECONDS / 1000
        )
        whole = prod((axis.size.static for axis in order if axis.size.static is not None)) * cost
        dynamic = any(axis.size.static is None for axis in order)
        if task == 0 or not order or (whole < 2 * task and not dynamic):
            return None
        inner = prod(length(axis.size) for axis in order) * cost
        for number, axis in enumerate(order):
            inner /= max(1, length(axis.size))
            step = {tiling.rows: tiling.height, tiling.lanes: tiling.block}.get(axis, 1)
            steps_of_task = 1 << max(0, round(log2(task / inner / step))) if inner else 1
            enough = length(axis.size) >= MINIMUM * step or axis is tiling.lanes
            if enough or steps_of_task > 1 or number == len(order) - 1:
                return cls(tuple(order[:number]), axis, steps_of_task * step)
        return None

    def write(self, writer: Writer, loops: NestLoops) -> None:
        sizes = [axis.size for axis in self.each]
        count = writer.ceiling(writer.extent(self.last.size), self.block)
        total = count
        for size in sizes:
            total = writer.product(total, writer.extent(size))

        def body(task: Bound) -> None:
            index = writer.remainder(task, count) if sizes else task
            rest = writer.quotient(task, count) if sizes else 0
            intervals = {self.last.value: cut(writer, index, self.last.size, self.block)}
            for axis in reversed(self.each):
                extent = writer.extent(axis.size)
                outermost = axis is self.each[0]
                index = rest if outermost else writer.remainder(rest, extent)
                rest = 0 if outermost else writer.quotient(rest, extent)
                intervals[axis.value] = Interval(index, writer.add(index, 1), 1)
            loops.write(intervals)

        writer.parallel(total, body)


MINIMUM = 16
"""So many tasks let two or more threads end together."""
