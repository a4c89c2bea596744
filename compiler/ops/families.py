"""Families of elementwise ops: a leaf states its scalar function and its slopes, no more."""

import abc
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.irdl import VarConstraint, base, operand_def, result_def

from stepwell.compiler.dialects.nd import FLOATS, INTEGERS, Tensor, dtype_of, shape_of, tensor
from stepwell.compiler.ops.base import Array, Gradient, PerExample, PureOp, Role, expect, same
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.value import Slope, Value, Zero, plus, times

NUMBERS = (*FLOATS, *INTEGERS)


def in_working_precision(function: Callable[..., Any], *operands: Array) -> Array:
    """`function` of the arrays; f16 and bf16 are computed in f32 and rounded, integers wrap."""
    dtype = operands[0].dtype
    with np.errstate(all="ignore"):
        if dtype.itemsize > 2 or dtype.kind in "biu":
            return np.asarray(function(*operands))
        wide = np.asarray(function(*(each.astype(np.float32) for each in operands)))
        return wide if wide.dtype == np.bool_ else wide.astype(dtype)


class Elementwise(PureOp, PerExample, abc.ABC):
    """Each element follows from the operands' elements at the same index."""

    ROLE: ClassVar = Role.MAP


class Function(Elementwise, abc.ABC):
    """The scalar function of the op's name, applied everywhere."""

    NUMPY: ClassVar[Callable[..., Any]]
    """The function of arrays."""
    DTYPES: ClassVar[Sequence[str]] = NUMBERS

    def reference(self, *operands: Array) -> Array:
        return in_working_precision(type(self).NUMPY, *operands)

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        return s.apply(self.mnemonic(), *(read(at) for read in reads))


class Unary(Function, abc.ABC):
    """One operand. A leaf says its slope: the derivative at x, where y is the result."""

    T: ClassVar = VarConstraint("T", base(TensorType))
    x = operand_def(T)
    result = result_def(T)
    assembly_format = "$x attr-dict `:` type($result)"

    @classmethod
    def infer(cls, x: Tensor) -> Sequence[Tensor]:
        supported(cls, x)
        return [x]

    def slope(self, x: Value, y: Value) -> Slope:
        """dy/dx; a Zero where the function is flat. None is asked for of what is no float."""
        raise self.missing("slope", "how it is differentiated")

    def gradient(self, *cotangents: Value) -> Gradient:
        return [times(cotangents[0], self.slope(Value(self.x), Value(self.result)))]

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        return [times(tangents[0], self.slope(Value(self.x), Value(self.result)))]


class Binary(Function, abc.ABC):
    """Two operands of one type. A leaf says its two slopes."""

    T: ClassVar = VarConstraint("T", base(TensorType))
    lhs = operand_def(T)
    rhs = operand_def(T)
    result = result_def(T)
    assembly_format = "$lhs `,` $rhs attr-dict `:` type($result)"

    @classmethod
    def infer(cls, lhs: Tensor, rhs: Tensor) -> Sequence[Tensor]:
        supported(cls, lhs)
        return [same(cls, lhs, rhs)]

    def slopes(self, x: Value, y: Value, result: Value) -> Sequence[Slope]:
        """The derivatives by x and by y. None are asked for of what is no float."""
        raise self.missing("slopes", "how it is differentiated")

    def _slopes(self) -> Sequence[Slope]:
        return self.slopes(Value(self.lhs), Value(self.rhs), Value(self.result))

    def gradient(self, *cotangents: Value) -> Gradient:
        return [times(cotangents[0], slope) for slope in self._slopes()]

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        terms = [times(t, slope) for t, slope in zip(tangents, self._slopes(), strict=True)]
        return [plus(*terms)]


class Compare(Function, abc.ABC):
    """Two operands of one type to a boolean; flat everywhere."""

    DTYPES: ClassVar[Sequence[str]] = (*NUMBERS, "bool")
    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    result = result_def(TensorType)
    assembly_format = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)"

    @classmethod
    def infer(cls, lhs: Tensor, rhs: Tensor) -> Sequence[Tensor]:
        supported(cls, lhs)
        return [tensor("bool", shape_of(same(cls, lhs, rhs)))]


def supported(op: type[Function], x: Tensor) -> None:
    dtype = dtype_of(x)
    kinds = ", ".join(op.DTYPES)
    expect(dtype in op.DTYPES, op, f"is not defined for {dtype}", f"convert to one of {kinds}")
