"""Arithmetic without a second rounding: fused multiply-add, and floats made narrower.

What does not fit into f64 is rounded to odd there (S. Boldo, G. Melquiond, "Emulation of a FMA and
correctly rounded sums: proved algorithms using rounding to odd", IEEE Transactions on Computers 57,
2008): the last bit remembers that something was lost, so that rounding once more is right for any
format of at most 51 bits.
"""

import ctypes
from collections.abc import Callable, Mapping

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
_fma = ctypes.CDLL("libm.so.6").fma
"""The C library's, which rounds once by the standard."""
_fma.restype, _fma.argtypes = ctypes.c_double, [ctypes.c_double] * 3
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
        return np.array([*map(_fma, a.tolist(), b.tolist(), c.tolist())])
    product = a.astype(np.float64) * b.astype(np.float64)
    return summed(product, c.astype(np.float64), a.dtype, rounding)


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
