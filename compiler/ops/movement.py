"""Ops that move elements and compute nothing: their tangent is the op itself."""

import abc
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np
from xdsl.irdl import irdl_op_definition, prop_def

from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor, text_of
from stepwell.compiler.dialects.sizes import IntsAttr, Shape, SizesAttr, count_of
from stepwell.compiler.ops.base import (
    Array,
    Gradient,
    Linear,
    OneToOne,
    PerExample,
    Role,
    axes_in_range,
    concrete,
    expect,
    refusal,
)
from stepwell.compiler.ops.indices import ONE, ZERO, Index, linear
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.value import Value, again, full
from stepwell.runtime.sizes import Size, at_most, largest


class Movement(OneToOne, Linear, abc.ABC):
    """One operand; element `at` of the result is element `source(at)` of the operand."""

    ROLE: ClassVar = Role.FREE

    @abc.abstractmethod
    def source(self, s: Scalars, at: tuple[Index, ...]) -> tuple[Index, ...]:
        """The index in the operand."""

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        return reads[0](self.source(s, at))


@irdl_op_definition
class Broadcast(Movement):
    """Operand axis i becomes result axis `axes[i]`; the other axes repeat."""

    name = "nd.broadcast"
    shape = prop_def(SizesAttr)
    axes = prop_def(IntsAttr)
    assembly_format = "$x `to` $shape `axes` $axes attr-dict `:` type($x) `->` type($result)"

    @classmethod
    def infer(cls, x: Tensor, *, shape: Shape, axes: tuple[int, ...]) -> Sequence[Tensor]:
        axes_in_range(cls, axes, shape)
        expect(len(axes) == len(shape_of(x)), cls, f"{text_of(x)} has not {len(axes)} axes")
        for size, axis in zip(shape_of(x), axes, strict=True):
            if size != shape[axis]:
                becomes = f"does not become size {shape[axis]} of axis {axis}"
                raise refusal(cls, f"size {size} of {text_of(x)} {becomes}")
        return [tensor(dtype_of(x), shape)]

    def source(self, s: Scalars, at: tuple[Index, ...]) -> tuple[Index, ...]:
        return tuple(at[axis] for axis in self.axes.data)

    def reference(self, *operands: Array) -> Array:
        axes, shape = self.axes.data, concrete(self.shape.data)
        ordered = np.transpose(operands[0], np.argsort(axes))
        missing = tuple(axis for axis in range(len(shape)) if axis not in axes)
        return np.broadcast_to(np.expand_dims(ordered, missing), shape).copy()

    def gradient(self, *cotangents: Value) -> Gradient:
        (g,), axes = cotangents, self.axes.data
        kept = sorted(axes)
        total = g.sum([axis for axis in range(g.rank) if axis not in axes])
        return [total.transpose([kept.index(axis) for axis in axes])]

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        axes = (0, *(axis + 1 for axis in self.axes.data))
        return [operands[0].broadcast((size, *self.shape.data), axes)]


@irdl_op_definition
class Reshape(Movement, PerExample):
    """The same elements in row-major order under another shape of the same count."""

    name = "nd.reshape"
    shape = prop_def(SizesAttr)
    assembly_format = "$x `to` $shape attr-dict `:` type($x) `->` type($result)"

    @classmethod
    def infer(cls, x: Tensor, *, shape: Shape) -> Sequence[Tensor]:
        before, after = count_of(shape_of(x)), count_of(shape)
        if before != after:
            raise refusal(cls, f"{text_of(x)} has {before} elements, the new shape {after}")
        return [tensor(dtype_of(x), shape)]

    def source(self, s: Scalars, at: tuple[Index, ...]) -> tuple[Index, ...]:
        index: list[Index] = []
        for sizes, axes in aligned(shape_of(self.x.type), self.shape.data):
            rest = linear(at[axes.start : axes.stop], self.shape.data[axes.start : axes.stop])
            group: list[Index] = []
            for size in reversed(sizes[1:]):
                rest, inner = s.divmod(rest, size)
                group.append(inner)
            index.extend(reversed([*group, rest][: len(sizes)]))
        return tuple(index)

    def reference(self, *operands: Array) -> Array:
        return np.reshape(operands[0], concrete(self.shape.data))

    def gradient(self, *cotangents: Value) -> Gradient:
        return [cotangents[0].reshape(shape_of(self.x.type))]


@lru_cache(maxsize=1024)
def aligned(source: Shape, target: Shape) -> list[tuple[Shape, range]]:
    """The finest split of both shapes into groups with equal products, in order.

    Each group is its sizes in `source` and the range of its axes in `target`; so that
    (B, S, 768) to (B*S, 12, 64) is [((B, S), 0..1), ((768,), 1..3)].
    """
    groups: list[tuple[Shape, range]] = []
    first = taken = 0
    for end in range(len(source)):
        count = count_of(source[first : end + 1])
        for stop in range(taken, len(target) + 1):
            if count_of(target[taken:stop]) == count and (count != ONE or stop > taken):
                groups.append((source[first : end + 1], range(taken, stop)))
                first, taken = end + 1, stop
                break
    if first < len(source) or taken < len(target):
        groups = _last_group(groups, source[first:], range(taken, len(target)))
    return groups


def _last_group(
    groups: list[tuple[Shape, range]], sizes: Shape, axes: range
) -> list[tuple[Shape, range]]:
    """What is left over (sizes of one, or of a count of 0) joins the group before it."""
    if not groups:
        return [(sizes, axes)]
    *others, (before, before_axes) = groups
    return [*others, ((*before, *sizes), range(before_axes.start, axes.stop))]


@irdl_op_definition
class Transpose(Movement):
    """Result axis i is operand axis `axes[i]`."""

    name = "nd.transpose"
    axes = prop_def(IntsAttr)
    assembly_format = "$x `axes` $axes attr-dict `:` type($x) `->` type($result)"

    @classmethod
    def infer(cls, x: Tensor, *, axes: tuple[int, ...]) -> Sequence[Tensor]:
        shape = shape_of(x)
        if sorted(axes) != list(range(len(shape))):
            raise refusal(cls, f"axes {list(axes)} do not permute those of {text_of(x)}")
        return [tensor(dtype_of(x), tuple(shape[axis] for axis in axes))]

    def source(self, s: Scalars, at: tuple[Index, ...]) -> tuple[Index, ...]:
        return tuple(at[position] for position in inverse(self.axes.data))

    def reference(self, *operands: Array) -> Array:
        return np.transpose(operands[0], self.axes.data).copy()

    def gradient(self, *cotangents: Value) -> Gradient:
        return [cotangents[0].transpose(inverse(self.axes.data))]

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        return [operands[0].transpose((0, *(axis + 1 for axis in self.axes.data)))]


def inverse(axes: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes `axes`."""
    return tuple(sorted(range(len(axes)), key=lambda position: axes[position]))


@irdl_op_definition
class Slice(Movement, PerExample):
    """Elements `start + i * step` for every index i below `shape`."""

    name = "nd.slice"
    start = prop_def(SizesAttr)
    shape = prop_def(SizesAttr)
    step = prop_def(IntsAttr)
    assembly_format = (
        "$x `from` $start `to` $shape `step` $step attr-dict `:` type($x) `->` type($result)"
    )

    @classmethod
    def infer(
        cls, x: Tensor, *, start: Shape, shape: Shape, step: tuple[int, ...]
    ) -> Sequence[Tensor]:
        source = shape_of(x)
        if not len(source) == len(start) == len(shape) == len(step):
            raise refusal(cls, f"start, shape and step do not have the rank of {text_of(x)}")
        expect(all(each > 0 for each in step), cls, f"the steps {list(step)} are not positive")
        for axis, (size, first, count, by) in enumerate(
            zip(source, start, shape, step, strict=True)
        ):
            last = first + count * by - (by - 1)
            if at_most(last, size, {}) is False and count != ZERO:
                raise refusal(cls, f"axis {axis} of {text_of(x)} ends before element {last - 1}")
        return [tensor(dtype_of(x), shape)]

    def source(self, s: Scalars, at: tuple[Index, ...]) -> tuple[Index, ...]:
        return tuple(
            index * step + start
            for index, start, step in zip(at, self.start.data, self.step.data, strict=True)
        )

    def reference(self, *operands: Array) -> Array:
        starts, counts = concrete(self.start.data), concrete(self.shape.data)
        picked = tuple(
            slice(start, start + count * step, step)
            for start, count, step in zip(starts, counts, self.step.data, strict=True)
        )
        return operands[0][picked].copy()

    def gradient(self, *cotangents: Value) -> Gradient:
        (g,) = cotangents
        interior = [step - 1 for step in self.step.data]
        high = tuple(
            size - start - spread(count, between)
            for size, start, count, between in zip(
                shape_of(self.x.type), self.start.data, self.shape.data, interior, strict=True
            )
        )
        return [g.pad(full(0, g.dtype), self.start.data, high, interior)]


def spread(count: Size, interior: int) -> Size:
    """The extent of `count` elements with `interior` ones between each two; that of none is 0."""
    if interior == 0 or count == ZERO:
        return count
    extent = count + (count - 1) * interior
    return extent if at_most(ONE, count, {}) is True else largest(extent, ZERO)


@irdl_op_definition
class Reverse(Movement, PerExample):
    """The elements along each of the axes in reverse."""

    name = "nd.reverse"
    axes = prop_def(IntsAttr)
    assembly_format = "$x `axes` $axes attr-dict `:` type($x) `->` type($result)"

    @classmethod
    def infer(cls, x: Tensor, *, axes: tuple[int, ...]) -> Sequence[Tensor]:
        axes_in_range(cls, axes, shape_of(x))
        return [x]

    def source(self, s: Scalars, at: tuple[Index, ...]) -> tuple[Index, ...]:
        shape = shape_of(self.x.type)
        return tuple(
            index * -1 + (shape[axis] - 1) if axis in self.axes.data else index
            for axis, index in enumerate(at)
        )

    def reference(self, *operands: Array) -> Array:
        return np.flip(operands[0], self.axes.data).copy()

    def gradient(self, *cotangents: Value) -> Gradient:
        return again(self, cotangents[0])
