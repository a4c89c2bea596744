"""Functions of elements at the same place, after promotion and broadcasting."""

from typing import Any

from stepwell.array import Array, ArrayLike, apply, asarray, broadcast_arrays, elementwise, promoted
from stepwell.compiler.dialects.nd import is_float
from stepwell.numpy.dtypes import finfo

LOG_2 = 0.6931471805599453
LOG_10 = 2.302585092994046


def _operands(x: ArrayLike, y: ArrayLike) -> tuple[Any, Any]:
    """Operands for one of Python's operators, which knows weak numbers: one of them is an Array."""
    return (x, y) if isinstance(y, Array) and not y.weak else (asarray(x), y)


def add(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a + b


def subtract(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a - b


def multiply(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a * b


def divide(x: ArrayLike, y: ArrayLike) -> Array:
    """x / y; of integers in f32."""
    a, b = _operands(x, y)
    return a / b


def floor_divide(x: ArrayLike, y: ArrayLike) -> Array:
    """The floor of x / y; of integers by zero 0."""
    a, b = _operands(x, y)
    return a // b


def mod(x: ArrayLike, y: ArrayLike) -> Array:
    """`x - floor_divide(x, y) * y`, which has the sign of y."""
    a, b = _operands(x, y)
    return a % b


def power(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a**b


def negative(x: ArrayLike) -> Array:
    return -asarray(x)


def positive(x: ArrayLike) -> Array:
    return asarray(x)


def abs(x: ArrayLike) -> Array:
    return elementwise("abs", asarray(x))


def sign(x: ArrayLike) -> Array:
    """-1, 0 or 1; NaN stays."""
    return elementwise("sign", asarray(x))


def square(x: ArrayLike) -> Array:
    return multiply(x, x)


def reciprocal(x: ArrayLike) -> Array:
    return 1 / asarray(x)


# Comparison.


def equal(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a == b


def not_equal(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a != b


def less(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a < b


def less_equal(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a <= b


def greater(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a > b


def greater_equal(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a >= b


def isnan(x: ArrayLike) -> Array:
    return elementwise("ne", asarray(x), asarray(x))


def isfinite(x: ArrayLike) -> Array:
    x = asarray(x)
    return abs(x) < float("inf") if is_float(x.dtype) else equal(x, x)


def isinf(x: ArrayLike) -> Array:
    x = asarray(x)
    return abs(x) == float("inf") if is_float(x.dtype) else not_equal(x, x)


def isclose(
    x: ArrayLike, y: ArrayLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Array:
    """Whether x and y differ by no more than `atol + rtol * abs(y)`."""
    a, b = promoted(x, y)
    near = (a == b) | (isfinite(b) & (abs(a - b) <= atol + rtol * abs(b)))
    return near | (isnan(a) & isnan(b)) if equal_nan else near


# Choice.


def maximum(x: ArrayLike, y: ArrayLike) -> Array:
    """The greater; NaN if either is."""
    return elementwise("max", x, y)


def minimum(x: ArrayLike, y: ArrayLike) -> Array:
    """The less; NaN if either is."""
    return elementwise("min", x, y)


def clip(x: ArrayLike, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Array:
    """x, but not below `min` and not above `max`."""
    return asarray(x).clip(min, max)


def where(condition: ArrayLike, x: ArrayLike, y: ArrayLike) -> Array:
    """x where the condition holds, else y."""
    operands = [asarray(condition).astype("bool"), *promoted(x, y)]
    return apply("select", *broadcast_arrays(*operands, what="where"))


def nan_to_num(
    x: ArrayLike, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Array:
    """Numbers in the place of NaN and infinities; for the latter the greatest ones there are."""
    x = asarray(x)
    if not is_float(x.dtype):
        return x
    most = float(finfo(x.dtype).max)
    above = where(x == float("inf"), most if posinf is None else posinf, x)
    below = where(x == float("-inf"), -most if neginf is None else neginf, above)
    return where(isnan(x), nan, below)


# Exponentials, roots and waves. Integers are converted to f32.


def _of_floats(mnemonic: str, x: ArrayLike) -> Array:
    return elementwise(mnemonic, asarray(x).floating())


def exp(x: ArrayLike) -> Array:
    return _of_floats("exp", x)


def exp2(x: ArrayLike) -> Array:
    return exp(asarray(x).floating() * LOG_2)


def expm1(x: ArrayLike) -> Array:
    """exp(x) - 1, precise near 0: tanh(x/2) is (exp(x) - 1) / (exp(x) + 1)."""
    x = asarray(x).floating()
    return tanh(x * 0.5) * (exp(x) + 1.0)


def log(x: ArrayLike) -> Array:
    """The natural logarithm: -inf at 0, NaN below."""
    return _of_floats("log", x)


def log1p(x: ArrayLike) -> Array:
    """log(1 + x), precise near 0: what u = 1 + x lost to rounding is added as (x - (u - 1)) / u."""
    x = asarray(x).floating()
    u = x + 1.0
    regular = (u > 0.0) & (u < float("inf"))
    lost = where(regular, x - (u - 1.0), 0.0)
    return log(u) + lost / where(regular, u, 1.0)


def log2(x: ArrayLike) -> Array:
    return log(x) / LOG_2


def log10(x: ArrayLike) -> Array:
    return log(x) / LOG_10


def logaddexp(x: ArrayLike, y: ArrayLike) -> Array:
    """log(exp(x) + exp(y)) without overflow."""
    greater_one = maximum(x, y)
    apart = subtract(x, y)
    return where(isnan(apart), greater_one, greater_one + log1p(exp(-abs(apart))))


def sqrt(x: ArrayLike) -> Array:
    return _of_floats("sqrt", x)


def rsqrt(x: ArrayLike) -> Array:
    """One over the square root."""
    return _of_floats("rsqrt", x)


def sin(x: ArrayLike) -> Array:
    return _of_floats("sin", x)


def cos(x: ArrayLike) -> Array:
    return _of_floats("cos", x)


def tan(x: ArrayLike) -> Array:
    return sin(x) / cos(x)


def tanh(x: ArrayLike) -> Array:
    return _of_floats("tanh", x)


def sinh(x: ArrayLike) -> Array:
    """tanh(x/2) (1 + cosh(x)), which is precise near 0."""
    x = asarray(x).floating()
    return tanh(x * 0.5) * (1.0 + cosh(x))


def cosh(x: ArrayLike) -> Array:
    """Half the sum of exp(x) and exp(-x), each the square of a root that does not overflow."""
    x = asarray(x).floating() * 0.5
    up, down = exp(x), exp(-x)
    return (0.5 * up) * up + (0.5 * down) * down


def erf(x: ArrayLike) -> Array:
    """The error function."""
    return _of_floats("erf", x)


# Rounding. Integers stay as they are.


def floor(x: ArrayLike) -> Array:
    x = asarray(x)
    return elementwise("floor", x) if is_float(x.dtype) else x


def ceil(x: ArrayLike) -> Array:
    x = asarray(x)
    return -floor(-x) if is_float(x.dtype) else x


def trunc(x: ArrayLike) -> Array:
    """Towards zero."""
    x = asarray(x)
    return where(x < 0, ceil(x), floor(x))


def round(x: ArrayLike, decimals: int = 0) -> Array:
    """To the nearest multiple of 10**-decimals, ties to the even one."""
    return asarray(x).round(decimals)


# Truth values and bits.


def logical_and(x: ArrayLike, y: ArrayLike) -> Array:
    return asarray(x).astype("bool") & asarray(y).astype("bool")


def logical_or(x: ArrayLike, y: ArrayLike) -> Array:
    return asarray(x).astype("bool") | asarray(y).astype("bool")


def logical_xor(x: ArrayLike, y: ArrayLike) -> Array:
    return asarray(x).astype("bool") != asarray(y).astype("bool")


def logical_not(x: ArrayLike) -> Array:
    return ~asarray(x).astype("bool")


def bitwise_and(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a & b


def bitwise_or(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a | b


def bitwise_xor(x: ArrayLike, y: ArrayLike) -> Array:
    a, b = _operands(x, y)
    return a ^ b


def bitwise_not(x: ArrayLike) -> Array:
    return ~asarray(x)


def bitwise_left_shift(x: ArrayLike, y: ArrayLike) -> Array:
    """x * 2**y; past the width, and by a negative y, 0."""
    a, b = _operands(x, y)
    return a << b


def bitwise_right_shift(x: ArrayLike, y: ArrayLike) -> Array:
    """The floor of x / 2**y; past the width, and by a negative y, 0 or -1, as x has a sign."""
    a, b = _operands(x, y)
    return a >> b
