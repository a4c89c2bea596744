"""Elementwise ops of two operands, the comparisons, and select."""

import abc
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, result_def

from stepwell.compiler.dialects.nd import (
    INTEGERS,
    Tensor,
    dtype_of,
    is_float,
    numpy_dtype,
    shape_of,
)
from stepwell.compiler.ops.base import Array, Gradient, Linear, expect, refusal, same
from stepwell.compiler.ops.families import Binary, Compare, Elementwise
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.value import Slope, Value, Zero

LOGICAL = ("bool", *INTEGERS)


@irdl_op_definition
class Add(Binary):
    """x + y; integers wrap."""

    name = "nd.add"
    NUMPY: ClassVar = np.add

    def slopes(self, x: Value, y: Value, result: Value) -> Sequence[Slope]:
        return 1.0, 1.0


@irdl_op_definition
class Sub(Binary):
    """x - y; integers wrap."""

    name = "nd.sub"
    NUMPY: ClassVar = np.subtract

    def slopes(self, x: Value, y: Value, result: Value) -> Sequence[Slope]:
        return 1.0, -1.0


@irdl_op_definition
class Mul(Binary):
    """x * y; integers wrap."""

    name = "nd.mul"
    NUMPY: ClassVar = np.multiply

    def slopes(self, x: Value, y: Value, result: Value) -> Sequence[Slope]:
        return y, x


def _divide(x: Array, y: Array) -> Array:
    return x / y if x.dtype.kind not in "iu" else np.floor_divide(x, y)


@irdl_op_definition
class Div(Binary):
    """x / y; of integers the floor, by zero 0, and the least integer by -1 is itself."""

    name = "nd.div"
    NUMPY: ClassVar = _divide
    COSTLY: ClassVar = True

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        x, y = (read(at) for read in reads)
        return s.apply("div", x, y) if is_float(x.dtype) else floor_division(s, x, y)

    def slopes(self, x: Value, y: Value, result: Value) -> Sequence[Slope]:
        return 1.0 / y, -result / y


def floor_division(s: Scalars, x: Scalar, y: Scalar) -> Scalar:
    """The floor of x / y; hardware traps at a divisor of 0, and at the least integer by -1."""
    zero, one = s.constant(0, x.dtype), s.constant(1, x.dtype)
    by_zero = s.apply("eq", y, zero)
    if x.dtype == "u8":
        return s.select(by_zero, zero, s.apply("quotient", x, s.select(by_zero, one, y)))
    by_minus_one = s.apply("eq", y, s.constant(-1, x.dtype))
    unsafe = s.apply("or", by_zero, by_minus_one)
    divisor = s.select(unsafe, one, y)
    quotient = s.apply("quotient", x, divisor)
    remainder = s.apply("sub", x, s.apply("mul", quotient, divisor))
    signs_differ = s.apply("lt", s.apply("xor", remainder, divisor), zero)
    inexact = s.apply("and", s.apply("ne", remainder, zero), signs_differ)
    floor = s.select(inexact, s.apply("sub", quotient, one), quotient)
    negated = s.select(by_minus_one, s.apply("sub", zero, x), floor)
    return s.select(by_zero, zero, negated)


def _power_of_integers(x: Array, y: Array) -> Array:
    """Wrapping; the reference of `Pow`."""
    minus_one = np.where(y & 1, x, x * x)
    of_negative = np.where((x == 1) | (x + 1 == 0), minus_one, np.zeros_like(x))
    return np.where(y < 0, of_negative, np.power(x, np.maximum(y, 0)))


def _power(x: Array, y: Array) -> Array:
    return np.power(x, y) if x.dtype.kind not in "iu" else _power_of_integers(x, y)


@irdl_op_definition
class Pow(Binary):
    """x to the y; of integers with y < 0 the quotient 1 / x**-y, truncated, and 0 for x = 0."""

    name = "nd.pow"
    NUMPY: ClassVar = _power
    COSTLY: ClassVar = True

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        x, y = (read(at) for read in reads)
        return s.apply("pow", x, y) if is_float(x.dtype) else _integer_power(s, x, y)

    def slopes(self, x: Value, y: Value, result: Value) -> Sequence[Slope]:
        flat = y.compare("eq", 0)
        base = flat.select(x.like(0), y * x ** (y - 1.0))
        safe = x.compare("gt", 0).select(x, 1.0)
        exponent = x.compare("gt", 0).select(result * safe.apply("log"), 0.0)
        return base, exponent


def _integer_power(s: Scalars, x: Scalar, y: Scalar) -> Scalar:
    zero, one = s.constant(0, x.dtype), s.constant(1, x.dtype)
    negative = s.apply("lt", y, zero)
    result, base, bits = one, x, s.select(negative, zero, y)
    for _ in range({"u8": 8, "i8": 7, "i32": 31, "i64": 63}[x.dtype]):
        odd = s.apply("ne", s.apply("and", bits, one), zero)
        result = s.select(odd, s.apply("mul", result, base), result)
        base, bits = s.apply("mul", base, base), s.apply("shift_right", bits, one)
    if x.dtype == "u8":
        return result
    unit = s.apply("eq", s.apply("mul", x, x), one)
    small = s.apply("le", s.apply("abs", x), one)
    odd = s.apply("ne", s.apply("and", y, one), zero)
    of_negative = s.select(s.apply("and", unit, small), s.select(odd, x, one), zero)
    return s.select(negative, of_negative, result)


class Extremum(Binary, abc.ABC):
    """One of two numbers: of the slope all to that which is taken, half to each on a tie."""

    DTYPES: ClassVar = Compare.DTYPES
    TAKES_X: ClassVar[str]
    """How x compares to y where it is taken."""

    def slopes(self, x: Value, y: Value, result: Value) -> Sequence[Slope]:
        one, zero = x.like(1), x.like(0)
        tie = x.compare("eq", y).select(x.like(0.5), zero)
        left = x.compare(self.TAKES_X, y).select(one, tie)
        return left, 1.0 - left


@irdl_op_definition
class Max(Extremum):
    """The greater; NaN if either is, and 0 above -0."""

    name = "nd.max"
    NUMPY: ClassVar = np.maximum
    TAKES_X: ClassVar = "gt"


@irdl_op_definition
class Min(Extremum):
    """The less; NaN if either is, and -0 below 0."""

    name = "nd.min"
    NUMPY: ClassVar = np.minimum
    TAKES_X: ClassVar = "lt"


@irdl_op_definition
class And(Binary):
    """Bit by bit, or of truth values."""

    name = "nd.and"
    NUMPY: ClassVar = np.bitwise_and
    DTYPES: ClassVar = LOGICAL


@irdl_op_definition
class Or(Binary):
    """Bit by bit, or of truth values."""

    name = "nd.or"
    NUMPY: ClassVar = np.bitwise_or
    DTYPES: ClassVar = LOGICAL


class Shift(Binary, abc.ABC):
    """The bits of x moved by y places; a negative y counts as one past the width."""

    DTYPES: ClassVar = INTEGERS


@irdl_op_definition
class ShiftLeft(Shift):
    """x * 2**y, which wraps; past the width 0."""

    name = "nd.shift_left"
    NUMPY: ClassVar = np.left_shift

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        x, y = (read(at) for read in reads)
        zero, inside = s.constant(0, x.dtype), _within_the_width(s, y)
        return s.select(inside, s.apply("shift_left", x, s.select(inside, y, zero)), zero)


@irdl_op_definition
class ShiftRight(Shift):
    """The floor of x / 2**y; past the width 0, or -1 where x is negative."""

    name = "nd.shift_right"
    NUMPY: ClassVar = np.right_shift

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        x, y = (read(at) for read in reads)
        inside = _within_the_width(s, y)
        most = s.constant(_width(x.dtype) - 1, x.dtype)
        shifted = s.apply("shift_right", x, s.select(inside, y, most))
        unsigned = x.dtype == "u8"
        return s.select(inside, shifted, s.constant(0, x.dtype)) if unsigned else shifted


def _within_the_width(s: Scalars, count: Scalar) -> Scalar:
    """Whether the processor shifts by this count as it says, rather than modulo the width."""
    above = s.apply("ge", count, s.constant(0, count.dtype))
    return s.apply("and", above, s.apply("lt", count, s.constant(_width(count.dtype), count.dtype)))


def _width(dtype: str) -> int:
    return 8 * numpy_dtype(dtype).itemsize


@irdl_op_definition
class Eq(Compare):
    """Whether x = y: false if either is NaN."""

    name = "nd.eq"
    NUMPY: ClassVar = np.equal


@irdl_op_definition
class Ne(Compare):
    """Whether x and y differ: true if either is NaN."""

    name = "nd.ne"
    NUMPY: ClassVar = np.not_equal


@irdl_op_definition
class Lt(Compare):
    """Whether x < y: false if either is NaN."""

    name = "nd.lt"
    NUMPY: ClassVar = np.less


@irdl_op_definition
class Le(Compare):
    """Whether x <= y: false if either is NaN."""

    name = "nd.le"
    NUMPY: ClassVar = np.less_equal


@irdl_op_definition
class Gt(Compare):
    """Whether x > y: false if either is NaN."""

    name = "nd.gt"
    NUMPY: ClassVar = np.greater


@irdl_op_definition
class Ge(Compare):
    """Whether x >= y: false if either is NaN."""

    name = "nd.ge"
    NUMPY: ClassVar = np.greater_equal


@irdl_op_definition
class Select(Elementwise, Linear):
    """x where the condition holds, else y; what is not picked does not matter, NaN or not."""

    name = "nd.select"
    condition = operand_def(TensorType)
    x = operand_def(TensorType)
    y = operand_def(TensorType)
    result = result_def(TensorType)
    assembly_format = (
        "$condition `,` $x `,` $y attr-dict `:` type($condition) `,` type($x) `,` type($y)"
        " `->` type($result)"
    )

    @classmethod
    def infer(cls, condition: Tensor, x: Tensor, y: Tensor) -> Sequence[Tensor]:
        expect(dtype_of(condition) == "bool", cls, f"the condition is {dtype_of(condition)}")
        result = same(cls, x, y)
        if shape_of(condition) != shape_of(result):
            raise refusal(cls, "the condition's shape is not that of the values", "broadcast it")
        return [result]

    def reference(self, *operands: Array) -> Array:
        return np.where(*operands)

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        condition, x, y = (read(at) for read in reads)
        return s.select(condition, x, y)

    def gradient(self, *cotangents: Value) -> Gradient:
        condition, g = Value(self.condition), cotangents[0]
        return [Zero(condition.type), condition.select(g, 0), condition.select(g.like(0), g)]
