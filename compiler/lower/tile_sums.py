"""Sums of products by tiles: those of all rows of a task, for the lanes of one panel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import final

from xdsl.dialects.builtin import StringAttr, i32
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import vector
from stepwell.compiler.dialects.loop.explicit import TILE_LANES, DotTilesOp
from stepwell.compiler.lower.analysis import Axis
from stepwell.compiler.lower.bodies import BodyWriter, Ready, Spread
from stepwell.compiler.lower.dots import Bases, Words
from stepwell.compiler.lower.intervals import Intervals, interval_of, row_major
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.runtime.sizes import Size

TILE_ROWS = 16
TILES = (TILE_ROWS, 2)
"""Rows of a tile, and vectors of a panel."""


@final
@dataclass(frozen=True, eq=False)
class TileSums:
    """They lie behind the words of the `right` factor's panel: for each position along the axes of
    rows, of which a task has so many in whole tiles, the lanes of a panel. The last axis is that of
    a tile's rows."""

    left: Words
    right: Words
    rows: Sequence[tuple[Axis, Size]]

    @property
    def size(self) -> Size:
        return prod((size for _, size in self.rows), start=Size.of(TILE_LANES))

    def fill(
        self,
        writer: Writer,
        bases: Bases,
        left: SSAValue,
        begin: Callable[[Writer, Bases], Bound],
        panel: SSAValue,
        intervals: Intervals,
    ) -> None:
        """The products of a task's rows, which `begin` somewhere in the `left` panels, with the
        panel of the lanes at `bases`."""
        right, source, here = self.right, self.right.source, dict(bases)
        value, extent = writer.value, writer.extent
        *outer, (rows, _) = self.rows
        interval = interval_of(intervals, rows, writer)
        count = writer.add(writer.subtract(interval.high, interval.low), TILE_ROWS - 1)

        def multiply() -> None:
            place = 0 if source is None else right.place_of(writer, source, here, 0, 0)
            operands = (
                left,
                value(begin(writer, here)),
                value(extent(self.left.depth)),
                panel if source is None else source.buffer,
                value(place),
                panel,
                value(self._place(writer, here, intervals)),
                value(writer.round_down(count, TILE_ROWS)),
                value(extent(right.fold.size // right.group)),
            )
            properties = {"instruction": StringAttr(right.recipe.dot.name)}
            writer.effect(DotTilesOp, operands, (), properties)

        def along(axes: Sequence[tuple[Axis, Size]]) -> None:
            if not axes:
                return multiply()
            (axis, _), *rest = axes

            def at(index: Bound) -> None:
                here[axis.value] = index
                along(rest)

            part = interval_of(intervals, axis, writer)
            return writer.each(part.low, part.high, at)

        here[rows.value] = interval.low
        along(outer)

    def ready(self, panel: SSAValue, intervals: Intervals) -> Ready:
        """The sums of tiles."""
        type = vector(i32, self.right.width)

        def of_tile(body: BodyWriter) -> Spread:
            writer, first = body.writer, self._place(body.writer, body.bases, intervals)
            places = [
                writer.affine([(ONE, first)], Size.of(row * TILE_LANES + column * self.right.width))
                for row, column in body.copies(rows=True, lanes=True)
            ]
            values = [writer.load(panel, place, type) for place in places]
            return body.spread(values, rows=True, lanes=True)

        fold = self.right.factor.fold
        return Ready(fold.results[0], frozenset((fold,)), cache(of_tile))

    def _place(self, writer: Writer, bases: Bases, intervals: Intervals) -> Bound:
        """Where the sums of a row begin."""
        terms = row_major(self.rows, bases, Size.of(TILE_LANES), intervals)
        return writer.affine(terms, self.right.size)
