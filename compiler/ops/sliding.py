"""Windows that slide along an axis: where they stand, and which of their positions are padding."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.compiler.dialects.sizes import Shape
from stepwell.compiler.ops.base import concrete, expect, refusal
from stepwell.compiler.ops.emission import Inferring
from stepwell.compiler.ops.indices import ZERO, Index
from stepwell.compiler.ops.movement import spread
from stepwell.compiler.ops.scalars import Scalar, Scalars
from stepwell.compiler.ops.value import Value, full
from stepwell.runtime.sizes import Size, largest


@dataclass(frozen=True)
class Sliding:
    """`size` positions, `dilation` elements apart, moved on by `stride` elements at a time.

    The axis has `low` positions of padding before it and `high` behind it; of a negative number so
    many elements are left out.
    """

    size: Size
    stride: int
    low: Size
    high: Size
    dilation: int = 1

    @property
    def extent(self) -> Size:
        """The elements from the first position to the last one."""
        return spread(self.size, self.dilation - 1)

    def count(self, length: Size) -> Size:
        """How often the window fits on an axis of this length."""
        room = length + self.low + self.high - self.extent
        return largest(room // self.stride + 1, ZERO)

    def index(self, at: Index, position: Index) -> Index:
        """The element at a position of the window that stands at `at`; padding lies outside."""
        return at * self.stride + position * self.dilation - self.low

    def mirrored(self, length: Size) -> "Sliding":
        """What goes back: over the windows, `stride` apart, that hold an element of the axis."""
        windows = spread(self.count(length), self.stride - 1)
        low = self.extent - 1 - self.low
        return Sliding(self.size, 1, low, length - windows + self.low, self.dilation)

    def overlap(self, position: int, length: int, count: int) -> tuple[slice, slice]:
        """The windows, of so many, that have an element at this position; and those elements."""
        (low,) = concrete((self.low,))
        shift = position * self.dilation - low
        first = max(0, -(shift // self.stride))
        last = max(first, min(count, (length - 1 - shift) // self.stride + 1))
        start = first * self.stride + shift
        return slice(first, last), slice(start, start + (last - first) * self.stride, self.stride)


def overlaps(
    windows: Sequence[Sliding], taps: Sequence[int], shape: Sequence[int], counts: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """For a position of the window, the windows that have an element there, and these elements."""
    axes = zip(windows, taps, shape, counts, strict=True)
    pairs = [each.overlap(tap, length, count) for each, tap, length, count in axes]
    return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


def slidings(
    sizes: Shape, stride: Sequence[int], low: Shape, high: Shape, dilation: Sequence[int] = ()
) -> list[Sliding]:
    """One for each axis."""
    apart = tuple(dilation) or (1,) * len(sizes)
    return [Sliding(*each) for each in zip(sizes, stride, low, high, apart, strict=True)]


def expect_sliding(op: type[Inferring], rank: int, *parameters: Sequence[object]) -> None:
    """Checks that each parameter has an entry for each axis, and that the steps are positive."""
    if any(len(each) != rank for each in parameters):
        raise refusal(op, f"the parameters do not all have {rank} entries, one for each axis")
    steps = [entry for each in parameters for entry in each if isinstance(entry, int)]
    expect(all(step > 0 for step in steps), op, "a stride or a dilation is not positive")


def spread_out(x: Value, stride: Sequence[int]) -> Value:
    """The elements `stride` apart along each axis, with zeros between them."""
    none = (ZERO,) * x.rank
    interior = [step - 1 for step in stride]
    return x.pad(full(0, x.dtype), none, none, interior) if any(interior) else x


def all_inside(s: Scalars, index: Sequence[Index], shape: Shape) -> Scalar | None:
    """Whether an index lies in a shape; None where that always holds."""
    return s.all_of(s.inside(each, size) for each, size in zip(index, shape, strict=True))
