"""Reductions over windows that slide along the axes: what pooling is made of."""

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import StringAttr
from xdsl.irdl import irdl_op_definition, prop_def

from stepwell.compiler.dialects.loop.types import ANY, UNCUT, Combine
from stepwell.compiler.dialects.nd import Tensor, dtype_of, is_float, numpy_dtype, shape_of, tensor
from stepwell.compiler.dialects.sizes import IntsAttr, Shape, SizesAttr, count_of
from stepwell.compiler.ops.base import (
    FIRST,
    Array,
    Gradient,
    OneToOne,
    PerExample,
    PureOp,
    Role,
    concrete,
    expect,
    refusal,
)
from stepwell.compiler.ops.families import NUMBERS
from stepwell.compiler.ops.gathering import gather_inside, scatter_add, size_value
from stepwell.compiler.ops.indices import ZERO, Index, linear
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars, working
from stepwell.compiler.ops.sliding import (
    Sliding,
    all_inside,
    expect_sliding,
    overlaps,
    slidings,
    spread_out,
)
from stepwell.compiler.ops.value import Value, Zero, again, full, iota
from stepwell.runtime.sizes import Size

SLIDES = "`size` $size `stride` $stride `low` $low `high` $high"
TYPES = "attr-dict `:` type($x) `->` type($result)"
PICKS = {"max": Combine.ARGMAX, "min": Combine.ARGMIN}


def lowest(dtype: str) -> float | int:
    """What no number of the dtype is below."""
    return -np.inf if is_float(dtype) else int(np.iinfo(numpy_dtype(dtype).name).min)


def highest(dtype: str) -> float | int:
    """What no number of the dtype is above."""
    return np.inf if is_float(dtype) else int(np.iinfo(numpy_dtype(dtype).name).max)


def identity(combine: str, dtype: str) -> float | int:
    """What changes no other number; of sums it is -0, which keeps even -0."""
    return {"add": -0.0, "max": lowest(dtype), "min": highest(dtype)}[combine]


class Windowed(OneToOne, PureOp, abc.ABC):
    """Each axis has an entry of `size`, `stride`, `low` and `high`; of 1 where no window slides."""

    ROLE: ClassVar = Role.CONTRACT
    COMBINES: ClassVar[Sequence[str]]

    combine = prop_def(StringAttr)
    size = prop_def(SizesAttr)
    stride = prop_def(IntsAttr)
    low = prop_def(SizesAttr)
    high = prop_def(SizesAttr)
    assembly_format = f"$combine $x {SLIDES} {TYPES}"

    @classmethod
    def shape(
        cls,
        x: Tensor,
        *,
        combine: str,
        size: Shape,
        stride: tuple[int, ...],
        low: Shape,
        high: Shape,
    ) -> Shape:
        """That of the windows of such a tensor."""
        shape, dtype = shape_of(x), dtype_of(x)
        expect(dtype in NUMBERS, cls, f"is not defined for {dtype}")
        if combine not in cls.COMBINES:
            raise refusal(cls, f"combines by {combine}, not {', '.join(cls.COMBINES)}")
        expect_sliding(cls, len(shape), size, stride, low, high)
        windows = slidings(size, stride, low, high)
        return tuple(each.count(length) for each, length in zip(windows, shape, strict=True))

    @property
    def windows(self) -> list[Sliding]:
        """How the window slides along each axis."""
        return slidings(self.size.data, self.stride.data, self.low.data, self.high.data)

    def read_at(
        self, s: Scalars, read: Read, place: tuple[Index, ...], taps: tuple[Index, ...]
    ) -> tuple[Scalar, Scalar | None, tuple[Index, ...]]:
        """The element at a position of the window at a place, whether there is one (None where that
        always holds), and its index; padding is what changes no other number."""
        shape, wide = shape_of(self.x.type), working(dtype_of(self.x.type))
        slides = zip(self.windows, place, taps, strict=True)
        index = tuple(window.index(at, tap) for window, at, tap in slides)
        inside = all_inside(s, index, shape)
        if inside is None:
            return s.convert(read(index), wide), None, index
        padding = s.constant(identity(self.combine.data, wide), wide)
        return s.guard(inside, lambda: s.convert(read(index), wide), padding), inside, index


@irdl_op_definition
class Window(Windowed, PerExample):
    """The elements in each window, combined by `add`, `max` or `min`; padding contributes nothing.

    The derivative of `max` and `min` goes to the first element that reaches them.
    """

    name = "nd.window"
    COMBINES: ClassVar = ("add", *PICKS)

    @classmethod
    def infer(cls, x: Tensor, **parameters: Any) -> Sequence[Tensor]:
        return [tensor(dtype_of(x), cls.shape(x, **parameters))]

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        combine = self.combine.data

        def terms(k: tuple[Index, ...]) -> tuple[Scalar, ...]:
            return self.read_at(s, reads[0], at, k)[:1]

        order = UNCUT if combine == "add" else ANY
        (total,) = s.fold(Combine(combine), order, self.size.data, terms)
        dtype = dtype_of(self.x.type)
        if combine in PICKS and dtype == "i8":
            # Folded as i32, a window without elements has what no i32 is beyond, which would wrap.
            total = s.apply(combine, total, s.constant(identity(combine, dtype), "i32"))
        return s.convert(total, dtype)

    def reference(self, *operands: Array) -> Array:
        x, shape = operands[0], concrete(shape_of(self.result.type))
        combine, dtype = self.combine.data, dtype_of(self.x.type)
        wide = x.astype(np.float32) if dtype in ("f16", "bf16") else x
        total = np.full(shape, 0 if combine == "add" else identity(combine, dtype), wide.dtype)
        function = {"add": np.add, "max": np.maximum, "min": np.minimum}[combine]
        for taps in np.ndindex(*concrete(self.size.data)):
            windows, elements = overlaps(self.windows, taps, x.shape, shape)
            with np.errstate(all="ignore"):
                total[windows] = function(total[windows], wide[elements])
        return total.astype(x.dtype)

    def _positions(self) -> Value:
        """For each window the position of the element that is taken; a vector has as many numbers
        of 32 bits as floats, where that is enough."""
        count = count_of(shape_of(self.x.type)).static
        dtype = "i32" if count is not None and count < highest("i32") else "i64"
        return Value(self.x).apply("window_position", dtype=dtype, **self.parameters)

    def gradient(self, *cotangents: Value) -> Gradient:
        (g,), shape = cotangents, shape_of(self.x.type)
        if self.combine.data == "add":
            return [self._sum_back(g)]
        count = (count_of(shape),)
        if all(_tile(*each) for each in zip(self.windows, shape, strict=True)):
            positions = self._positions()
            places = iota(count, 0, positions.dtype).reshape(shape)
            taken = self._spread(positions).compare("eq", places)
            return [taken.select(self._spread(g), 0)]
        flat = scatter_add(full(0, g.dtype, count), self._positions(), g)
        return [flat.reshape(shape)]

    def _spread(self, x: Value) -> Value:
        """For each element what its window has, if each is in one."""
        pairs = zip(x.shape, self.size.data, strict=True)
        wide = tuple(size for pair in pairs for size in pair)
        return x.broadcast(wide, range(0, len(wide), 2)).reshape(shape_of(self.x.type))

    def _sum_back(self, g: Value) -> Value:
        """Each element gets the sum over the windows that hold it."""
        shape = shape_of(self.x.type)
        windows = [each.mirrored(n) for each, n in zip(self.windows, shape, strict=True)]
        return spread_out(g, self.stride.data).apply(
            "window",
            combine="add",
            size=self.size.data,
            stride=(1,) * g.rank,
            low=tuple(each.low for each in windows),
            high=tuple(each.high for each in windows),
        )

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        (t,) = tangents
        assert isinstance(t, Value)
        if self.combine.data == "add":
            return again(self, t)
        return [gather_inside(t.reshape((count_of(t.shape),)), self._positions())]


@irdl_op_definition
class WindowPosition(Windowed):
    """The row-major position in x, as i64 or i32, of the first element that is a window's max or
    min.

    NaN is picked before all others. A window of padding only has the dtype's greatest number.
    """

    name = "nd.window_position"
    COMBINES: ClassVar = tuple(PICKS)

    dtype = prop_def(StringAttr)
    assembly_format = f"$combine $x `as` $dtype {SLIDES} {TYPES}"

    @classmethod
    def infer(cls, x: Tensor, *, dtype: str, **parameters: Any) -> Sequence[Tensor]:
        expect(dtype in ("i32", "i64"), cls, f"gives no {dtype}")
        return [tensor(dtype, cls.shape(x, **parameters))]

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        shape, dtype = shape_of(self.x.type), self.dtype.data

        def pair(k: tuple[Index, ...]) -> tuple[Scalar, ...]:
            value, inside, index = self.read_at(s, reads[0], at, k)
            position = s.value_of(linear(index, shape), dtype)
            if inside is None:
                return value, position
            return value, s.select(inside, position, s.constant(highest(dtype), dtype))

        return s.fold(PICKS[self.combine.data], ANY, self.size.data, pair)[1]

    def reference(self, *operands: Array) -> Array:
        x, shape = operands[0], concrete(shape_of(self.result.type))
        dtype = self.dtype.data
        places, nowhere = np.arange(x.size, dtype=numpy_dtype(dtype)), highest(dtype)
        best, found = np.zeros(shape, x.dtype), np.full(shape, nowhere, places.dtype)
        for taps in np.ndindex(*concrete(self.size.data)):
            windows, elements = overlaps(self.windows, taps, x.shape, shape)
            new, old, known = x[elements], best[windows], found[windows]
            better = new > old if self.combine.data == "max" else new < old
            taken = better | ((new != new) & (old == old)) | (known == nowhere)
            best[windows] = np.where(taken, new, old)
            found[windows] = np.where(taken, places.reshape(x.shape)[elements], known)
        return found

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        """Positions count from the start of each example."""
        own, dtype = self.parameters, self.dtype.data
        longer = {name: (FIRST[name], *own[name]) for name in FIRST.keys() & own.keys()}
        result = operands[0].apply(self.mnemonic(), **{**own, **longer, "dtype": "i64"})
        count = size_value(count_of(shape_of(self.x.type)), "i64", result.shape)
        position = (result - iota(result.shape, 0) * count).convert(dtype)
        return [result.compare("ne", highest("i64")).select(position, highest(dtype))]


def _tile(window: Sliding, length: Size) -> bool:
    """Whether each element of the axis is in one window."""
    side_by_side = window.size == Size.of(window.stride) and window.low == window.high == ZERO
    return side_by_side and length % window.stride == ZERO
