"""The strategy `gemm`: matrix products by register tiles, of which the right operand may be packed.

The loops are those of K. Goto, R. van de Geijn, "Anatomy of high-performance matrix
multiplication", ACM TOMS 34 (2008), without the one over k: a tile sums all of k in registers, in
the chunks that the fold's order asks for, so that partial results never go to memory.
"""

from dataclasses import dataclass
from functools import partial
from math import prod
from typing import ClassVar, Self, final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import BufferType, buffer
from stepwell.compiler.lower.analysis import Access, Analysis, Axis, lanes_of
from stepwell.compiler.lower.blocking import Product
from stepwell.compiler.lower.bodies import BodyWriter, Guard, Mask, Ready, Spread, Tile, masks
from stepwell.compiler.lower.contraction import Contraction, contraction_of
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
from stepwell.compiler.lower.tiling import Intervals, NestLoops, Tasks, Tiling, unless_empty
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Term, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

UNPACKED = 2048
"""Rows of the right operand that are no longer, in bytes, are read where they lie."""

TALLEST, UNKNOWN_STRIDES = 14, 6
"""Rows of a tile at most; if their distance is known at run time only, each takes a register."""

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
        contraction = _contraction(kernel)
        product = _product(contraction, machine)
        mr, nv = product.tile(_tallest(contraction), machine)
        mc, nc = product.task(mr, nv, machine)
        depth = contraction.depth
        whole = prod(contraction.analysis.nest.sizes.data, start=depth).static
        if whole is not None and whole < 2 * TASK * product.width:
            mc = nc = 0
        packed = _packs(contraction, product, mr, machine)
        return cls(machine.vector_bytes, mr, nv, mc, nc, ("right",) if packed else ())

    def workspace(self, kernel: KernelOp) -> Size:
        return _Gemm(self, kernel).panel_bytes if self.pack else ZERO

    def expand(self, kernel: KernelOp) -> None:
        product = _Gemm(self, kernel)
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
class _Gemm:
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
        ready = self._pack(writer) if self.plan.pack else None
        tiling = self._tiling()
        loops = NestLoops(writer, self.analysis, tiling, {}, ready=ready)
        if self.plan.mc:
            self._tasks(tiling).write(writer, loops.write)
        else:
            loops.write({})

    def _tiling(self) -> Tiling:
        contraction, rows = self.contraction, self.contraction.rows
        return Tiling(
            contraction.axes,
            self.width,
            contraction.lanes,
            self.plan.nv,
            rows,
            1 if rows is None else self.plan.mr,
            panels=True,
            middle=contraction.middle,
        )

    def _tasks(self, tiling: Tiling) -> Tasks:
        """Blocks of `mc` rows, over several `middle` positions if those have fewer."""
        contraction = self.contraction
        rows = () if contraction.rows is None else (contraction.rows,)
        blocks: list[tuple[Axis, int]] = [(contraction.lanes, self.plan.nc)]
        left = self.plan.mc
        for axis in (*rows, *contraction.middle[::-1]):
            blocks.append((axis, max(left, tiling.step(axis))))
            left //= max(1, length(axis.size))
        blocks.extend((axis, 1) for axis in contraction.outer[::-1])
        return Tasks(tuple(blocks[::-1]))

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
        count = self.panel_bytes // (self.plan.bytes // self.width)
        panels = view(writer, self.kernel.arguments[-1], 0, buffer((count,), self.element))
        blocks = [*((axis, 1) for axis in self.panel_axes), (self.contraction.lanes, self.panel)]
        inside = partial(self._pack_panel, writer, panels)
        Tasks(tuple(blocks)).write(writer, inside, parallel=self.plan.mc > 0)
        right, ops = self.contraction.right, self.contraction.right_ops
        return Ready(right, ops, partial(self._load, panels))

    def _pack_panel(self, writer: Writer, panels: SSAValue, intervals: Intervals) -> None:
        lanes, fold = self.contraction.lanes.value, self.contraction.fold
        interval = intervals[lanes]
        inside: tuple[Mask, ...] = (None,) * self.plan.nv
        if interval.unit % self.panel:
            inside = masks(writer, interval.low, interval.high, self.width, self.plan.nv)
        bases: dict[SSAValue, Bound] = dict.fromkeys(self.nest.axes, 0)
        bases.update((axis, interval.low) for axis, interval in intervals.items())
        body = NestWriter(writer, self.analysis, Tile(self.width, lanes, inside), bases, {})
        if (guard := self.analysis.guards.get(fold)) is not None:
            body.guards[guard] = Guard(holds=True)
        ops = self.contraction.behind_right

        def copy() -> None:
            body.write(fold.body.block, ops)
            value = body.value(self.contraction.right)
            for column in range(self.plan.nv):
                place = self._place(body, column)
                writer.store(body.vector_at(value, 0, column), panels, place)

        with writer.memory():
            body.write(self.nest.body.block, ops)
            body.each_position(fold, copy)

    def _load(self, panels: SSAValue, body: BodyWriter) -> Spread:
        """The right operand at the position where the body stands."""
        type = body.type(self.element, True)
        columns = range(body.tile.vectors)
        values = [body.writer.load(panels, self._place(body, column), type) for column in columns]
        return body.spread(values, False, True)

    def _place(self, body: BodyWriter, column: int) -> Bound:
        """Where a vector of a panel lies: panels by the outer axes and by lanes, each by the
        position in the fold."""
        contraction, fold = self.contraction, self.contraction.fold
        terms: list[Term] = []
        stride = Size.of(self.panel)
        for axis, size in zip(fold.axes[::-1], fold.sizes.data[::-1], strict=True):
            terms.append((stride, body.bases[axis]))
            stride = stride * size
        terms.append((contraction.depth, body.bases[contraction.lanes.value]))
        stride = stride * self.panel_count
        for axis in self.panel_axes[::-1]:
            terms.append((stride, body.bases[axis.value]))
            stride = stride * axis.size
        return body.writer.affine([*terms, (ONE, column * self.width)])


def _product(contraction: Contraction, machine: Machine) -> Product:
    """The contraction in numbers."""
    width = lanes_of((contraction.fold.results[0].type,), machine.vector_bytes)
    m = 1 if contraction.rows is None else length(contraction.rows.size)
    k = length(contraction.depth)
    middle, outer = _positions(contraction.middle), _positions(contraction.outer)
    rows = max(1, m * middle * outer)
    counts = [_count(access).static for access in contraction.reads_of(contraction.left)]
    kept = sum(k if count is None else min(k, -(-count // rows)) for count in counts)
    size = machine.vector_bytes // width
    return Product(m, length(contraction.lanes.size), k, middle, outer, kept, width, size)


def _positions(axes: tuple[Axis, ...]) -> int:
    return max(1, prod(length(axis.size) for axis in axes))


def _count(access: Access) -> Size:
    type = access.buffer.type
    assert isinstance(type, BufferType)
    return type.count


def _tallest(contraction: Contraction) -> int:
    """How many rows a tile may have: if they lie at known distances, one register addresses all."""
    rows, reads = contraction.rows, contraction.reads_of(contraction.left)
    known = rows is None or all(read.stride(rows.value).static is not None for read in reads)
    return TALLEST if known else UNKNOWN_STRIDES


def _packs(contraction: Contraction, product: Product, mr: int, machine: Machine) -> bool:
    """Whether copying the right operand pays: if its lanes are no neighbours; or if it is used by
    several tiles of rows and would not stay in the second cache, or not in a few pages."""
    if not contraction.may_pack:
        return False
    if not contraction.is_contiguous:
        return True
    last = contraction.fold.axes[-1]
    reads = contraction.reads_of(contraction.right)
    strides = [access.stride(last).static for access in reads]
    apart = any(stride is None or stride * product.size > UNPACKED for stride in strides)
    large = product.k * product.n * product.size > machine.l2 // 2
    return (apart or large) and product.m * product.middle >= 4 * mr
