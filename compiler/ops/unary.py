"""Elementwise ops of one operand."""

import abc
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import StringAttr
from xdsl.irdl import irdl_op_definition, prop_def

from stepwell.compiler.dialects.nd import (
    FLOATS,
    INTEGERS,
    Tensor,
    dtype_of,
    is_float,
    numpy_dtype,
    shape_of,
    tensor,
)
from stepwell.compiler.ops.base import Array, Gradient, Linear, OneToOne, Role
from stepwell.compiler.ops.families import Elementwise, Unary
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.value import Slope, Value, Zero


class Analytic(Unary, abc.ABC):
    """A function of floats that is dear enough to be kept for several readers."""

    COSTLY: ClassVar = True
    DTYPES: ClassVar = FLOATS


@irdl_op_definition
class Neg(Unary):
    """Minus x; integers wrap."""

    name = "nd.neg"
    NUMPY: ClassVar = np.negative

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        x = reads[0](at)
        return s.apply("neg", x) if is_float(x.dtype) else s.apply("sub", s.constant(0, x.dtype), x)

    def slope(self, x: Value, y: Value) -> Slope:
        return -1.0


@irdl_op_definition
class Abs(Unary):
    """The magnitude of x; that of the least integer is itself."""

    name = "nd.abs"
    NUMPY: ClassVar = np.abs

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        x = reads[0](at)
        return x if x.dtype == "u8" else s.apply("abs", x)

    def slope(self, x: Value, y: Value) -> Slope:
        return x.apply("sign")


@irdl_op_definition
class Sign(Unary):
    """-1, 0 or 1; NaN stays."""

    name = "nd.sign"
    NUMPY: ClassVar = np.sign

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        x = reads[0](at)
        zero, one = s.constant(0, x.dtype), s.constant(1, x.dtype)
        if x.dtype == "u8":
            return s.select(s.apply("gt", x, zero), one, zero)
        rest = s.select(s.apply("eq", x, zero), zero, x)
        negative = s.select(s.apply("lt", x, zero), s.constant(-1, x.dtype), rest)
        return s.select(s.apply("gt", x, zero), one, negative)

    def slope(self, x: Value, y: Value) -> Slope:
        return Zero(x.type)


@irdl_op_definition
class Exp(Analytic):
    """e to the x."""

    name = "nd.exp"
    NUMPY: ClassVar = np.exp

    def slope(self, x: Value, y: Value) -> Slope:
        return y


@irdl_op_definition
class Log(Analytic):
    """The natural logarithm: -inf at 0, NaN below."""

    name = "nd.log"
    NUMPY: ClassVar = np.log

    def slope(self, x: Value, y: Value) -> Slope:
        return 1.0 / x


@irdl_op_definition
class Sqrt(Analytic):
    """The square root, correctly rounded; NaN below 0."""

    name = "nd.sqrt"
    NUMPY: ClassVar = np.sqrt

    def slope(self, x: Value, y: Value) -> Slope:
        return 0.5 / y


def _rsqrt(x: Array) -> Array:
    return 1 / np.sqrt(x)


@irdl_op_definition
class Rsqrt(Analytic):
    """One over the square root."""

    name = "nd.rsqrt"
    NUMPY: ClassVar = _rsqrt

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        x = reads[0](at)
        dtype = "f64" if x.dtype == "f64" else "f32"
        root = s.apply("sqrt", s.convert(x, dtype))
        return s.convert(s.apply("div", s.constant(1.0, dtype), root), x.dtype)

    def slope(self, x: Value, y: Value) -> Slope:
        return -0.5 * y / x


@irdl_op_definition
class Sin(Analytic):
    """The sine of x in radians."""

    name = "nd.sin"
    NUMPY: ClassVar = np.sin

    def slope(self, x: Value, y: Value) -> Slope:
        return x.apply("cos")


@irdl_op_definition
class Cos(Analytic):
    """The cosine of x in radians."""

    name = "nd.cos"
    NUMPY: ClassVar = np.cos

    def slope(self, x: Value, y: Value) -> Slope:
        return -x.apply("sin")


@irdl_op_definition
class Tanh(Analytic):
    """The hyperbolic tangent."""

    name = "nd.tanh"
    NUMPY: ClassVar = np.tanh

    def slope(self, x: Value, y: Value) -> Slope:
        return 1.0 - y * y


def _erf(x: Array) -> Array:
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x)).astype(x.dtype)


@irdl_op_definition
class Erf(Analytic):
    """The error function."""

    name = "nd.erf"
    NUMPY: ClassVar = _erf

    def slope(self, x: Value, y: Value) -> Slope:
        return (-(x * x)).apply("exp") * (2.0 / math.sqrt(math.pi))


@irdl_op_definition
class Floor(Unary):
    """The greatest integer not above x."""

    name = "nd.floor"
    NUMPY: ClassVar = np.floor
    DTYPES: ClassVar = FLOATS

    def slope(self, x: Value, y: Value) -> Slope:
        return Zero(x.type)


@irdl_op_definition
class Not(Unary):
    """Every bit of an integer, or the truth value, turned around."""

    name = "nd.not"
    NUMPY: ClassVar = np.invert
    DTYPES: ClassVar = ("bool", *INTEGERS)

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        x = reads[0](at)
        return s.apply("xor", x, s.constant(_ONES[x.dtype], x.dtype))


@irdl_op_definition
class Convert(OneToOne, Elementwise, Linear):
    """To another dtype: floats round to nearest even; to an integer they saturate, NaN gives 0."""

    name = "nd.convert"
    ROLE: ClassVar = Role.FREE
    dtype = prop_def(StringAttr)
    assembly_format = "$x `to` $dtype attr-dict `:` type($x) `->` type($result)"

    @classmethod
    def infer(cls, x: Tensor, *, dtype: str) -> Sequence[Tensor]:
        return [tensor(dtype, shape_of(x))]

    def reference(self, *operands: Array) -> Array:
        return converted(operands[0], self.dtype.data)

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        return s.convert(reads[0](at), self.dtype.data)

    def gradient(self, *cotangents: Value) -> Gradient:
        return [cotangents[0].convert(dtype_of(self.x.type))]


def converted(x: Array, dtype: str) -> Array:
    """`x.astype(dtype)`, except that float to integer saturates and NaN gives 0."""
    target = numpy_dtype(dtype)
    if dtype not in INTEGERS or x.dtype.kind in "biu":
        with np.errstate(all="ignore"):
            return x.astype(target)
    limits = np.iinfo(target.name)
    wide = np.trunc(np.nan_to_num(x.astype(np.float64), nan=0.0))
    inside = np.clip(wide, limits.min, limits.max)
    with np.errstate(invalid="ignore"):
        whole = inside.astype(target)
    return np.where(wide >= float(limits.max), np.asarray(limits.max, target), whole)


_ONES = {"bool": 1, "i8": -1, "i32": -1, "i64": -1, "u8": 255}
