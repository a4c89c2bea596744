"""Cumulative ops: each element combined with all those before it along an axis."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from xdsl.irdl import irdl_op_definition, prop_def

from stepwell.compiler.dialects.loop.types import Combine
from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, text_of
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.ops.base import Array, Gradient, Linear, OneToOne, PerExample, Role, expect
from stepwell.compiler.ops.families import NUMBERS, in_working_precision
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars, working
from stepwell.compiler.ops.value import Value


@irdl_op_definition
class Cumsum(OneToOne, Linear, PerExample):
    """The sums of the elements up to each one along an axis; from the end where `reverse` is 1.

    The terms are added in order, from 0; f16 and bf16 in f32.
    """

    name = "nd.cumsum"
    ROLE: ClassVar = Role.SCAN
    axis = prop_def(NumberAttr)
    reverse = prop_def(NumberAttr)
    assembly_format = "$x `axis` $axis `reverse` $reverse attr-dict `:` type($x) `->` type($result)"

    @classmethod
    def infer(cls, x: Tensor, *, axis: int, reverse: int) -> Sequence[Tensor]:
        expect(0 <= axis < len(shape_of(x)), cls, f"axis {axis} is not one of {text_of(x)}")
        expect(dtype_of(x) in NUMBERS, cls, f"is not defined for {dtype_of(x)}")
        return [x]

    def reference(self, *operands: Array) -> Array:
        axis, reverse = self.axis.data, self.reverse.data

        def sums(x: Array) -> Array:
            found = np.cumsum(np.flip(x, axis) if reverse else x, axis, dtype=x.dtype)
            return np.flip(found, axis) if reverse else found

        return in_working_precision(sums, *operands)

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        dtype = dtype_of(self.x.type)
        wide = working(dtype)
        along, backwards = at[self.axis.data], bool(self.reverse.data)
        total = s.prefix(Combine.ADD, along, backwards, lambda: s.convert(reads[0](at), wide))
        return s.convert(total, dtype)

    def gradient(self, *cotangents: Value) -> Gradient:
        (g,), backwards = cotangents, 1 - self.reverse.data
        return [g.apply("cumsum", axis=self.axis.data, reverse=backwards)]
