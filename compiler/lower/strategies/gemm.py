"""The strategy `gemm`: matrix products by register tiles, of which the right operand may be packed.

The loops are those of K. Goto, R. van de Geijn, "Anatomy of high-performance matrix
multiplication", ACM TOMS 34 (2008), without the one over k: a tile sums all of k in registers, in
the chunks that the fold's order asks for, so that partial results never go to memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import ClassVar, Self, final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import buffer
from stepwell.compiler.lower.analysis import Analysis, Axis, lanes_of
from stepwell.compiler.lower.bodies import BodyWriter, Mask, Ready, Spread, Tile, masks
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

LATENCY = 4
"""Cycles until the result of a fused multiply-add can be used; two may begin in each."""

UNPACKED = 2048
"""Rows of the right operand that are no longer, in bytes, are read where they lie."""

UNKNOWN_STRIDES = 6
"""Rows of a tile whose distance is known at run time only: each takes a register."""

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
        return cls(machine.vector_bytes, *choose(_contraction(kernel), machine))

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
        height = plan.mr if rows else 1
        middle = contraction.middle
        tiling = Tiling(
            contraction.axes, self.width, lanes, plan.nv, rows, height, panels=True, middle=middle
        )
        loops = NestLoops(writer, self.analysis, tiling, {}, ready=ready)
        if plan.mc == 0:
            loops.write({})
            return
        blocks = [(axis, 1) for axis in contraction.outer]
        left = plan.mc
        for axis in ((rows,) if rows else ()) + middle[::-1]:
            blocks.insert(len(contraction.outer), (axis, max(left, tiling.step(axis))))
            left //= max(1, length(axis.size))
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
        count = self.panel_bytes // (self.plan.bytes // self.width)
        panels = view(writer, self.kernel.arguments[-1], 0, buffer((count,), self.element))
        blocks = [*((axis, 1) for axis in self.panel_axes), (self.contraction.lanes, self.panel)]
        tasks = Tasks(tuple(blocks))
        inside = partial(self._pack_panel, writer, panels)
        tasks.write(writer, inside, parallel=self.plan.mc > 0)
        return Ready(
            self.contraction.right, self.contraction.right_ops, partial(self._load, panels)
        )

    def _pack_panel(self, writer: Writer, panels: SSAValue, intervals: Intervals) -> None:
        lanes, block = self.contraction.lanes.value, self.contraction.fold.body.block
        interval = intervals[lanes]
        inside: tuple[Mask, ...] = (None,) * self.plan.nv
        if interval.unit % self.panel:
            inside = masks(writer, interval.low, interval.high, self.width, self.plan.nv)
        bases: dict[SSAValue, Bound] = dict.fromkeys(self.nest.axes, 0)
        bases.update((axis, interval.low) for axis, interval in intervals.items())
        body = NestWriter(writer, self.analysis, Tile(self.width, lanes, inside), bases, {})
        ops = self.contraction.behind_right
        if (guard := self.analysis.guards.get(self.contraction.fold)) is not None:
            body.guards[guard] = True

        def copy() -> None:
            body.write(block, ops)
            value = body.value(self.contraction.right)
            for column in range(self.plan.nv):
                place = self._place(body, column)
                writer.store(body.vector_at(value, 0, column), panels, place)

        with writer.memory():
            body.write(self.nest.body.block, ops)
            body.each_position(self.contraction.fold, copy)

    def _load(self, panels: SSAValue, body: BodyWriter) -> Spread:
        """The right operand at the position where the body stands."""
        type = body.type(self.element, True)
        columns = range(body.tile.vectors)
        values = [body.writer.load(panels, self._place(body, column), type) for column in columns]
        return body.spread(values, False, True)

    def _place(self, body: BodyWriter, column: int) -> Bound:
        """Where a vector of a panel lies: panels by the outer axes and by lanes, each by the
        position in the fold."""
        contraction = self.contraction
        terms: list[Term] = []
        stride = Size.of(self.panel)
        for axis, size in zip(
            contraction.fold.axes[::-1], contraction.fold.sizes.data[::-1], strict=True
        ):
            terms.append((stride, body.bases[axis]))
            stride = stride * size
        terms.append((contraction.depth, body.bases[contraction.lanes.value]))
        stride = stride * self.panel_count
        for axis in self.panel_axes[::-1]:
            terms.append((stride, body.bases[axis.value]))
            stride = stride * axis.size
        return body.writer.affine([*terms, (ONE, column * self.width)])


def choose(
    contraction: Contraction, machine: Machine
) -> tuple[int, int, int, int, tuple[str, ...]]:
    """`mr`, `nv`, `mc`, `nc` and `pack`, from the sizes; symbolic ones are taken to be medium."""
    rows, lanes = contraction.rows, contraction.lanes
    width = lanes_of((contraction.fold.results[0].type,), machine.vector_bytes)
    m, n = length(rows.size) if rows else 1, length(lanes.size)
    tallest = m if _strides_are_static(contraction) else min(m, UNKNOWN_STRIDES)
    shapes = tiles(tallest, machine.vector_registers)
    mr, nv = min(shapes, key=lambda shape: tile_cost(m, n, *shape, width))
    size, panel = machine.vector_bytes // width, nv * width
    k, middle, outer = contraction.depth, _count(contraction.middle), _count(contraction.outer)
    cached = max(mr, machine.l2 // 2 // (max(1, length(k)) * size))
    mc = rows_of_task(m, middle, mr, cached)
    tasks = -(-m * middle // mc) * outer
    lane_blocks = max(1, min(-(-n // panel), -(-MINIMUM // tasks)))
    nc = -(-n // lane_blocks // panel) * panel
    whole = prod(contraction.analysis.nest.sizes.data, start=k).static
    if whole is not None and whole < 2 * TASK * width:
        mc = nc = 0
    return mr, nv, mc, nc, ("right",) if _packs(contraction, m // mr, size) else ()


def _strides_are_static(contraction: Contraction) -> bool:
    """Whether the rows of the left operand lie at known distances, so that one register addresses
    all of a tile."""
    rows = contraction.rows
    return rows is None or all(
        access.stride(rows.value).static is not None
        for access in contraction.reads_of(contraction.left)
    )


def tiles(m: int, registers: int) -> Iterator[tuple[int, int]]:
    """The shapes for which the registers suffice: for the sums, a row of vectors, a scalar."""
    for mr in range(1, min(m, 14) + 1):
        for nv in range(1, 9):
            if mr * nv + nv + 1 <= registers:
                yield mr, nv


def tile_cost(m: int, n: int, mr: int, nv: int, width: int) -> float:
    """Cycles for one position of the fold, over all tiles: two multiply-adds or two loads in each,
    and no sum again before its last one is there."""
    heights = [(m // mr, mr), (1, m % mr)]
    vectors = -(-n // width)
    columns = [(vectors // nv, nv), (1, vectors % nv)]
    cycles = sum(
        i * j * max(height * column / 2, LATENCY, (height + column) / 2)
        for i, height in heights
        for j, column in columns
        if height and column
    )
    return cycles * (1 + (mr + nv) / (mr * nv) / 20)


def rows_of_task(m: int, middle: int, mr: int, cached: int) -> int:
    """Rows that a task takes, no more than the cache holds: a part of `m`, or several times all."""
    if m > cached:
        blocks = -(-m // cached)
        return -(-m // blocks // mr) * mr
    blocks = -(-middle // max(1, cached // max(1, m)))
    return max(1, m) * -(-middle // blocks)


def _count(axes: Sequence[Axis]) -> int:
    return prod(length(axis.size) for axis in axes)


MINIMUM = 16
"""So many tasks let two or more threads end together."""


def _packs(contraction: Contraction, tiles: int, size: int) -> bool:
    """Whether copying the right operand pays: its rows are long, or no rows, and often used."""
    if not contraction.may_pack:
        return False
    if not contraction.is_contiguous:
        return True
    last = contraction.fold.axes[-1]
    reads = contraction.reads_of(contraction.right)
    strides = [access.stride(last).static for access in reads]
    long = any(stride is None or stride * size > UNPACKED for stride in strides)
    return long and tiles >= 4
