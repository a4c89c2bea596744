"""Scalar functions on NumPy arrays, where NumPy's own mean something else or are not enough."""

from collections.abc import Callable

import numpy as np

from stepwell.compiler.interpret.fma import fma32, fma64
from stepwell.compiler.interpret.lanes import evaluate
from stepwell.compiler.interpret.loops.casts import signed, unsigned, wrap
from stepwell.compiler.interpret.loops.values import Value

Function = Callable[..., Value]
Unary = Callable[[Value], Value]
Binary = Callable[[Value, Value], Value]


def divide(a: Value, b: Value) -> Value:
    return a / b


def both(a: Value, b: Value) -> Value:
    return a & b


def either(a: Value, b: Value) -> Value:
    return a | b


def differing(a: Value, b: Value) -> Value:
    return a ^ b


def negate(a: Value) -> Value:
    return -a


def maximum(a: Value, b: Value) -> Value:
    """Of floats: NaN if either is; +0 is above -0."""
    return _extremum(np.maximum, both, a, b)


def minimum(a: Value, b: Value) -> Value:
    """Of floats: NaN if either is; -0 is below +0."""
    return _extremum(np.minimum, either, a, b)


def _extremum(function: Function, join: Binary, a: Value, b: Value) -> Value:
    """Equal floats differ in the sign of zero only; `join` tells which sign bit to keep."""
    result = np.asarray(function(a, b))
    level = (result == 0) & (a == b)
    if not level.any():
        return result[()]
    integer = f"i{result.dtype.itemsize}"
    kept = join(np.asarray(a).view(integer), np.asarray(b).view(integer))
    return np.where(level, kept.view(result.dtype), result)[()]


def fma(a: Value, b: Value, c: Value) -> Value:
    """`a * b + c`: floats are rounded once, integers wrap."""
    dtype = np.asarray(c).dtype
    if dtype == np.float32:
        return fma32(a, b, c)
    return fma64(a, b, c) if dtype == np.float64 else a * b + c


def select(condition: Value, true: Value, false: Value) -> Value:
    """Lane by lane where the condition is a vector or depends on the index."""
    if not np.ndim(condition):
        return true if condition else false
    return np.where(condition, np.asarray(true), np.asarray(false))


def quotient(a: Value, b: Value) -> Value:
    """Of integers, towards zero."""
    return (a - np.fmod(a, b)) // b


def dividing(function: Binary) -> Binary:
    """Refuses what traps in compiled code: rules put a safe divisor in the place of others."""

    def divided(a: Value, b: Value) -> Value:
        if np.any(np.equal(b, 0)):
            raise ZeroDivisionError("an integer division by zero traps in compiled code")
        lowest = np.iinfo(a.dtype).min
        if lowest < 0 and np.any((a == lowest) & (b == -1)):
            raise OverflowError("the least integer divided by -1 traps in compiled code")
        return function(a, b)

    return divided


def as_signed(function: Function) -> Function:
    """The function on integers read as signed, the result in their own type."""
    return _read_as(signed, function)


def as_unsigned(function: Function) -> Function:
    """The function on integers read as unsigned, the result in their own type."""
    return _read_as(unsigned, function)


def _read_as(read: Unary, function: Function) -> Function:
    def of_read(*operands: Value) -> Value:
        dtype = np.asarray(operands[0]).dtype
        return wrap(np.asarray(function(*map(read, operands))), dtype)[()]

    return of_read


def comparing_signed(function: Binary) -> Binary:
    def compare(a: Value, b: Value) -> Value:
        if type(a) is int and type(b) is int:
            return function(a, b)
        return function(signed(a), signed(b))

    return compare


def comparing_unsigned(function: Binary) -> Binary:
    def compare(a: Value, b: Value) -> Value:
        return function(unsigned(a), unsigned(b))

    return compare


def polynomial(name: str) -> Function:
    """The math function that compiled code computes by the same steps."""
    return lambda *operands: evaluate(name, *map(np.asarray, operands))[()]
