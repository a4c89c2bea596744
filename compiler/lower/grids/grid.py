"""The strategy `grid`: a thread for each tile, which it computes as a CPU's core would."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Self, final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import size as bytes_of
from stepwell.compiler.dialects.loop.nests import KernelOp, SortOp
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.dialects.sizes import Range
from stepwell.compiler.lower.analysis import Analysis, Axis, divisor
from stepwell.compiler.lower.bodies import Mask, Tile, masks
from stepwell.compiler.lower.costs import length
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.intervals import Intervals
from stepwell.compiler.lower.loop_to_llvm.types import in_memory
from stepwell.compiler.lower.strategies.base import Refusal, Strategy, expanding, place, total_bytes
from stepwell.compiler.lower.strategies.map import tiling_of
from stepwell.compiler.lower.tiling import Tasks, Tiling, unless_empty
from stepwell.compiler.lower.writer import Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

ROWS, WIDTH, THREADS = (8, 4, 2), 4, 1 << 15
"""Rows of a tile, lanes of a vector, and threads that keep a card busy."""


@final
@dataclass(frozen=True)
class Grid(Strategy):
    """The nests one after the other, each in tiles of one vector of `bytes`: neighbours along the
    lanes' axis are those of neighbouring threads, whose accesses are joined. Folds and scans run in
    a thread; where they are chains, a tile has so many `rows`, which share vectors that they read.
    """

    name: ClassVar[str] = "grid"
    IN_PLACE: ClassVar[bool] = True
    bytes: int = 16
    rows: int = 1

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        return Refusal("it sorts") if sorts(kernel) else None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        nests = [Analysis(nest) for nest in kernel.nests]
        rows = min(map(rows_of, nests), default=1)
        return cls(bytes_for(kernel, machine), rows)

    def workspace(self, kernel: KernelOp) -> Size:
        return total_bytes(kernel.locals.values())

    def expand(self, kernel: KernelOp) -> None:
        locals, nests = kernel.locals, kernel.nests
        with expanding(kernel) as writer:
            writer.location = kernel.location
            buffers = place(writer, kernel.arguments[-1], locals) if locals else {}
            for nest in nests:
                self.write_nest(writer, Analysis(nest), buffers, kernel.symbols.ranges)

    def write_nest(
        self,
        writer: Writer,
        nest: Analysis,
        buffers: Mapping[SSAValue, SSAValue],
        ranges: Mapping[str, Range],
    ) -> None:
        """A nest as a grid, with buffers in the places of some."""
        writer.location = nest.nest.location
        # Of a band of squares each is another thread's.
        tiling = tiling_of(nest, nest.axes(), self.bytes, 1, self.rows, band=1)
        threads = _Threads(writer, nest, tiling, buffers)
        unless_empty(writer, nest.nest.sizes.data, ranges, threads.write)


def bytes_for(kernel: KernelOp, machine: Machine) -> int:
    """Of vectors in registers, where f16 and bytes have 32 bits a lane, so that those of the widest
    type in memory are as long as the machine's."""
    types = [value.type for value in kernel.arguments]
    elements = [in_memory(type.element) for type in types if isinstance(type, BufferType)]
    return machine.vector_bytes * max(1, 4 // max(map(bytes_of, elements), default=4))


def rows_of(nest: Analysis) -> int:
    """As many rows of chains as leave enough threads for a card; of scans, and of folds that are no
    chains, one."""
    kinds = {fold.order.data.kind for fold in nest.inside}
    if kinds != {"serial"} or nest.scans:
        return 1
    positions = prod(length(axis.size) for axis in nest.axes())
    return next((rows for rows in ROWS if positions >= rows * WIDTH * THREADS), 1)


@final
@dataclass(frozen=True, eq=False)
class _Threads:
    """The tiles of one nest, a thread for each; those along the lanes stand side by side."""

    writer: Writer
    nest: Analysis
    tiling: Tiling
    buffers: Mapping[SSAValue, SSAValue]

    def write(self) -> None:
        tiling = self.tiling
        order = [*tiling.outer, *(axis for axis in (tiling.rows, tiling.lanes) if axis is not None)]
        if order:
            blocks = tuple((axis, tiling.step(axis)) for axis in order)
            Tasks(blocks).write(self.writer, self._thread)
        else:
            self.writer.parallel(1, lambda index: self._thread({}, index))

    def _thread(self, intervals: Intervals, _: Bound) -> None:
        """One tile, which at the ends of the axes may lie outside in part."""
        writer, tiling = self.writer, self.tiling
        bases: dict[SSAValue, Bound] = dict.fromkeys(self.nest.nest.axes, 0)
        bases.update((axis, interval.low) for axis, interval in intervals.items())
        ends = [axis for axis in (tiling.rows, tiling.lanes) if axis and _cuts(tiling, axis)]
        conditions = [
            writer.compare(
                "le",
                writer.value(writer.add(bases[axis.value], tiling.step(axis))),
                writer.value(writer.extent(axis.size)),
            )
            for axis in ends
        ]
        with writer.memory():
            if conditions:
                inside = writer.all_of(conditions)
                writer.branch(inside, lambda: self._tile(bases), lambda: self._cut(bases))
            else:
                self._tile(bases)

    def _cut(self, bases: Mapping[SSAValue, Bound]) -> None:
        """A tile of which some rows or lanes may lie outside."""
        writer, rows, lanes = self.writer, self.tiling.rows, self.tiling.lanes
        inside: tuple[Mask, ...] = (None,)
        if lanes and _cuts(self.tiling, lanes):
            high = writer.extent(lanes.size)
            inside = masks(writer, bases[lanes.value], high, self.tiling.width, 1)
        last = rows and _cuts(self.tiling, rows)
        self._tile(bases, inside, writer.extent(rows.size - 1) if rows and last else None)

    def _tile(
        self,
        bases: Mapping[SSAValue, Bound],
        inside: tuple[Mask, ...] = (None,),
        last: Bound | None = None,
    ) -> None:
        tiling = self.tiling
        rows, lanes = (axis and axis.value for axis in (tiling.rows, tiling.lanes))
        tile = Tile(tiling.width, lanes, inside, rows, tiling.height, last)
        NestWriter(self.writer, self.nest, tile, bases, self.buffers).write_nest()


def _cuts(tiling: Tiling, axis: Axis) -> bool:
    """Whether the last tile along an axis may be smaller."""
    return divisor(axis.size) % tiling.step(axis) != 0


def sorts(kernel: KernelOp) -> bool:
    return any(isinstance(op, SortOp) for op in kernel.body.block.ops)
