"""Parts of axes: which positions of a nest or a fold are taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.ir import SSAValue

from stepwell.compiler.lower.analysis import Axis, divisor
from stepwell.compiler.lower.writer import ONE, Bound, Term, Writer
from stepwell.runtime.sizes import Size


@dataclass(frozen=True)
class Interval:
    """Positions of an axis of some size: from `low`, a multiple of every tile, to `high`, another
    one or the end. `unit` divides their number."""

    low: Bound
    high: Bound
    unit: int
    size: Size

    @staticmethod
    def whole(writer: Writer, size: Size) -> "Interval":
        return Interval(0, writer.extent(size), divisor(size), size)

    def rest(self, tile: int) -> int | None:
        """Positions behind the last whole tile; None if their number is not known."""
        return None if self.size.static is None else self.size.static % tile


Intervals = Mapping[SSAValue, Interval]
"""The positions to take along some axes; along the others, all."""
ALL: Intervals = {}


def interval_of(intervals: Intervals, axis: Axis, writer: Writer) -> Interval:
    """The positions to take along an axis."""
    return intervals.get(axis.value) or Interval.whole(writer, axis.size)


def row_major(
    extents: Sequence[tuple[Axis, Size]],
    bases: Mapping[SSAValue, Bound],
    stride: Size = ONE,
    part: Intervals = ALL,
) -> list[Term]:
    """The terms of the place of `bases` among positions in row-major order: along axes of these
    sizes, or in a part of each that begins further on, with `stride` elements for a position."""
    terms: list[Term] = []
    for axis, size in reversed(extents):
        terms.append((stride, bases[axis.value]))
        if (some := part.get(axis.value)) is not None:
            terms.append((-stride, some.low))
        stride = stride * size
    return terms
