"""The strategy `chunks`: long folds of few rows, of which the whole card computes the chunks."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Self, final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.host import WhileOp
from stepwell.compiler.dialects.loop.nests import KernelOp, ScanOp, SortOp
from stepwell.compiler.dialects.sizes import Range
from stepwell.compiler.lower.analysis import Analysis
from stepwell.compiler.lower.bodies import BodyWriter, Ready, Spread, Tile
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.grids.apart import Apart, Part
from stepwell.compiler.lower.grids.chain import Chain
from stepwell.compiler.lower.grids.grid import Grid, rows_of
from stepwell.compiler.lower.grids.versions import Ask, Sometimes
from stepwell.compiler.lower.grids.warps import Rows, Warps, refusal_of
from stepwell.compiler.lower.strategies.base import Refusal, Strategy, expanding, place, total_bytes
from stepwell.compiler.lower.tiling import unless_empty
from stepwell.compiler.lower.writer import Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size, largest


@final
@dataclass(frozen=True)
class Chunks(Sometimes):
    """Sums of all there is, few long rows: a grid computes the chunks of a fold, each by a team of
    threads, or by one a vector of `bytes` of neighbouring rows, and leaves what they come to in
    memory; in another one a thread joins those of a row in ascending order. Where sizes decide that
    are not known yet, the host does: many rows or short ones go as they would otherwise."""

    name: ClassVar[str] = "chunks"
    bytes: int = 16

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        if any(isinstance(op, SortOp | ScanOp | WhileOp) for op in kernel.walk()):
            return Refusal("it sorts, or is a loop for each element")
        apart = Apart(kernel.clone())
        return Refusal("no fold of few rows has several chunks") if apart.pays is False else None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        return cls(machine.vector_bytes)

    def workspace(self, kernel: KernelOp) -> Size:
        apart = Apart(kernel.clone())
        need = total_bytes(apart.buffers.values())
        return need if apart.pays else largest(need, self._otherwise(kernel).workspace(kernel))

    def otherwise(self, kernel: KernelOp) -> tuple[Ask, Strategy] | None:
        apart = Apart(kernel.clone())
        return None if apart.pays else (apart.asked, self._otherwise(kernel))

    def expand(self, kernel: KernelOp) -> None:
        apart = Apart(kernel)
        with expanding(kernel) as writer:
            writer.location = kernel.location
            buffers = place(writer, kernel.arguments[-1], apart.buffers)
            for part in apart.parts:
                _Grids(writer, part, self.bytes, buffers, apart.ranges).write()
        apart.erase()

    def _otherwise(self, kernel: KernelOp) -> Warps | Grid:
        nests = [Analysis(nest) for nest in kernel.nests]
        if refusal_of(nests, self.bytes) is None:
            return Warps(self.bytes)
        return Grid(self.bytes, min(map(rows_of, nests)))


@final
@dataclass(frozen=True, eq=False)
class _Grids:
    """The grids of one part of a kernel, one after the other."""

    writer: Writer
    part: Part
    bytes: int
    buffers: Mapping[SSAValue, SSAValue]
    ranges: Mapping[str, Range]

    def write(self) -> None:
        fold = self.part.fold
        self.writer.location = self.part.nest.nest.location
        if fold is None:
            self._nest(self.part.nest)
            return
        for nest, size in self.part.chunks():
            unless_empty(self.writer, [size], self.ranges, partial(self._nest, nest))
        self.writer.parallel(self.writer.extent(fold.rows), self._join)

    def _nest(self, nest: Analysis) -> None:
        """A nest by teams, or by a thread for each tile."""
        if refusal_of([nest], self.bytes) is None:
            Rows([nest], self.bytes, self.ranges, {}).write(self.writer, self.buffers)
        else:
            grid = Grid(self.bytes, rows_of(nest))
            grid.write_nest(self.writer, nest, self.buffers, self.ranges)

    def _join(self, row: Bound) -> None:
        bases = indices_of(self.writer, self.part.nest, row)
        join(self.writer, self.part, row, bases, self.buffers, self.bytes)


def indices_of(writer: Writer, nest: Analysis, row: Bound, outer: int = 0) -> dict[SSAValue, Bound]:
    """The indices at one of a nest's positions behind the first `outer` axes, in their order."""
    bases: dict[SSAValue, Bound] = dict.fromkeys(nest.nest.axes, 0)
    axes = nest.axes(outer)
    indices = writer.unravel(row, [axis.size for axis in axes])
    bases.update(zip((axis.value for axis in axes), indices, strict=True))
    return bases


def join(
    writer: Writer,
    part: Part,
    row: Bound,
    bases: Mapping[SSAValue, Bound],
    buffers: Mapping[SSAValue, SSAValue],
    bytes: int,
) -> None:
    """A row's chunks in one number, and what follows."""
    fold, results = part.fold, [buffers[each] for each in part.results]
    assert fold is not None
    with writer.memory():
        totals = Chain(writer, fold, results, row, bytes).totals()
        ready = [
            Ready(result, frozenset((fold.fold,)), partial(_spread, total))
            for result, total in zip(fold.fold.results, totals, strict=True)
        ]
        NestWriter(writer, part.nest, Tile(), bases, buffers, ready).write_nest()


def _spread(total: SSAValue, body: BodyWriter) -> Spread:
    return Spread((total,))
