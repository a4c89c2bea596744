"""Ops without operands: numbers, weights, counting up, and sizes as values."""

import abc
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import StringAttr, TensorType
from xdsl.irdl import irdl_op_definition, prop_def, result_def
from xdsl.parser import Parser
from xdsl.printer import Printer

from stepwell.compiler.dialects.nd import (
    Literal,
    LiteralAttr,
    RefAttr,
    Tensor,
    Weight,
    numpy_dtype,
    shape_of,
    tensor,
)
from stepwell.compiler.dialects.sizes import NumberAttr, Shape, SizeAttr, SizesAttr
from stepwell.compiler.ops.base import Array, PureOp, Role, concrete, expect
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size


class Creation(PureOp, abc.ABC):
    """No operand, so that there is nothing to differentiate by or to batch."""

    ROLE: ClassVar[Role] = Role.FREE
    result = result_def(TensorType)


@irdl_op_definition
class Constant(Creation):
    """One number everywhere: `nd.constant <f32 1.5e+00> : tensor<4xf32>`."""

    name = "nd.constant"
    value = prop_def(LiteralAttr)
    shape = prop_def(SizesAttr)

    @classmethod
    def infer(cls, *, value: Literal, shape: Shape) -> Sequence[Tensor]:
        return [tensor(value.dtype, shape)]

    def reference(self, *operands: Array) -> Array:
        literal = self.value.data
        return np.full(concrete(self.shape.data), literal.value, numpy_dtype(literal.dtype))

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        return s.constant(self.value.data.value, self.value.data.dtype)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        self.value.print_parameter(printer)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)

    @classmethod
    def parse(cls, parser: Parser) -> "Constant":
        value = LiteralAttr(LiteralAttr.parse_parameter(parser))
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        type = parser.parse_type()
        shape = SizesAttr(shape_of(type))
        return cls.create(
            properties={"value": value, "shape": shape}, attributes=attributes, result_types=[type]
        )


@irdl_op_definition
class WeightOp(Creation):
    """An array that is part of the program, known by its hash."""

    name = "nd.weight"
    ROLE: ClassVar = Role.OPAQUE
    value = prop_def(RefAttr)
    dtype = prop_def(StringAttr)
    shape = prop_def(SizesAttr)
    assembly_format = "$value $dtype $shape attr-dict `:` type($result)"

    @classmethod
    def infer(cls, *, value: Weight, dtype: str, shape: Shape) -> Sequence[Tensor]:
        return [tensor(dtype, shape)]

    def reference(self, *operands: Array) -> Array:
        weight = self.value.data
        if weight.values is None:
            raise CompileError(
                "SW0202",
                f"the weight {weight.sha[:12]} is not here: the text of a program does not hold it",
                hint="give the array again, or take the program from where it was built",
            )
        return weight.values


@irdl_op_definition
class Iota(Creation):
    """0, 1, 2, … along one axis, the same along the others."""

    name = "nd.iota"
    shape = prop_def(SizesAttr)
    axis = prop_def(NumberAttr)
    dtype = prop_def(StringAttr)
    assembly_format = "$dtype $shape `axis` $axis attr-dict `:` type($result)"

    @classmethod
    def infer(cls, *, shape: Shape, axis: int, dtype: str) -> Sequence[Tensor]:
        expect(0 <= axis < len(shape), cls, f"axis {axis} is not one of {len(shape)}")
        return [tensor(dtype, shape)]

    def reference(self, *operands: Array) -> Array:
        shape, axis = concrete(self.shape.data), self.axis.data
        line = np.arange(shape[axis]).astype(numpy_dtype(self.dtype.data))
        ends = tuple(other for other in range(len(shape)) if other != axis)
        return np.broadcast_to(np.expand_dims(line, ends), shape).copy()

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        return s.value_of(at[self.axis.data], self.dtype.data)


@irdl_op_definition
class SizeOp(Creation):
    """A symbolic size as an i64: `nd.size #nd.expr<B*S>` (a mean divides by it)."""

    name = "nd.size"
    size = prop_def(SizeAttr)
    assembly_format = "$size attr-dict `:` type($result)"

    @classmethod
    def infer(cls, *, size: Size) -> Sequence[Tensor]:
        return [tensor("i64")]

    def reference(self, *operands: Array) -> Array:
        return np.asarray(concrete((self.size.data,))[0], np.int64)

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        return s.value_of(self.size.data, "i64")
