"""What a key such as `x[1:, ..., None, i]` picks, by NumPy's rules, before any op is written."""

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias, cast, final

import numpy as np

from stepwell.compiler.dialects.sizes import Range, Shape, shape_text
from stepwell.places import user_line
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size, at_most, largest, proposal, smallest
from stepwell.settings import integer

Extent: TypeAlias = int | Size
Key: TypeAlias = tuple[Any, ...]
ZERO, ONE = Size.of(0), Size.of(1)


@final
@dataclass(frozen=True)
class AxisSlice:
    """Elements `start + i * step` of an axis, for i below `count`; backwards when `reverse`."""

    start: Size
    count: Size
    step: int = 1
    reverse: bool = False


@final
@dataclass(frozen=True)
class Selection:
    """What a key picks: first a slice of every axis, then, along some axes, what arrays say."""

    slices: tuple[AxisSlice, ...]
    layout: tuple[int | None, ...]
    """The axes of the result before arrays are applied: axes of the operand, None for a new one."""
    arrays: tuple[tuple[int, Any], ...] = ()
    """Axes of the operand and the index arrays along them."""
    apart: bool = False
    """Whether something stands between the arrays: their axes then come first in the result."""

    @property
    def shape(self) -> Shape:
        """The sizes of `layout`."""
        return tuple(ONE if axis is None else self.slices[axis].count for axis in self.layout)

    def whole(self, shape: Shape) -> bool:
        """Whether the slices take all of an array of this shape."""
        return all(each == AxisSlice(ZERO, n) for each, n in zip(self.slices, shape, strict=True))


def parse(key: object, shape: Shape, ranges: Mapping[str, Range]) -> Selection:
    """Reads a key for an array of this shape.

    Raises CompileError for a key that is out of range, or may be for some sizes in `ranges`.
    """
    parts = _expanded(cast(Key, key) if isinstance(key, tuple) else (key,), len(shape))
    slices: list[AxisSlice] = []
    layout: list[int | None] = []
    arrays: list[tuple[int, Any]] = []
    places: list[int] = []
    for place, part in enumerate(parts):
        axis = len(slices)
        if part is None:
            layout.append(None)
        elif _is_slice(part):
            slices.append(_slice(part, shape[axis], ranges))
            layout.append(axis)
        elif _is_number(part):
            slices.append(_number(part, axis, shape, ranges))
            places.append(place)
        else:
            slices.append(AxisSlice(ZERO, shape[axis]))
            layout.append(axis)
            arrays.append((axis, part))
            places.append(place)
    apart = bool(arrays) and places[-1] - places[0] + 1 != len(places)
    return Selection(tuple(slices), tuple(layout), tuple(arrays), apart)


def _is_slice(part: object) -> bool:
    return isinstance(part, slice)


def _is_number(part: object) -> bool:
    """Whether a part of a key is a number that is known now."""
    if isinstance(part, np.ndarray):
        known = cast("np.ndarray[Any, np.dtype[Any]]", part)
        return known.ndim == 0 and known.dtype.kind in "iu"
    return isinstance(part, int | np.integer | Size) and not isinstance(part, bool)


def _expanded(key: Key, rank: int) -> list[Any]:
    """The parts of a key with full slices for `...` and for the axes that it leaves out."""
    for part in key:
        _expect_index(part)
    taken = sum(1 for part in key if part is not None and part is not Ellipsis)
    dots = [place for place, part in enumerate(key) if part is Ellipsis]
    if len(dots) > 1 or taken > rank:
        why = "more than one `...`" if len(dots) > 1 else f"{taken} indices for {rank} axes"
        raise CompileError("SW0120", f"the key of an array has {why}", where=user_line())
    filler = [slice(None)] * (rank - taken)
    at = dots[0] if dots else len(key)
    return [*key[:at], *filler, *key[at + 1 :]]


def _expect_index(part: Any) -> None:
    listed = isinstance(part, bool | list)
    dtype: Any = np.asarray(cast(Any, part)).dtype if listed else getattr(part, "dtype", None)
    if dtype is not None and dtype == "bool":
        raise CompileError(
            "SW0121",
            "an array of booleans as an index gives a shape that depends on its values",
            hint="use where(mask, x, 0), or multiply by the mask",
            where=user_line(),
        )
    if isinstance(part, float | str | np.floating):
        sentence = f"the key of an array has the index {part!r}"
        raise CompileError("SW0120", sentence, where=user_line())


def _slice(given: Any, size: Size, ranges: Mapping[str, Range]) -> AxisSlice:
    step = 1 if given.step is None else operator.index(given.step)
    if step == 0:
        sentence = "the key of an array has a slice with step 0"
        raise CompileError("SW0120", sentence, where=user_line())
    if step < 0:
        return _backwards(given, -step, size, ranges)
    start = _end(given.start, ZERO, size, ZERO, size, ranges)
    stop = _end(given.stop, size, size, ZERO, size, ranges)
    return AxisSlice(start, _steps(stop - start, step, ranges), step)


def _backwards(given: Any, step: int, size: Size, ranges: Mapping[str, Range]) -> AxisSlice:
    low, high = Size.of(-1), size - 1
    first = _end(given.start, high, size, low, high, ranges)
    stop = _end(given.stop, low, size, low, high, ranges)
    count = _steps(first - stop, step, ranges)
    last = first - (count - 1) * step
    return AxisSlice(ZERO if count == ZERO else last, count, step, reverse=True)


def _end(
    given: Any, default: Size, size: Size, low: Size, high: Size, ranges: Mapping[str, Range]
) -> Size:
    """An end of a slice: from the back where it is negative, and never out of the array."""
    if given is None:
        return default
    end = Size.of(given)
    end = end + size if at_most(end, Size.of(-1), ranges) else end
    return _most(low, _least(end, high, ranges), ranges)


def _steps(length: Size, step: int, ranges: Mapping[str, Range]) -> Size:
    return _most(ZERO, length + (step - 1), ranges) // step


def _least(a: Size, b: Size, ranges: Mapping[str, Range]) -> Size:
    if at_most(a, b, ranges):
        return a
    return b if at_most(b, a, ranges) else smallest(a, b)


def _most(a: Size, b: Size, ranges: Mapping[str, Range]) -> Size:
    if at_most(a, b, ranges):
        return b
    return a if at_most(b, a, ranges) else largest(a, b)


def _number(given: Any, axis: int, shape: Shape, ranges: Mapping[str, Range]) -> AxisSlice:
    index, size = Size.of(given), shape[axis]
    from_back = at_most(index, Size.of(-1), ranges)
    place = index + size if from_back else index
    for low, high in ((ZERO, place), (place + 1, size)):
        if not at_most(low, high, ranges):
            _refuse_number(given, axis, shape, proposal(low, high, ranges, at_most, True))
    return AxisSlice(place, ONE)


def _refuse_number(given: Any, axis: int, shape: Shape, cure: str | None) -> NoReturn:
    may = "may be" if shape[axis].static is None else "is"
    raise CompileError(
        "SW0122",
        f"index {given} {may} out of range for axis {axis} of the shape {shape_text(shape)}",
        hint=f"give the size its range in the spec: {cure}" if cure else None,
        where=user_line(),
    )


def normal_axes(axis: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Axes counted from the front, in order; None is all. Raises CompileError (SW0123)."""
    if axis is None:
        return tuple(range(rank))
    given = list(axis) if isinstance(axis, Sequence) else [axis]
    return tuple(sorted(_distinct(given, rank)))


def _distinct(axes: Sequence[int], rank: int) -> Iterator[int]:
    seen: set[int] = set()
    for axis in axes:
        place = normal_axis(axis, rank)
        if place in seen:
            sentence = f"axis {axis} is given twice"
            raise CompileError("SW0123", sentence, where=user_line())
        seen.add(place)
        yield place


def normal_axis(axis: int, rank: int) -> int:
    """An axis counted from the front. Raises CompileError (SW0123, SW0160)."""
    if type(axis) is not int:
        axis = integer(axis, "an axis")
    if not -rank <= axis < rank:
        sentence = f"axis {axis} is not one of an array with {rank} axes"
        raise CompileError("SW0123", sentence, where=user_line())
    return axis % rank
