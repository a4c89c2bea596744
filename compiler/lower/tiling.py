"""A nest as loops over tiles: outer axes, rows, lanes; what is left over gets smaller tiles."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from math import gcd, prod
from typing import final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.sizes import Range
from stepwell.compiler.lower.analysis import Analysis, Axis, divisor
from stepwell.compiler.lower.bodies import Ahead, Mask, Ready, Tile, masks
from stepwell.compiler.lower.folds import Block, NestWriter
from stepwell.compiler.lower.intervals import Interval, Intervals, interval_of
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.runtime.sizes import Size, largest


@dataclass(frozen=True, eq=False)
class Tiling:
    """The shape of a nest's tiles: `vectors` of `width` lanes along one axis, `height` rows along
    another. Without an axis for the lanes there is one scalar position per row, and what a scan
    computes in vectors goes by so many.

    In `panels`, all rows of some vectors come before the next vectors, along the axes `middle` too,
    the last vectors of a row are one tile, and what lies along a fold is read in squares; otherwise
    a row is finished before the next, at the end vector by vector. Squares of a nest without folds
    are as high as a vector is wide. They go in bands of `band` positions of the axis `across`,
    along that first; what is left over goes by single vectors.
    """

    axes: tuple[Axis, ...]
    width: int
    lanes: Axis | None = None
    vectors: int = 1
    rows: Axis | None = None
    height: int = 1
    panels: bool = False
    middle: tuple[Axis, ...] = ()
    band: int = 0
    across: Axis | None = None

    @property
    def outer(self) -> list[Axis]:
        inner = (self.lanes, self.rows, *self.middle)
        return [axis for axis in self.axes if axis not in inner]

    @property
    def block(self) -> int:
        """Positions of a tile along the lanes."""
        return self.width * self.vectors

    def step(self, axis: Axis) -> int:
        """Positions of a tile, or a band, along an axis."""
        if axis is self.across:
            return self.band
        return self.block if axis is self.lanes else self.height if axis is self.rows else 1


@final
@dataclass(eq=False)
class NestLoops:
    """Writes one nest, from the position on that `bases` tells.

    `panel` writes what comes before the tiles of a panel, where that begins. Buffers that are
    `streamed` are written past the caches. Of its fold a nest may take but a `block`.
    """

    writer: Writer
    analysis: Analysis
    tiling: Tiling
    buffers: Mapping[SSAValue, SSAValue]
    bases: Mapping[SSAValue, Bound] = field(default_factory=dict[SSAValue, Bound])
    ready: Sequence[Ready] = ()
    panel: Callable[[Mapping[SSAValue, Bound], tuple[Mask, ...]], None] | None = None
    ahead: Ahead | None = None
    streamed: Container[SSAValue] = ()
    block: Block | None = None

    def __post_init__(self) -> None:
        self._bases = {**dict.fromkeys(self.analysis.nest.axes, 0), **self.bases}
        self._intervals: dict[SSAValue, Interval] = {}

    def write(self, intervals: Intervals) -> None:
        """All positions, along some axes only those of an interval; no axis may be empty."""
        self._intervals = {
            axis.value: interval_of(intervals, axis, self.writer) for axis in self.tiling.axes
        }
        with self.writer.memory():
            self._along(self.tiling.outer, self._tiles)

    def _along(self, axes: Sequence[Axis], inside: Callable[[], None]) -> None:
        """`inside` for every position along the axes."""
        if not axes:
            inside()
            return
        interval = self._intervals[axes[0].value]
        rest = partial(self._along, axes[1:], inside)
        self._each(axes[0].value, interval.low, interval.high, 1, rest)

    def _tiles(self) -> None:
        if self.tiling.panels:
            self._lanes(self._panel)
        elif self.tiling.band:
            self._squares()
        else:
            self._rows(
                lambda height, last: self._lanes(lambda masks: self._tile(masks, height, last))
            )

    def _panel(self, masks: tuple[Mask, ...]) -> None:
        rows = partial(self._rows, partial(self._tile, masks))
        if self.panel is None:
            return self._along(self.tiling.middle, rows)
        self.panel(self._bases, masks)
        with self.writer.memory():
            return self._along(self.tiling.middle, rows)

    def _squares(self) -> None:
        tiling = self.tiling
        assert tiling.rows is not None
        assert tiling.lanes is not None
        rows, lanes = (self._intervals[axis.value] for axis in (tiling.rows, tiling.lanes))
        bottom, right = self._whole(rows, tiling.height), self._whole(lanes, tiling.width)
        square = partial(self._tile, (None,), tiling.height, None)
        ways = [
            (tiling.rows, rows.low, bottom, tiling.height),
            (tiling.lanes, lanes.low, right, tiling.width),
        ]
        (axis, low, high, step), other = sorted(ways, key=lambda way: way[0] is not tiling.across)

        def band() -> None:
            first = self._bases[axis.value]
            end = self.writer.smaller(self.writer.add(first, tiling.band), high)
            across = partial(self._each, axis.value, first, end, step, square)
            self._each(other[0].value, *other[1:], across)

        self._each(axis.value, low, high, tiling.band, band)
        if right is not lanes.high:
            self._strips(rows.low, bottom, right, lanes.high)
        if bottom is not rows.high:
            self._strips(bottom, rows.high, lanes.low, lanes.high)

    def _strips(self, top: Bound, bottom: Bound, left: Bound, right: Bound) -> None:
        """A rectangle, vector by vector."""
        tiling = self.tiling
        assert tiling.rows is not None
        assert tiling.lanes is not None
        lanes = tiling.lanes.value

        def vector() -> None:
            self._tile(masks(self.writer, self._bases[lanes], right, tiling.width, 1), 1, None)

        along = partial(self._each, lanes, left, right, tiling.width, vector)
        self._each(tiling.rows.value, top, bottom, 1, along)

    def _rows(self, inside: Callable[[int, Bound | None], None]) -> None:
        """`inside` for all rows, `height` at a time; of the last tile some rows may be outside."""
        rows, height = self.tiling.rows, self.tiling.height
        if rows is None:
            return inside(1, None)
        axis, interval = rows.value, self._intervals[rows.value]
        low, high, whole = interval.low, interval.high, self._whole(interval, height)
        self._each(axis, low, whole, height, lambda: inside(height, None))
        rest = interval.rest(height)
        if rest == 0:
            return None
        if rest is not None:
            return self._each(axis, whole, high, height, lambda: inside(rest, None))
        if interval.unit % height:
            last = self.writer.add(high, -1)
            self._each(axis, whole, high, height, lambda: inside(height, last))
        return None

    def _lanes(self, inside: Callable[[tuple[Mask, ...]], None]) -> None:
        """`inside` for all lanes, a tile at a time; the masks of the last tile leave some out."""
        lanes, width, block = self.tiling.lanes, self.tiling.width, self.tiling.block
        if lanes is None:
            return inside((None,) * self.tiling.vectors)
        axis, interval = lanes.value, self._intervals[lanes.value]
        low, high, whole = interval.low, interval.high, self._whole(interval, block)
        full: tuple[Mask, ...] = (None,) * self.tiling.vectors
        self._each(axis, low, whole, block, lambda: inside(full))
        rest = interval.rest(block)
        if rest == 0:
            return None
        known = isinstance(whole, int) and isinstance(high, int)
        if rest is not None and (known or self.tiling.panels):
            last = masks(self.writer, 0, rest, width, -(-rest // width))
            return self._each(axis, whole, high, block, lambda: inside(last))
        if interval.unit % width == 0 and not self.tiling.panels:
            return self._each(axis, whole, high, width, lambda: inside((None,)))
        vectors = self.tiling.vectors if self.tiling.panels else 1

        def masked() -> None:
            inside(masks(self.writer, self._bases[axis], high, width, vectors))

        return self._each(axis, whole, high, width * vectors, masked)

    def _whole(self, interval: Interval, tile: int) -> Bound:
        """Where the last full tile ends."""
        if interval.unit % tile == 0:
            return interval.high
        return self.writer.round_down(interval.high, tile)

    def _each(
        self, axis: SSAValue, low: Bound, high: Bound, step: int, inside: Callable[[], None]
    ) -> None:
        def body(index: Bound) -> None:
            self._bases[axis] = index
            inside()

        self.writer.each(low, high, body, step, runs=True)

    def _tile(self, masks: tuple[Mask, ...], height: int, last_row: Bound | None) -> None:
        tiling = self.tiling
        rows = None if tiling.rows is None else tiling.rows.value
        lanes = None if tiling.lanes is None else tiling.lanes.value
        tile = Tile(tiling.width, lanes, masks, rows, height, last_row)
        bases = self._bases
        body = NestWriter(self.writer, self.analysis, tile, bases, self.buffers, self.ready)
        body.ahead, body.streamed, body.block = self.ahead, self.streamed, self.block
        body.turns = tiling.panels
        body.write_nest()


@dataclass(frozen=True, eq=False)
class Tasks:
    """How a nest is shared: a task is a block of each of these axes, the last one varying first.
    Axes have `least` positions or more; one that is empty is a block, too."""

    blocks: tuple[tuple[Axis, int], ...]
    least: int = 1

    @property
    def count(self) -> Size:
        return prod(self._counts, start=ONE)

    @property
    def _counts(self) -> list[Size]:
        counts = [(axis.size + (n - 1)) // n for axis, n in self.blocks]
        return counts if self.least else [largest(each, 1) for each in counts]

    def write(
        self,
        writer: Writer,
        inside: Callable[[Intervals, Bound], None],
        *,
        parallel: bool = True,
        together: bool = False,
    ) -> None:
        """`inside` for every task, with the positions it takes and its number. Tasks that a thread
        takes `together` are one, with the first one's number, if they follow along one axis."""
        cuts = [each for each, count in zip(self.blocks, self._counts, strict=True) if count != ONE]
        if together and len(cuts) == 1:
            return self._write_ranges(writer, *cuts[0], inside)
        total = reduce(writer.product, map(writer.extent, self._counts))

        def task(index: Bound) -> None:
            places = writer.unravel(index, self._counts)
            intervals = {
                axis.value: cut(writer, place, axis.size, block, self.least)
                for (axis, block), place in zip(self.blocks, places, strict=True)
            }
            inside(intervals, index)

        if parallel:
            return writer.parallel(total, task)
        return writer.each(0, total, task, runs=True)

    def _write_ranges(
        self, writer: Writer, axis: Axis, block: int, inside: Callable[[Intervals, Bound], None]
    ) -> None:
        def task(first: Bound, behind: Bound) -> None:
            inside({axis.value: cut(writer, first, axis.size, block, self.least, behind)}, first)

        writer.ranges(writer.extent(self.count), task)


def unless_empty(
    writer: Writer, sizes: Sequence[Size], ranges: Mapping[str, Range], inside: Callable[[], None]
) -> None:
    """The code, guarded where one of the sizes may be zero: then there is nothing to do."""
    if any(size.static == 0 for size in sizes):
        return
    doubtful = [size for size in sizes if not (size.bounds(ranges)[0] or 0) > 0]
    if not doubtful:
        inside()
        return
    some = [writer.compare("gt", writer.extent(size), 0) for size in doubtful]
    writer.branch(writer.all_of(some), inside, lambda: None)


def cut(
    writer: Writer, task: Bound, size: Size, block: int, least: int = 1, behind: Bound | None = None
) -> Interval:
    """The positions of a task that takes `block` of an axis, which has at least so many; or of all
    from it to before the one that is `behind`."""
    low = writer.multiply(task, block)
    unit = divisor(size)
    high = writer.add(low, block) if behind is None else writer.multiply(behind, block)
    if unit % block or (size.static is None and least == 0):
        high = writer.smaller(high, writer.extent(size))
    return Interval(low, high, gcd(unit, block), size)
