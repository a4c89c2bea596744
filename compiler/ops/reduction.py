"""Reductions: the elements along some axes, which disappear, folded into one."""

import abc
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from xdsl.irdl import irdl_op_definition, prop_def

from stepwell.compiler.dialects.loop.types import ANY, LANES, SERIAL, Combine, Order
from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor, text_of
from stepwell.compiler.dialects.sizes import IntsAttr, NumberAttr
from stepwell.compiler.ops.base import (
    Array,
    Gradient,
    OneToOne,
    PerExample,
    PureOp,
    Role,
    axes_in_range,
    expect,
    refusal,
)
from stepwell.compiler.ops.families import NUMBERS, in_working_precision
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars, working
from stepwell.compiler.ops.value import Slope, Value, Zero, times


class Reduction(OneToOne, PureOp, PerExample, abc.ABC):
    """Folds the elements along `axes`. A leaf states how two are combined."""

    ROLE: ClassVar = Role.FOLD
    COMBINE: ClassVar[Combine]
    NUMPY: ClassVar[np.ufunc]
    DTYPES: ClassVar[Sequence[str]] = NUMBERS
    EMPTY: ClassVar[bool] = True
    """Whether there is a value for no elements."""

    axes = prop_def(IntsAttr)
    assembly_format = "$x `axes` $axes attr-dict `:` type($x) `->` type($result)"

    @classmethod
    def infer(cls, x: Tensor, *, axes: tuple[int, ...]) -> Sequence[Tensor]:
        shape, dtype = shape_of(x), dtype_of(x)
        axes_in_range(cls, axes, shape)
        expect(dtype in cls.DTYPES, cls, f"is not defined for {dtype}")
        empty = any(shape[axis].static == 0 for axis in axes)
        if empty and not cls.EMPTY and dtype != "bool":
            raise refusal(cls, f"{text_of(x)} has no elements along axes {list(axes)}")
        kept = tuple(size for axis, size in enumerate(shape) if axis not in axes)
        return [tensor(dtype, kept)]

    def reference(self, *operands: Array) -> Array:
        """Accumulates f16 and bf16 in f32; integers wrap."""

        def folded(x: Array) -> Array:
            return np.asarray(self.NUMPY.reduce(x, self.axes.data, x.dtype))

        return in_working_precision(folded, *operands)

    @property
    def order(self) -> Order:
        """Lanes where the last axis is folded, whose elements are neighbours; else one chain."""
        return LANES if len(shape_of(self.x.type)) - 1 in self.axes.data else SERIAL

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        shape, axes, dtype = shape_of(self.x.type), sorted(self.axes.data), dtype_of(self.x.type)
        wide = working(dtype)
        sizes = tuple(shape[axis] for axis in axes)
        (total,) = s.fold(
            self.COMBINE,
            self.order,
            sizes,
            lambda k: (s.convert(reads[0](joined(at, k, axes)), wide),),
        )
        return s.convert(total, dtype)

    def spread_out(self, value: Value) -> Value:
        """A value of the result's shape, repeated along the axes that were folded."""
        shape, axes = shape_of(self.x.type), self.axes.data
        return value.broadcast(shape, [axis for axis in range(len(shape)) if axis not in axes])

    @abc.abstractmethod
    def slopes(self) -> Slope:
        """The derivative of the result by each element."""

    def gradient(self, *cotangents: Value) -> Gradient:
        return [times(self.spread_out(cotangents[0]), self.slopes())]

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        t = times(tangents[0], self.slopes())
        return [t.sum(self.axes.data) if isinstance(t, Value) else t]


def joined(
    at: tuple[Index, ...], folded: tuple[Index, ...], axes: Sequence[int]
) -> tuple[Index, ...]:
    """The operand's index from that of the result and that along the folded axes."""
    kept, inner = iter(at), iter(folded)
    rank = len(at) + len(folded)
    return tuple(next(inner) if axis in axes else next(kept) for axis in range(rank))


@irdl_op_definition
class ReduceSum(Reduction):
    """The sum along `axes`; 0 of no elements."""

    name = "nd.reduce_sum"
    COMBINE: ClassVar = Combine.ADD
    NUMPY: ClassVar = np.add

    def slopes(self) -> Slope:
        return 1.0


@irdl_op_definition
class ReduceProd(Reduction):
    """The product along `axes`; 1 of no elements."""

    name = "nd.reduce_prod"
    COMBINE: ClassVar = Combine.MUL
    NUMPY: ClassVar = np.multiply

    def slopes(self) -> Slope:
        """For each element the product of all others along the axes; nothing is divided by 0.

        If one of the others is 0, the sum of those that are stands for it, so that this has the
        right derivative.
        """
        x, axes = Value(self.x), self.axes.data
        zero = x.compare("eq", 0)
        safe, zeros, ones = zero.select(x.like(1), x), zero.select(x, 0), zero.convert(x.dtype)
        product = self.spread_out(safe.apply("reduce_prod", axes=axes)) / safe
        other_zeros, count = (self.spread_out(each.sum(axes)) - each for each in (zeros, ones))
        with_zero = count.compare("eq", 1).select(product * other_zeros, 0)
        return count.compare("eq", 0).select(product, with_zero)


class Extremum(Reduction, abc.ABC):
    """The greatest or the least: the derivative is shared among the elements that reach it.

    Of no truth values it is as `any` and `all` say; of no numbers there is none.
    """

    EMPTY: ClassVar = False
    DTYPES: ClassVar = (*NUMBERS, "bool")

    @property
    def order(self) -> Order:
        return ANY

    def reference(self, *operands: Array) -> Array:
        if operands[0].dtype == np.bool_:
            start = self.COMBINE is Combine.MIN
            return np.asarray(self.NUMPY.reduce(operands[0], self.axes.data, initial=start))
        return super().reference(*operands)

    def slopes(self) -> Slope:
        """Each element's part of the derivative."""
        x = Value(self.x)
        hit = x.compare("eq", self.spread_out(Value(self.result))).convert(x.dtype)
        return hit / self.spread_out(hit.sum(self.axes.data))


@irdl_op_definition
class ReduceMax(Extremum):
    """The greatest element along `axes`; NaN if there is one."""

    name = "nd.reduce_max"
    COMBINE: ClassVar = Combine.MAX
    NUMPY: ClassVar = np.maximum


@irdl_op_definition
class ReduceMin(Extremum):
    """The least element along `axes`; NaN if there is one."""

    name = "nd.reduce_min"
    COMBINE: ClassVar = Combine.MIN
    NUMPY: ClassVar = np.minimum


@irdl_op_definition
class ArgMax(OneToOne, PureOp, PerExample):
    """The index of the first greatest element along an axis, as i64; of the first NaN if any."""

    name = "nd.argmax"
    ROLE: ClassVar = Role.FOLD
    axis = prop_def(NumberAttr)
    assembly_format = "$x `axis` $axis attr-dict `:` type($x) `->` type($result)"

    @classmethod
    def infer(cls, x: Tensor, *, axis: int) -> Sequence[Tensor]:
        shape = shape_of(x)
        expect(0 <= axis < len(shape), cls, f"axis {axis} is not one of {text_of(x)}")
        expect(shape[axis].static != 0, cls, f"{text_of(x)} has no elements along axis {axis}")
        return [tensor("i64", (*shape[:axis], *shape[axis + 1 :]))]

    def reference(self, *operands: Array) -> Array:
        return np.asarray(np.argmax(operands[0], self.axis.data), np.int64)

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        axis, x = self.axis.data, self.x.type
        wide = working(dtype_of(x))

        def pair(k: tuple[Index, ...]) -> tuple[Scalar, ...]:
            value = s.convert(reads[0](joined(at, k, [axis])), wide)
            return value, s.value_of(k[0], "i64")

        return s.fold(Combine.ARGMAX, ANY, (shape_of(x)[axis],), pair)[1]
