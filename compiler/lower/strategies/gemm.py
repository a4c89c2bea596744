"""The strategy `gemm`: matrix products by register tiles, of which the right operand may be packed.

The loops are those of K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication",
ACM TOMS 34 (2008), without the one over k: a tile sums all of k in registers, in the chunks that the
fold's order asks for, so that partial results never go to memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Self, final

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import buffer
from stepwell.compiler.lower.analysis import Analysis, Axis, lanes_of
from stepwell.compiler.lower.bodies import BodyWriter, Ready, Spread, Tile
from stepwell.compiler.lower.contraction import Contraction, contraction_of, slice_of
from stepwell.compiler.lower.costs import length
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.strategies.base import (
    Refusal,
    Strategy,
    drop_ops,
    locals_of,
    nests_of,
    take_ops,
    view,
)
from stepwell.compiler.lower.tiling import NestLoops, Tasks, Tiling, unless_empty
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size
from xdsl.ir import SSAValue

LATENCY = 4
"""Cycles until the result of a fused multiply-add can be used; two may begin in each."""

UNPACKED = 2048
"""Rows of the right operand that are no longer, in bytes, are read where they lie."""

TASK = 40_000
"""Multiply-add instructions that a task has at least: some 20 microseconds."""


@final
@dataclass(frozen=True)
class Gemm(Strategy):
    """Tiles of `mr` rows by `nv` vectors of `bytes` bytes.

    A task takes `mc` rows by `nc` lanes, of which the rows of the left operand stay in the cache;
    `mc = 0` leaves all to one thread. With `pack = [right]`, the right operand is first copied to
    panels of one tile's lanes.
    """

    name: ClassVar[str] = "gemm"
    bytes: int = 64
    mr: int = 8
    nv: int = 3
    mc: int = 0
    nc: int = 0
    pack: tuple[str, ...] = ()

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        nests = nests_of(kernel)
        if len(nests) != 1 or locals_of(kernel):
            return Refusal("it is not one nest")
        found = contraction_of(Analysis(nests[0]))
        return Refusal(found) if isinstance(found, str) else None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        return cls(**choose(_contraction(kernel), machine))

    def workspace(self, kernel: KernelOp) -> Size:
        return _Product(self, kernel).panel_bytes if self.pack else ZERO

    def expand(self, kernel: KernelOp) -> None:
        product = _Product(self, kernel)
        ops = take_ops(kernel)
        writer = Writer(kernel.body.block)
        writer.location = product.nest.location
        sizes, ranges = product.nest.sizes.data, kernel.symbols.ranges
        unless_empty(writer, sizes, ranges, lambda: product.write(writer))
        drop_ops(ops)


def _contraction(kernel: KernelOp) -> Contraction:
    found = contraction_of(Analysis(nests_of(kernel)[0]))
    assert not isinstance(found, str)
    return found


@final
class _Product:
    """One kernel under one plan."""

    def __init__(self, plan: Gemm, kernel: KernelOp):
        self.plan = plan
        self.kernel = kernel
        self.contraction = _contraction(kernel)
        self.analysis = self.contraction.analysis
        self.nest = self.analysis.nest
        self.element = self.contraction.fold.results[0].type
        self.width = lanes_of((self.element,), plan.bytes)
        self.panel = self.width * plan.nv

    def write(self, writer: Writer) -> None:
        contraction, plan = self.contraction, self.plan
        rows, lanes = contraction.rows, contraction.lanes
        ready = self._pack(writer) if plan.pack else None
        axes = (*contraction.outer, *([rows] if rows else []), lanes)
        height = plan.mr if rows else 1
        tiling = Tiling(axes, self.width, lanes, plan.nv, rows, height, panels=True)
        loops = NestLoops(writer, self.analysis, tiling, {}, ready=ready)
        if plan.mc == 0:
            loops.write({})
            return
        blocks = [(axis, 1) for axis in contraction.outer]
        if rows is not None:
            blocks.append((rows, plan.mc))
        Tasks((*blocks, (lanes, plan.nc))).write(writer, loops.write)

    # Panels of the right operand.

    @property
    def panel_axes(self) -> list[Axis]:
        """The outer axes along which the right operand varies."""
        along = self.analysis.dependences(self.contraction.right)
        return [axis for axis in self.contraction.outer if axis.value in along]

    @property
    def panel_count(self) -> Size:
        return (self.contraction.lanes.size + (self.panel - 1)) // self.panel

    @property
    def panel_bytes(self) -> Size:
        copies = prod((axis.size for axis in self.panel_axes), start=self.panel_count)
        return copies * self.contraction.depth * (self.plan.nv * self.plan.bytes)

    def _pack(self, writer: Writer) -> Ready:
        """Copy the right operand, as the fold multiplies it, to panels: for each position of the
        fold the lanes of one tile, zero behind the last."""
        size = self.panel_bytes // (self.plan.bytes // self.width)
        panels = view(writer, self.kernel.arguments[-1], 0, buffer((size,), self.element))
        blocks = [*((axis, 1) for axis in self.panel_axes), (self.contraction.lanes, self.panel)]
        ...
