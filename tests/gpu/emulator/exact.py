"""Arithmetic without a second rounding: fused multiply-add, and floats made narrower.

What does not fit into f64 is rounded to odd there (S. Boldo, G. Melquiond, "Emulation of a FMA and
correctly rounded sums: proved algorithms using rounding to odd", IEEE Transactions on Computers 57,
2008): the last bit remembers that something was lost, so that rounding once more is right for any
format of at most 51 bits.
"""

from collections.abc import Callable, Mapping
from math import isfinite

import ml_dtypes
import numpy as np

from emulator.types import Array, DType

ROUNDINGS: Mapping[str, Callable[[Array], Array]] = {
    "rn": np.rint,
    "rna": lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x),
    "rz": np.trunc,
    "rm": np.floor,
    "rp": np.ceil,
}
"""PTX's names for the directions in which a multiple of the last place is taken."""
PRECISIONS = {"tf32": (10, -126)}
"""Bits after the first and the least exponent, where no dtype says so."""


def odd_sum(a: Array, b: Array) -> Array:
    """a + b of f64, rounded to odd."""
    total = a + b
    back = total - a
    error = (a - (total - back)) + (b - back)
    bits = total.view(np.int64)
    even = (error != 0) & ~np.isnan(error) & (bits & 1 == 0)
    if not even.any():
        return total
    outward = np.where((error > 0) == (total > 0), 1, -1)
    return (bits + np.where(even, outward, 0)).view(np.float64)


def summed(a: Array, b: Array, dtype: DType, rounding: str) -> Array:
    """a + b of f64, with one rounding, as a narrower float."""
    total = odd_sum(a, b)
    if rounding == "rm":
        total = np.where((total == 0) & (np.signbit(a) | np.signbit(b)), -0.0, total)
    return narrow(total, dtype, rounding)


def fused(a: Array, b: Array, c: Array, rounding: str = "rn") -> Array:
    """a * b + c with one rounding, for any dtype of floats."""
    if a.dtype == np.float64:
        return np.array([_fused64(*each) for each in zip(a.tolist(), b.tolist(), c.tolist())])
    product = a.astype(np.float64) * b.astype(np.float64)
    return summed(product, c.astype(np.float64), a.dtype, rounding)


def _fused64(a: float, b: float, c: float) -> float:
    if not (isfinite(a) and isfinite(b)):
        return a * b + c
    if not isfinite(c):
        return c
    (n, d), (m, e), (k, f) = a.as_integer_ratio(), b.as_integer_ratio(), c.as_integer_ratio()
    above = n * m * f + k * d * e
    if above == 0:
        return a * b + c
    try:
        return above / (d * e * f)
    except OverflowError:
        return float("inf") if above > 0 else float("-inf")


def narrow(x: Array, dtype: DType, rounding: str = "rn", name: str = "") -> Array:
    """f64 that is exact, or rounded to odd, as a narrower float."""
    if rounding == "rn" and dtype == np.float32 and not name:
        return x.astype(dtype)
    info = ml_dtypes.finfo(dtype)
    digits, least = PRECISIONS.get(name, (info.nmant, info.minexp))
    place = np.maximum(np.frexp(x)[1] - 1, least) - digits
    rounded = np.ldexp(ROUNDINGS[rounding](np.ldexp(x, -place)), place)
    largest = float(info.max) if not name else 2.0 ** (1 - least) * (2 - 2.0**-digits)
    over = (np.abs(rounded) > largest) & np.isfinite(x)
    if over.any():
        stays = (rounding == "rz") | ((rounding == "rm") & (x > 0)) | ((rounding == "rp") & (x < 0))
        edge = np.copysign(np.where(stays, largest, np.inf), x)
        rounded = np.where(over, edge, rounded)
    return np.where(np.isfinite(x), rounded, x).astype(dtype)
