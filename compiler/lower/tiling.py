"""A nest as loops over tiles: outer axes, rows, lanes; what is left over gets smaller tiles."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import final

from stepwell.compiler.dialects.sizes import Range
from stepwell.compiler.lower.analysis import Analysis, Axis, divisor
from stepwell.compiler.lower.bodies import Mask, Tile
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.writer import Bound, Writer
from stepwell.compiler.ops.functions import comparison
from stepwell.runtime.sizes import Size
from xdsl.dialects import arith
from xdsl.dialects.builtin import i1
from xdsl.ir import SSAValue


@dataclass(frozen=True, eq=False)
class Tiling:
    """The shape of a nest's tiles: `vectors` of `width` lanes along one axis, `height` rows along
    another. Without an axis for the lanes there is one scalar position per row."""

    axes: tuple[Axis, ...]
    width: int
    lanes: Axis | None = None
    vectors: int = 1
    rows: Axis | None = None
    height: int = 1

    @property
    def outer(self) -> list[Axis]:
        return [axis for axis in self.axes if axis not in (self.lanes, self.rows)]

    @property
    def block(self) -> int:
        """Positions of a tile along the lanes."""
        return self.width * self.vectors


@dataclass(frozen=True)
class Interval:
    """Positions of an axis: from `low`, a multiple of every tile, to `high`. `unit` divides their
    number."""

    low: Bound
    high: Bound
    unit: int

    @staticmethod
    def whole(writer: Writer, size: Size) -> "Interval":
        return Interval(0, writer.extent(size), divisor(size))


@final
class NestLoops:
    """Writes one nest."""

    def __init__(
        self,
        writer: Writer,
        analysis: Analysis,
        tiling: Tiling,
        buffers: Mapping[SSAValue, SSAValue],
        bases: Mapping[SSAValue, Bound] | None = None,
    ):
        self._writer = writer
        self._analysis = analysis
        self._tiling = tiling
        self._buffers = buffers
        self._bases: dict[SSAValue, Bound] = dict.fromkeys(analysis.nest.axes, 0)
        self._bases.update(bases or {})
        self._intervals: dict[SSAValue, Interval] = {}

    def write(self, intervals: Mapping[SSAValue, Interval]) -> None:
        """All positions, along some axes only those of an interval; no axis may be empty."""
        self._intervals = {
            axis.value: intervals.get(axis.value) or Interval.whole(self._writer, axis.size)
            for axis in self._tiling.axes
        }
        with self._writer.memory():
            self._outer(self._tiling.outer)

    def _outer(self, axes: Sequence[Axis]) -> None:
        if not axes:
            return self._rows()
        axis = axes[0].value
        interval = self._intervals[axis]

        def inside() -> None:
            self._outer(axes[1:])

        return self._each(axis, interval.low, interval.high, 1, inside)

    def _rows(self) -> None:
        rows, height = self._tiling.rows, self._tiling.height
        if rows is None:
            return self._lanes(1)
        interval = self._intervals[rows.value]
        whole = self._whole(interval, height)
        self._each(rows.value, interval.low, whole, height, lambda: self._lanes(height))
        if isinstance(whole, int) and isinstance(interval.high, int):
            rest = interval.high - whole
            return self._each(rows.value, whole, interval.high, height, lambda: self._lanes(rest))
        if interval.unit % height:
            self._each(rows.value, whole, interval.high, 1, lambda: self._lanes(1))
        return None

    def _lanes(self, height: int) -> None:
        lanes, width, vectors = self._tiling.lanes, self._tiling.width, self._tiling.vectors
        if lanes is None:
            return self._tile(height, (None,))
        axis, interval = lanes.value, self._intervals[lanes.value]
        high = interval.high
        whole = self._whole(interval, self._tiling.block)
        full: tuple[Mask, ...] = (None,) * vectors
        self._each(axis, interval.low, whole, self._tiling.block, lambda: self._tile(height, full))
        if isinstance(whole, int) and isinstance(high, int):
            if whole < high:
                self._bases[axis] = whole
                self._tile(height, self._last_masks(whole, high))
        elif interval.unit % self._tiling.block:
            masked = interval.unit % width != 0

            def rest() -> None:
                mask = self._writer.mask(self._bases[axis], high, width) if masked else None
                self._tile(height, (mask,))

            self._each(axis, whole, high, width, rest)
        return None

    def _whole(self, interval: Interval, tile: int) -> Bound:
        """Where the last full tile ends."""
        if interval.unit % tile == 0:
            return interval.high
        return self._writer.round_down(interval.high, tile)

    def _last_masks(self, low: int, high: int) -> tuple[Mask, ...]:
        width = self._tiling.width
        return tuple(
            None if first + width <= high else self._writer.mask(first, high, width)
            for first in range(low, high, width)
        )

    def _each(
        self, axis: SSAValue, low: Bound, high: Bound, step: int, inside: Callable[[], None]
    ) -> None:
        def body(index: Bound, _: Sequence[SSAValue]) -> Sequence[SSAValue]:
            self._bases[axis] = index
            inside()
            return ()

        self._writer.loop(low, high, step, (), body, runs=True)

    def _tile(self, height: int, masks: tuple[Mask, ...]) -> None:
        tiling = self._tiling
        rows = None if tiling.rows is None else tiling.rows.value
        lanes = None if tiling.lanes is None else tiling.lanes.value
        tile = Tile(tiling.width, lanes, masks, rows, height)
        body = NestWriter(self._writer, self._analysis, tile, self._bases, self._buffers)
        body.write(self._analysis.nest.body.block)


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
    kind, properties = comparison("gt", "index")
    zero = writer.value(0)
    conditions = [
        writer.pure(kind, (writer.value(writer.extent(size)), zero), i1, dict(properties))
        for size in doubtful
    ]
    condition = reduce(lambda a, b: writer.pure(arith.AndIOp, (a, b), i1), conditions)

    def then() -> Sequence[SSAValue]:
        inside()
        return ()

    writer.branch(condition, then, lambda: ())


def cut(writer: Writer, task: Bound, size: Size, block: int) -> Interval:
    """The positions of a task that takes `block` of an axis."""
    low = writer.multiply(task, block)
    unit = divisor(size)
    high = writer.add(low, block)
    if unit % block:
        high = writer.smaller(high, writer.extent(size))
    return Interval(low, high, gcd(unit, block))
