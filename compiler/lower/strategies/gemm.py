"""The strategy `gemm`: matrix products by register tiles, whose operands may be packed.

The loops are those of K. Goto, R. van de Geijn, "Anatomy of high-performance matrix
multiplication", ACM TOMS 34 (2008). Where a product is not deep it goes without the one over k: a
tile sums all of it in registers, in the chunks that the fold's order asks for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Self, final

from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import buffer
from stepwell.compiler.dialects.sizes import count_of
from stepwell.compiler.lower.analysis import Analysis, Axis, lanes_of
from stepwell.compiler.lower.blocking import is_in_a_row
from stepwell.compiler.lower.blocks import Blocks
from stepwell.compiler.lower.bodies import Ahead, BodyWriter, Mask, Ready, Spread, masks
from stepwell.compiler.lower.contraction import Contraction, contraction_of, parts_of
from stepwell.compiler.lower.costs import length
from stepwell.compiler.lower.dots import Recipe, Words
from stepwell.compiler.lower.folds import Block
from stepwell.compiler.lower.intervals import ALL, Intervals, row_major
from stepwell.compiler.lower.panels import Panels
from stepwell.compiler.lower.strategies.base import Refusal, Strategy, expanding
from stepwell.compiler.lower.suited import Suited, distance_of
from stepwell.compiler.lower.tile_sums import TileSums
from stepwell.compiler.lower.tiling import NestLoops, Tasks, Tiling, unless_empty
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.dots import TILE_ROW
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.passes.assign_buffers import aligned
from stepwell.runtime.sizes import Size

TOGETHER = 8
"""Panels of the left operand that are packed side by side: what is near is read at one time."""


@final
@dataclass(frozen=True)
class Gemm(Strategy):
    """Tiles of `mr` rows by `nv` vectors of `bytes` bytes.

    A task takes `mc` rows by `nc` lanes; `mc = 0` leaves all to one thread. It goes through blocks
    of `kc` positions of the fold, whole chunks or a part of one, if that is not 0: its tiles keep
    their sums in memory from one block to the next. What is in `pack`, if it may be read before the
    fold, is copied to panels of what a tile takes at a time: all of the `left` operand first, of
    the `right` one each block's panel before the tiles that use it. The right operand is asked for
    `ahead` positions of the fold before it is read; where so many tiles of rows `share` that, as
    all of them use a panel, each asks for a part of the next one, or of what goes there. A tile
    asks for what the one `below` it takes of the `left` operand, and at the `ends` of its sums.
    """

    name: ClassVar[str] = "gemm"
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "pack": ("left", "right"),
        "below": ("left", "ends"),
    }
    bytes: int = 64
    mr: int = 8
    nv: int = 3
    mc: int = 0
    nc: int = 0
    kc: int = 0
    pack: tuple[str, ...] = ()
    ahead: int = 0
    share: int = 0
    below: tuple[str, ...] = ()

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        nests = kernel.nests
        if len(nests) != 1 or kernel.locals:
            return Refusal("it is not one nest")
        found = contraction_of(Analysis(nests[0]))
        return Refusal(found) if isinstance(found, str) else None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        suited = Suited(contraction_in(kernel), machine)
        tile = (suited.mr, suited.nv, *suited.task(), suited.block(), suited.pack())
        return cls(machine.vector_bytes, *tile, suited.ahead(), suited.share(), suited.below())

    def workspace(self, kernel: KernelOp) -> Size:
        return TiledProduct(self, kernel).workspace

    def expand(self, kernel: KernelOp) -> None:
        TiledProduct(self, kernel).expand()


def contraction_in(kernel: KernelOp) -> Contraction:
    found = contraction_of(Analysis(kernel.nests[0]))
    assert not isinstance(found, str)
    return found


@final
class TiledProduct:
    """One kernel under one plan. By a `recipe`, both operands are packed as words."""

    def __init__(self, plan: Gemm, kernel: KernelOp, recipe: Recipe | None = None):
        self.plan = plan
        self.kernel = kernel
        self.contraction = contraction_in(kernel)
        self.analysis = self.contraction.analysis
        self.nest = self.analysis.nest
        self.element = self.contraction.fold.results[0].type
        self.stored = self.element if recipe is None else i32
        self.width = lanes_of((self.element,), plan.bytes)
        self.packs_left = "left" in plan.pack and self.contraction.left.may_pack
        self.packs_right = "right" in plan.pack and self.contraction.right.may_pack
        fold, blocks = self.contraction.fold, self.contraction.blocks(plan.kc)
        axes = self.analysis.axes_of(fold)
        self.blocks = Blocks(blocks, parts_of(fold, axes, blocks))
        steps = {axis.value: Size.of(step) for axis, step in blocks}
        depth = count_of(Size.of(steps.get(axis.value, axis.size)) for axis in axes)
        left, right = self.contraction.left, self.contraction.right
        lanes = self.width * plan.nv
        self.left: Panels | Words
        self.right: Panels | Words
        self.words: tuple[Words, Words] | None = None
        if recipe is None:
            self.left = Panels(self.analysis, left, self.width, plan.mr, self.contraction.depth)
            self.right = Panels(self.analysis, right, self.width, lanes, depth)
        else:
            along = TILE_ROW if recipe.in_tiles else self.width
            of_left = Words(self.analysis, recipe, left, along, plan.mr)
            of_right = Words(self.analysis, recipe, right, self.width, lanes, starts=True)
            self.left, self.right = self.words = of_left, of_right
        self.tasks = self._tasks()
        in_tiles = self.words and self.words[0].recipe.in_tiles
        self.sums = TileSums(*self.words, self._task_rows) if self.words and in_tiles else None

    def expand(self) -> None:
        """Replace the kernel's nest by explicit loops."""
        with expanding(self.kernel) as writer:
            writer.location = self.nest.location
            sizes, ranges = self.nest.sizes.data, self.kernel.symbols.ranges
            unless_empty(writer, sizes, ranges, lambda: self._write(writer))

    def _write(self, writer: Writer) -> None:
        left = None
        if self.packs_left:
            left = self._view(writer, ZERO, self._left_size)
            self._pack_left(writer, left)
        if self.plan.mc:
            # A thread that has several tasks goes through the blocks of the fold but once.
            together = bool(self.blocks.steps) and not self.packs_right
            self.tasks.write(writer, partial(self._task, writer, left), together=together)
        else:
            self._task(writer, left, ALL, 0)

    def _task(
        self, writer: Writer, left: SSAValue | None, intervals: Intervals, number: Bound
    ) -> None:
        """The tiles in the intervals, block by block and panel by panel."""
        panel = None
        if self.packs_right:
            room = writer.multiply(number, self._bytes(self._panel))
            panel = self._view(writer, self._first_panel, self._panel, room)
        if not self.blocks.steps:
            return self._loops(writer, left, panel, intervals).write(intervals)
        sums = self._view(writer, self._bytes(self._left_size), self._sums)

        def block(here: Block) -> None:
            self._loops(writer, left, panel, intervals, here).write(intervals)

        return self.blocks.write(writer, sums, _count_of(self._tiles), self._place_of_sums, block)

    def _loops(
        self,
        writer: Writer,
        left: SSAValue | None,
        right: SSAValue | None,
        intervals: Intervals,
        block: Block | None = None,
    ) -> NestLoops:
        tiling = tiling_by(self.contraction, self.width, self.plan.mr, self.plan.nv)
        part = ALL if block is None else block.intervals

        def fill(bases: Mapping[SSAValue, Bound], masks: Sequence[Mask]) -> None:
            assert right is not None
            self.right.fill(writer, bases, masks, right, part)
            if self.sums is not None and left is not None:
                self.sums.fill(writer, bases, left, self._left_panel, right, intervals)

        ready = list(self._ready(left, right, part, intervals))
        panel, ahead = None if right is None else fill, self._ahead()
        return NestLoops(
            writer, self.analysis, tiling, {}, {}, ready, panel, ahead=ahead, block=block
        )

    def _ahead(self) -> Ahead:
        """What is asked for before it is read: of the next panel the part of a tile's number."""
        plan, fold, terms = self.plan, self.contraction.fold, list[tuple[Size, SSAValue]]()
        distance, lanes = distance_of(self.contraction.right), self.width * plan.nv
        apart = self.packs_right or not is_in_a_row(distance, lanes, plan.bytes // self.width)
        steps, wide = (self.right.size, lanes) if self.packs_right else (plan.ahead, 1)
        if plan.share and (reads := self.contraction.right.reads):
            strides = {axis: reads[0].stride(axis) for axis in fold.axes}
            terms += [(each * wide // plan.share - each, axis) for axis, each in strides.items()]
            part = self.contraction.depth * strides[fold.axes[-1]] * wide // plan.share
            for axis, tile in self._rows:
                terms.append((part // tile, axis.value))
                part = part * ((axis.size + (tile - 1)) // tile)
        sides = {"left": self.contraction.left.reads, "ends": self.contraction.ends}
        below = tuple(access for name in plan.below for access in sides[name])
        return Ahead(fold.axes[-1], steps, tuple(terms), apart, below)

    @property
    def _rows(self) -> list[tuple[Axis, int]]:
        """The axes of rows, and how far a tile goes along each, the one that varies first."""
        rows = self.contraction.rows
        own = [] if rows is None else [(rows, self.plan.mr)]
        return [*own, *((axis, 1) for axis in self.contraction.middle[::-1])]

    def _tasks(self) -> Tasks:
        """Blocks of `mc` rows, over several `middle` positions if those have fewer, and `nc` lanes;
        in whole tiles, for there may be more rows than `mc` was chosen for."""
        contraction = self.contraction
        lanes = self.width * self.plan.nv
        blocks: list[tuple[Axis, int]] = [(contraction.lanes, -(-self.plan.nc // lanes) * lanes)]
        if (columns := contraction.columns) is not None:
            blocks.append((columns, max(1, self.plan.nc // length(contraction.lanes.size))))
        left = self.plan.mc
        for axis, tile in self._rows:
            blocks.append((axis, max(1, -(-left // tile)) * tile))
            left //= max(1, length(axis.size))
        blocks.extend((axis, 1) for axis in contraction.outer[::-1])
        return Tasks(tuple(blocks[::-1]))

    # Memory: panels of all of the left operand, the sums of all tiles between blocks, and one panel
    # of the right operand for each task.

    @property
    def workspace(self) -> Size:
        count = self.tasks.count if self.plan.mc else ONE
        size = self._panel if self.packs_right else ZERO
        return self._first_panel + self._bytes(size) * count

    @property
    def _panel(self) -> Size:
        """Elements of a task's panel of the right operand, with the sums behind it."""
        return self.right.size + (ZERO if self.sums is None else self.sums.size)

    @property
    def _task_rows(self) -> "Extents":
        """The axes of rows, and how many positions of each a task has, in whole tiles."""
        steps = dict(self.tasks.blocks) if self.plan.mc else {}
        whole = [(axis, _whole(axis, tile)) for axis, tile in self._rows[::-1]]
        return [(axis, Size.of(steps.get(axis, size))) for axis, size in whole]

    def _bytes(self, elements: Size) -> Size:
        return aligned(elements * (self.plan.bytes // self.width))

    @property
    def _first_panel(self) -> Size:
        """Where the panels of the tasks begin."""
        return self._bytes(self._left_size) + self._bytes(self._sums)

    @property
    def _sums(self) -> Size:
        """Elements of the sums between blocks."""
        return self.blocks.elements(_count_of(self._tiles))

    @property
    def _left_size(self) -> Size:
        """Elements of all panels of the left operand."""
        return _count_of(self._left_tiles) * self.left.depth if self.packs_left else ZERO

    @property
    def _tiles(self) -> "Extents":
        """The axes of the nest, and how many positions they have in whole tiles."""
        steps = {self.contraction.rows: self.plan.mr, self.contraction.lanes: self.right.length}
        return [(axis, _whole(axis, steps.get(axis, 1))) for axis in self.contraction.axes]

    @property
    def _left_tiles(self) -> "Extents":
        """Those along which the left operand varies, and the rows."""
        left = {self.contraction.rows, *self.contraction.left.axes}
        return [each for each in self._tiles[:-1] if left & {each[0], each[0].value}]

    def _place_of_sums(self, before: Size, body: BodyWriter) -> Bound:
        """Where the sums of a tile begin: those before it have all their rows and lanes."""
        *others, (lanes, count) = self._tiles
        height = ONE if self.contraction.rows is None else Size.of(self.plan.mr)
        terms = row_major(others, body.bases, count)
        return body.writer.affine([(height, body.bases[lanes.value]), *terms], before)

    def _view(self, writer: Writer, first: Size, count: Size, room: Bound = 0) -> SSAValue:
        place = writer.affine([(ONE, room)], first)
        return writer.view(self.kernel.arguments[-1], place, buffer((count,), self.stored))

    def _ready(
        self,
        left: SSAValue | None,
        right: SSAValue | None,
        part: Intervals,
        intervals: Intervals,
    ) -> Iterator[Ready]:
        """What lies in panels: factors, or, of words, what both have come to."""
        if left is not None and isinstance(self.left, Panels):
            load = partial(self._load_left, self.left, left)
            yield Ready(self.left.factor.value, self.left.factor.own, load)
        if right is not None and isinstance(self.right, Panels):
            load = partial(self.right.vectors, right, part, 0, ahead=self.plan.ahead)
            yield Ready(self.right.factor.value, self.right.factor.own, load)
        if self.sums is not None and right is not None:
            yield self.sums.ready(right, intervals)
        elif self.words and left and right:
            of_left, of_right = self.words
            yield of_right.sums(right, of_left, left, self._left_panel)

    # The left operand.

    def _pack_left(self, writer: Writer, panels: SSAValue) -> None:
        rows = self.contraction.rows
        assert rows is not None
        width, mr = self.width, self.plan.mr
        in_rows = isinstance(self.left, Panels) and self.contraction.left.is_contiguous
        several = mr * (TOGETHER if in_rows else 1)
        inside_of = partial(masks, writer, width=width, vectors=-(-mr // width))
        group = [mask for row in range(0, several, mr) for mask in inside_of(row, several)]
        blocks = [(axis, several if axis is rows else 1) for axis, _ in self._left_tiles]

        def task(intervals: Intervals, _: Bound) -> None:
            bases: dict[SSAValue, Bound] = dict.fromkeys(self.nest.axes, 0)
            bases.update((axis, interval.low) for axis, interval in intervals.items())
            low, high = intervals[rows.value].low, intervals[rows.value].high
            whole = writer.round_down(high, several)

            def fill(inside: Sequence[Mask], row: Bound) -> None:
                bases[rows.value] = row
                first = self._left_panel(writer, bases)
                self.left.fill(writer, bases, inside, panels, ALL, first)

            writer.each(low, whole, partial(fill, group), several)
            writer.each(whole, high, lambda row: fill(inside_of(row, high), row), mr)

        Tasks(tuple(blocks)).write(writer, task, parallel=self.plan.mc > 0)

    def _left_panel(self, writer: Writer, bases: Mapping[SSAValue, Bound]) -> Bound:
        """Where the panel of the tile at `bases` begins."""
        return writer.affine(row_major(self._left_tiles, bases, self.left.depth))

    def _load_left(self, left: Panels, panels: SSAValue, body: BodyWriter) -> Spread:
        """One element for each row of the tile."""
        first = self._left_panel(body.writer, body.bases)
        places = [left.place(body, ALL, first, row) for row in range(body.tile.height)]
        values = [body.writer.load(panels, place, self.element) for place in places]
        return body.spread(values, True, False)


Extents = list[tuple[Axis, Size]]


def _whole(axis: Axis, tile: int | Size) -> Size:
    """The positions along an axis, in whole tiles."""
    return (axis.size + (tile - 1)) // tile * tile


def _count_of(extents: Extents) -> Size:
    return count_of(size for _, size in extents)


def tiling_by(contraction: Contraction, width: int, mr: int, nv: int) -> Tiling:
    """Tiles of so many rows and vectors."""
    rows = contraction.rows
    return Tiling(
        contraction.axes,
        width,
        contraction.lanes,
        nv,
        rows,
        1 if rows is None else mr,
        panels=True,
        middle=contraction.middle,
    )
