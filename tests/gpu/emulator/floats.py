"""Arithmetic of floats: rounded once, NaN as the card writes it, subnormals flushed where asked."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from emulator.exact import fused, narrow, summed
from emulator.types import UNSIGNED, Array

How: TypeAlias = Mapping[str, str]
"""The modifiers of a mnemonic, by the names of the table's forms."""
Lanewise: TypeAlias = Callable[..., Array]
"""Arrays with an element for each thread (two for packed types), to one like them."""
Meaning: TypeAlias = Callable[[How], Lanewise]

NANS = {"float32": 0x7FFFFFFF, "float16": 0x7FFF, "bfloat16": 0x7FFF, "float64": 0x7FF8 << 48}


def canonical(x: Array) -> Array:
    """x with every NaN as the one that the card gives."""
    nan = np.isnan(x)
    if not nan.any():
        return x
    bits = x.view(UNSIGNED[8 * x.itemsize])
    return np.where(nan, bits.dtype.type(NANS[x.dtype.name]), bits).view(x.dtype)


def flushed(x: Array) -> Array:
    """x with zero, of the same sign, for what is subnormal."""
    least = np.finfo(np.float32 if x.dtype.name == "bfloat16" else x.dtype).tiny
    return np.where(np.abs(x) < x.dtype.type(least), np.copysign(x.dtype.type(0), x), x)


def saturated(x: Array) -> Array:
    """x moved into [0, 1]; NaN gives 0."""
    one, zero = x.dtype.type(1), x.dtype.type(0)
    return np.where(x > one, one, np.where(x > zero, x, zero))


def delivered(how: How, result: Array) -> Array:
    """The result with what `.sat` and `.relu` ask for, and the card's NaN."""
    if "sat" in how:
        result = saturated(result)
    if "relu" in how:
        result = np.where((result > 0) | np.isnan(result), result, result.dtype.type(0))
    return canonical(result)


def finished(how: How, function: Lanewise) -> Lanewise:
    """`function` with what `.ftz`, `.sat` and `.relu` ask for, and the card's NaN."""

    def run(*operands: Array) -> Array:
        if "ftz" in how:
            operands = tuple(map(flushed, operands))
        result = function(*operands)
        return delivered(how, flushed(result) if "ftz" in how else result)

    return run


def rounded(function: Lanewise) -> Meaning:
    """An operation that NumPy rounds to nearest, as IEEE asks."""
    return lambda how: finished(how, function)


def added(sign: int) -> Meaning:
    """x + y, or x - y for -1, in any direction."""

    def meaning(how: How) -> Lanewise:
        rounding = how.get("rnd", "rn")
        if rounding == "rn":
            return finished(how, np.add if sign > 0 else np.subtract)
        return finished(how, lambda a, b: summed(_wide(a), sign * _wide(b), a.dtype, rounding))

    return meaning


def multiplied(how: How) -> Lanewise:
    rounding = how.get("rnd", "rn")
    if rounding == "rn":
        return finished(how, np.multiply)
    return finished(how, lambda a, b: narrow(_wide(a) * _wide(b), a.dtype, rounding))


def _wide(x: Array) -> Array:
    return x.astype(np.float64)


def fused_sum(how: How) -> Lanewise:
    rounding = how.get("rnd", "rn")
    return finished(how, lambda a, b, c: fused(a, b, c, rounding))


def negated(how: How) -> Lanewise:
    return _on_bits(how, lambda bits, sign: bits ^ sign)


def magnitude(how: How) -> Lanewise:
    return _on_bits(how, lambda bits, sign: bits & ~sign)


def with_sign(how: How) -> Lanewise:
    """The sign of the first operand on the magnitude of the second."""
    return lambda a, b: np.copysign(b, a)


def _on_bits(how: How, function: Callable[[Array, Array], Array]) -> Lanewise:
    def run(x: Array) -> Array:
        bits = (flushed(x) if "ftz" in how else x).view(UNSIGNED[8 * x.itemsize])
        return function(bits, bits.dtype.type(1 << 8 * x.itemsize - 1)).view(x.dtype)

    return run


def chosen(less: bool) -> Meaning:
    """The less or the greater: the one that is no NaN, unless `.NaN` asks for it; -0 below 0."""

    def meaning(how: How) -> Lanewise:
        def run(a: Array, b: Array) -> Array:
            before = (a < b) | ((a == b) & np.signbit(a))
            result = np.where(before == less, a, b)
            result = np.where(np.isnan(a), b, np.where(np.isnan(b), a, result))
            if "nan" not in how:
                return result
            return np.where(np.isnan(a), a, np.where(np.isnan(b), b, result))

        return finished(how, run)

    return meaning


APPROXIMATIONS: Mapping[str, Callable[[Array], Array]] = {
    "rcp": np.reciprocal,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sin": np.sin,
    "cos": np.cos,
    "lg2": np.log2,
    "ex2": np.exp2,
}
"""Of f32."""


def approximate(function: Callable[[Array], Array]) -> Meaning:
    """What the card approximates, to within half a unit in the last place."""

    def meaning(how: How) -> Lanewise:
        return finished(how, lambda x: narrow(function(_wide(x)), x.dtype))

    return meaning


def quotient(how: How) -> Lanewise:
    """`div.approx` and `div.full`: the former gives 0 where one over |b| would be subnormal."""

    def run(a: Array, b: Array) -> Array:
        result = a / b
        if how["how"] != "approx":
            return result
        huge = (np.abs(b) >= np.float32(2.0**126)) & np.isfinite(b)
        return np.where(huge, np.where(np.isinf(a), np.float32(np.nan), result * 0), result)

    return finished(how, run)


PROPERTIES: Mapping[str, Callable[[Array], Array]] = {
    "finite": np.isfinite,
    "infinite": np.isinf,
    "number": lambda x: ~np.isnan(x),
    "notanumber": np.isnan,
    "normal": lambda x: np.isfinite(x) & (np.abs(x) >= np.finfo(x.dtype).tiny),
    "subnormal": lambda x: (np.abs(x) < np.finfo(x.dtype).tiny) & (x != 0),
}


def classified(how: How) -> Lanewise:
    """`testp`."""
    return PROPERTIES[how["property"]]
