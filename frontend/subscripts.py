"""Reading `x[key]`, and `x.at[key]`, which gives arrays that differ from x there."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, Self, TypeVar, final

import numpy as np

from stepwell.broadcasting import broadcast_shapes
from stepwell.compiler.dialects.nd import INTEGERS, is_float
from stepwell.compiler.dialects.sizes import count_of
from stepwell.compiler.ops.movement import spread
from stepwell.indexing import ONE, ZERO, Selection, parse
from stepwell.methods import Methods
from stepwell.places import user_line
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size
from stepwell.trace import known_ranges


class Subscripts(Methods, abc.ABC):
    """Basic indexing, and indexing with arrays of integers. There are no views."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def traced(self) -> bool:
        """Whether the value is not known yet."""

    @property
    @abc.abstractmethod
    def value(self) -> Any:
        """The value in NumPy, where it is known."""

    def __getitem__(self, key: Any) -> Self:
        """NumPy's rules. Known indices are checked; others are moved into range when it runs."""
        selection = parse(key, self.sizes, known_ranges())
        picked = self._sliced(selection)
        return picked._gathered(selection) if selection.arrays else picked

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise CompileError(
            "SW0143",
            "an array never changes",
            hint="write x = x.at[key].set(value)",
            where=user_line(),
        )

    @property
    def at(self) -> "At[Self]":
        """`x.at[key].set(v)` and `x.at[key].add(v)`: x, but for what the key picks."""
        return At(self)

    def _sliced(self, selection: Selection) -> Self:
        x, parts = self, selection.slices
        if not selection.whole(self.sizes):
            start, shape = tuple(p.start for p in parts), tuple(p.count for p in parts)
            x = self._apply("slice", x, start=start, shape=shape, step=tuple(p.step for p in parts))
        return self._reversed(x, selection).reshape(selection.shape)

    def _reversed(self, x: Self, selection: Selection) -> Self:
        axes = tuple(axis for axis, part in enumerate(selection.slices) if part.reverse)
        return self._apply("reverse", x, axes=axes) if axes else x

    def _gathered(self, selection: Selection) -> Self:
        """What the index arrays pick of an array that is already sliced."""
        axes, rest = _split_axes(selection)
        given = [each for _, each in selection.arrays]
        moved, indices = self._rows(axes, rest, given, move=len(given) > 1)
        rows = self._apply("gather", moved, indices, batch=0)
        if selection.apart:
            return rows
        before = sum(1 for axis in rest if axis < axes[0])
        front, count = indices.ndim, rows.ndim
        middle = range(front, front + before)
        return rows.transpose([*middle, *range(front), *range(front + before, count)])

    def _rows(
        self, axes: list[int], rest: list[int], given: list[Any], *, move: bool
    ) -> tuple[Self, Self]:
        """The indexed axes as one in front, and one array of indices into that.

        It is -1 where one of several indices that are not known is out of range, unless they are
        to be moved.
        """
        places = [self.inside(each, axis) for each, axis in zip(given, axes, strict=True)]
        if move:
            places = [self._moved(place, axis) for place, axis in zip(places, axes, strict=True)]
        shape = broadcast_shapes(*(place.sizes for place in places))
        linear = self._broadcast(places[0], shape)
        for axis, place in zip(axes[1:], places[1:], strict=True):
            linear = linear * self.shape[axis] + self._broadcast(place, shape)
        unknown = [pair for pair in zip(places, axes, strict=True) if pair[0].traced]
        for place, axis in unknown if len(places) > 1 and not move else ():
            there = self._broadcast((place >= 0) & (place < self.shape[axis]), shape)
            linear = self._where(there, linear, -1)
        moved = self.transpose([*axes, *rest])
        length = count_of(self.sizes[axis] for axis in axes)
        return moved.reshape((length, *moved.sizes[len(axes) :])), linear

    def _moved(self, place: Self, axis: int) -> Self:
        """Indices that are not known moved into the axis."""
        if not place.traced:
            return place
        return self._elementwise("min", self._elementwise("max", place, 0), self.shape[axis] - 1)

    def inside(self, given: Any, axis: int) -> Self:
        """Indices along an axis, counted from the front; known ones are checked."""
        indices, size = self._array(given), self.sizes[axis]
        if indices.dtype not in INTEGERS:
            raise CompileError(
                "SW0120",
                f"the key of an array has an index array of {indices.dtype}",
                hint="convert it with .astype('i64')",
                where=user_line(),
            )
        if not indices.traced and size.static is not None:
            return self._array(_checked(indices.value, size.static, axis))
        wide = indices.astype("i64")
        return wide if indices.dtype == "u8" else wide + self._where(wide < 0, size, 0)

    # Writing.

    def replaced(self, key: Any, value: Any, accumulate: bool) -> Self:
        """This array with a value, or the sum with it, at a key: what `at` stands for."""
        if getattr(key, "dtype", None) == "bool" and self._array(key).sizes == self.sizes:
            given = self._broadcast(self._array(value, self.dtype), self.sizes)
            return self._where(self._array(key), self + given if accumulate else given, self)
        selection = parse(key, self.sizes, known_ranges())
        update = self._array(value, self.dtype)
        points = self._points(selection)
        if len(points) == len(selection.arrays):
            sizes = zip(selection.layout, selection.shape, strict=True)
            shape = tuple(size for axis, size in sizes if axis not in points)
            target = self[key] + update if accumulate else update
            return self._overlaid(self._broadcast(target, shape), selection, points)
        part = self._sliced(selection)
        changed = part._scattered(update, selection, accumulate)
        return changed if part is self else self._overlaid(changed, selection, {})

    def _points(self, selection: Selection) -> dict[int, Self]:
        """The axes of which one element is picked by an index that is not known yet."""
        given = [(axis, self._array(index)) for axis, index in selection.arrays]
        single = all(part.step == 1 for part in selection.slices)
        return {
            axis: self.inside(index, axis) for axis, index in given if single and index.ndim == 0
        }

    def _overlaid(self, update: Self, selection: Selection, points: Mapping[int, Self]) -> Self:
        """This array with an update where the selection's slices lie, and at the points."""
        parts = list(enumerate(selection.slices))
        counts = tuple(ONE if axis in points else part.count for axis, part in parts)
        inner = self._reversed(update.reshape(counts), selection)
        if selection.whole(self.sizes) and not points:
            return inner
        if any(part.step != 1 for _, part in parts):
            return self._interleaved(inner, selection)
        starts = [
            points[axis] if axis in points else self._array(part.start).astype("i64")
            for axis, part in parts
        ]
        return self._apply("dynamic_update_slice", self, inner, *starts)

    def _interleaved(self, update: Self, selection: Selection) -> Self:
        """This array with an update at every so many elements."""
        parts = selection.slices
        counts, low = tuple(p.count for p in parts), tuple(p.start for p in parts)
        interior = tuple(part.step - 1 for part in parts)
        high = tuple(
            size - start - spread(count, between)
            for size, start, count, between in zip(self.sizes, low, counts, interior, strict=True)
        )
        places = {"low": low, "high": high, "interior": interior}
        zero, true, false = self._array(0).astype(self.dtype), self._array(True), self._array(False)
        spread_out = self._apply("pad", update, zero, **places)
        covered = self._apply("pad", self._broadcast(true, counts), false, **places)
        return self._apply("select", covered, spread_out, self)

    def _scattered(self, update: Self, selection: Selection, accumulate: bool) -> Self:
        """This array, already sliced, with an update where index arrays point."""
        axes, rest = _split_axes(selection)
        given = [each for _, each in selection.arrays]
        moved, indices = self._rows(axes, rest, given, move=False)
        before = 0 if selection.apart else sum(1 for axis in rest if axis < axes[0])
        wanted = self._gathered(selection).sizes
        rows = self._broadcast(update, wanted)
        front = range(before, before + indices.ndim)
        rows = rows.transpose([*front, *(axis for axis in range(rows.ndim) if axis not in front)])
        changed = moved._added(indices, rows) if accumulate else moved._replaced(indices, rows)
        back = changed.reshape([self.sizes[axis] for axis in (*axes, *rest)])
        order = [*axes, *rest]
        return back.transpose([order.index(axis) for axis in range(len(order))])

    def _added(self, indices: Self, rows: Self) -> Self:
        """This array with rows added at indices along axis 0; those out of range are dropped."""
        return self._apply("scatter_add", self, indices, rows, batch=0)

    def _replaced(self, indices: Self, rows: Self) -> Self:
        """This array with rows at indices along axis 0, where the last of several stays."""
        if self.dtype == "bool":
            return self.astype("u8")._replaced(indices, rows.astype("u8")).astype("bool")
        places, order = indices.flatten()._last_of_each(self.sizes[0])
        flat = rows.reshape((*places.sizes, *self.sizes[1:]))
        flat = self._apply("gather", flat, order, batch=0)
        ones = self._broadcast(self._array(1), places.sizes)
        counts = self._broadcast(self._array(0), self.sizes[:1])._added(places, ones)
        hit = (counts > 0).reshape([*self.sizes[:1], *(1 for _ in self.sizes[1:])])
        nothing = self._array(-0.0 if is_float(self.dtype) else 0)
        return self._where(hit, nothing.astype(self.dtype), self)._added(places, flat)

    def _last_of_each(self, size: Size) -> tuple[Self, Self]:
        """Indices into an axis of this size, sorted, and where they came from.

        All but the last of equal ones lie outside of the axis.
        """
        number = self._apply("iota", shape=self.sizes, axis=0, dtype="i64")
        ordered, order = self._apply_all("sort", self, number, axis=0)
        end = self._array(size).astype("i64")
        longer = self._apply("pad", ordered, end, low=(ZERO,), high=(ONE,), interior=(0,))
        following = self._apply("slice", longer, start=(ONE,), shape=self.sizes, step=(1,))
        return self._where(ordered == following, size, ordered), order


def _split_axes(selection: Selection) -> tuple[list[int], list[int]]:
    """The places in the layout of the axes that arrays index, and of the others."""
    indexed = [axis for axis, _ in selection.arrays]
    places = [selection.layout.index(axis) for axis in indexed]
    return places, [place for place in range(len(selection.layout)) if place not in places]


def _checked(indices: Any, size: int, axis: int) -> Any:
    """Known indices, counted from the front."""
    wide: Any = indices.astype(np.int64)
    outside: Any = wide[(wide < -size) | (wide >= size)]
    if outside.size:
        raise CompileError(
            "SW0122",
            f"index {outside.flat[0]} is out of range for axis {axis} of size {size}",
            where=user_line(),
        )
    return wide + (wide < 0) * size


X = TypeVar("X", bound=Subscripts)


@final
@dataclass(frozen=True)
class At(Generic[X]):
    """The places of an array; with a key, those that it picks."""

    x: X
    key: Any = ...

    def __getitem__(self, key: Any) -> "At[X]":
        return At(self.x, key)

    def set(self, value: Any) -> X:
        """x with `value`, broadcast, at the key; of two values for one place the later one stays.

        A single index that turns out of range is moved into it; in an index array it is dropped.
        """
        return self.x.replaced(self.key, value, accumulate=False)

    def add(self, value: Any) -> X:
        """x with `value`, broadcast, added at the key; for one place all of them are added."""
        return self.x.replaced(self.key, value, accumulate=True)
