"""The op `tiny.shift`, as docs/add-an-op.md writes it."""

from collections.abc import Sequence
from typing import ClassVar

import numpy
from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def

from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.ops.base import Array, Gradient, PureOp, Role, axes_in_range
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.value import Value, Zero, again, dense
from stepwell.runtime.sizes import Size


@irdl_op_definition
class Shift(PureOp):
    """The elements of x, `by` places further along an axis; 0 where there is none."""

    name = "tiny.shift"
    ROLE: ClassVar = Role.FREE
    x = operand_def(TensorType)
    axis = prop_def(NumberAttr)
    by = prop_def(NumberAttr)
    result = result_def(TensorType)
    assembly_format = "$x `axis` $axis `by` $by attr-dict `:` type($x) `->` type($result)"

    @classmethod
    def infer(cls, x: Tensor, *, axis: int, by: int) -> Sequence[Tensor]:
        axes_in_range(cls, [axis], shape_of(x))
        return [x]

    def reference(self, *operands: Array) -> Array:
        (x,), axis, by = operands, self.axis.data, self.by.data
        result = numpy.zeros_like(x)
        n = x.shape[axis]
        source = numpy.arange(max(0, -by), min(n, n - by))
        moved = numpy.take(x, source, axis)
        numpy.moveaxis(result, axis, 0)[source + by] = numpy.moveaxis(moved, axis, 0)
        return result

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        (x,), axis = reads, self.axis.data
        place = at[axis] - self.by.data
        index = (*at[:axis], place, *at[axis + 1 :])
        inside = s.inside(place, shape_of(self.x.type)[axis])
        if inside is None:
            return x(index)
        return s.guard(inside, lambda: x(index), s.constant(0, dtype_of(self.x.type)))

    def gradient(self, *cotangents: Value) -> Gradient:
        return [cotangents[0].apply("tiny.shift", axis=self.axis.data, by=-self.by.data)]

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        return again(self, dense(tangents[0]))

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        return [operands[0].apply("tiny.shift", axis=self.axis.data + 1, by=self.by.data)]
