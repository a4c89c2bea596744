"""Arithmetic of integers, which wraps."""

import numpy as np

from emulator.floats import How, Lanewise, Meaning
from emulator.types import TYPES, Array


def always(function: Lanewise) -> Meaning:
    """A function that no modifier changes."""
    return lambda how: function


def saturating(function: Lanewise) -> Meaning:
    """Of s32 with `.sat`: moved into the type instead of wrapped."""

    def meaning(how: How) -> Lanewise:
        if "sat" not in how:
            return function
        least, largest = np.iinfo(np.int32).min, np.iinfo(np.int32).max

        def run(a: Array, b: Array) -> Array:
            exact = function(a.astype(np.int64), b.astype(np.int64))
            return np.clip(exact, least, largest).astype(np.int32)

        return run

    return meaning


def positive(function: Lanewise) -> Meaning:
    """With `.relu`: 0 in place of what is less."""
    return lambda how: lambda *given: np.maximum(function(*given), 0)


def wide_product(how: How) -> Lanewise:
    wide = np.dtype(f"{TYPES[how['type']].dtype.kind}{TYPES[how['type']].bytes * 2}")
    return lambda a, b: a.astype(wide) * b.astype(wide)


def high_product(how: How) -> Lanewise:
    type = TYPES[how["type"]]
    if type.bits == 64:
        return _high64 if type.is_signed else _high_unsigned64
    product = wide_product(how)
    return lambda a, b: (product(a, b) >> type.bits).astype(a.dtype)


def _high_unsigned64(a: Array, b: Array) -> Array:
    """By halves, as on paper."""
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    a1, a0, b1, b0 = a >> half, a & mask, b >> half, b & mask
    middle = a1 * b0 + (a0 * b0 >> half)
    return a1 * b1 + (middle >> half) + ((a0 * b1 + (middle & mask)) >> half)


def _high64(a: Array, b: Array) -> Array:
    high = _high_unsigned64(a.view(np.uint64), b.view(np.uint64)).view(np.int64)
    return high - np.where(a < 0, b, 0) - np.where(b < 0, a, 0)


def low_sum(how: How) -> Lanewise:
    return lambda a, b, c: a * b + c


def high_sum(how: How) -> Lanewise:
    product = high_product(how)
    return lambda a, b, c: product(a, b) + c


def wide_sum(how: How) -> Lanewise:
    product = wide_product(how)
    return lambda a, b, c: product(a, b) + c


def quotient(a: Array, b: Array) -> Array:
    """Toward zero; all bits set for a divisor of 0."""
    floor = np.floor_divide(a, b)
    inexact = (floor * b != a) & ((a < 0) != (b < 0))
    return np.where(b == 0, ~np.zeros_like(a), floor + inexact.astype(a.dtype))


def remainder(a: Array, b: Array) -> Array:
    """Of the quotient toward zero; the dividend for a divisor of 0."""
    return np.where(b == 0, a, a - quotient(a, b) * b)


def difference_added(a: Array, b: Array, c: Array) -> Array:
    """`sad`: c + |a - b|."""
    return c + np.where(a < b, b - a, a - b)
