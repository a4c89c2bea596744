"""Fused multiply-add on NumPy arrays: `a * b + c` rounded once, for f32 and f64.

Sources: S. Boldo, G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms
using rounding to odd", IEEE Transactions on Computers 57 (2008); T. Dekker, "A floating-point
technique for extending the available precision", Numerische Mathematik 18 (1971).
"""

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
SMALLEST_NORMAL_F32 = 2.0**-126
SMALLEST_NORMAL = 2.0**-1022
# The bits of an f64 fraction that f32 has no room for, and the first of them.
BELOW_F32 = (1 << 29) - 1
HALF_OF_F32 = 1 << 28


@np.errstate(all="ignore")
def fma32(a: Float32, b: Float32, c: Float32) -> Float32:
    """`a * b + c` of f32 arrays that broadcast. The product is exact in f64. The sum, rounded to
    f64 and again to f32, is right unless the first rounding made a tie of the second or the result
    is denormal; there the first is to odd, which 53 >= 24 + 2 bits allow."""
    product = np.asarray(a, np.float64) * b
    total = np.asarray(product + c)
    result = np.asarray(total.astype(np.float32))
    tie = total.view(np.int64) & BELOW_F32 == HALF_OF_F32
    # Zero is exact: neither a product of f32 nor a sum of f64 can be too small for f64.
    rare = tie | ((np.abs(total) < SMALLEST_NORMAL_F32) & (total != 0))
    if np.count_nonzero(rare):
        product = np.broadcast_to(product, rare.shape)[rare]
        addend = np.broadcast_to(c, rare.shape)[rare]
        result[rare] = _odd_sum(product, addend.astype(np.float64))
    return result


@np.errstate(all="ignore")
def fma64(a: Float64, b: Float64, c: Float64) -> Float64:
    """`a * b + c` of f64 arrays that broadcast."""
    a, b, c = np.broadcast_arrays(a, b, c)
    result = np.asarray(_fma_in_range(a, b, c))
    rare = ~_safe(a, b, c)
    if np.count_nonzero(rare):
        result[rare] = _fma_any(a[rare], b[rare], c[rare])
    return result


def _safe(a: Float64, b: Float64, c: Float64) -> NDArray[np.bool_]:
    """Where no step of `_fma_in_range` overflows or leaves the normal numbers."""
    product = np.abs(a * b)
    small = (np.abs(a) < 2.0**900) & (np.abs(b) < 2.0**900) & (np.abs(c) < 2.0**900)
    return small & (product > 2.0**-800) & (product < 2.0**900)


def _fma_in_range(a: Float64, b: Float64, c: Float64) -> Float64:
    high, low = _product(a, b)
    near, rest = _sum(c, low)
    near, middle = _sum(high, near)
    return near + _odd_sum(rest, middle)


def _fma_any(a: Float64, b: Float64, c: Float64) -> Float64:
    """With a and b scaled to [1/2, 1) and c by as much as their product; results below the normal
    numbers are rounded at the place of the last denormal bit."""
    ma, ea = np.frexp(a)
    mb, eb = np.frexp(b)
    mc, ec = np.frexp(c)
    # Farther apart than this, only the sign of the smaller one matters.
    distance = np.where(c == 0, 0, ec - (ea + eb))
    exponent = ea + eb + np.maximum(distance - 120, 0)
    mc = np.ldexp(mc, np.clip(distance, -120, 120))
    result = np.ldexp(_fma_in_range(ma, mb, mc), exponent)
    denormal = np.ldexp(_round_at(ma, mb, mc, -1074 - exponent), exponent)
    result = np.where(np.abs(result) > SMALLEST_NORMAL, result, denormal)
    finite = np.isfinite(a) & np.isfinite(b)
    result = np.where((a == 0) | (b == 0) | ~finite, a * b + c, result)
    return np.where(finite & ~np.isfinite(c), c, result)


def _round_at(a: Float64, b: Float64, c: Float64, place: NDArray[np.int32]) -> Float64:
    """`a * b + c` rounded to a multiple of 2^place, if at most 2^(place + 52)."""
    high, low = _product(a, b)
    near, rest = _sum(c, low)
    near, middle = _sum(high, near)
    tail = _odd_sum(rest, middle)
    sign = near + tail
    # The last bit of the anchor has that place, and that of its sum with the result, too.
    anchor = np.copysign(np.ldexp(1.0, np.clip(place + 52, -300, 300)), sign)
    near, error = _sum(anchor, near)
    return np.copysign((near + _odd_sum(error, tail)) - anchor, sign)


def _sum(a: Float64, b: Float64) -> tuple[Float64, Float64]:
    """The rounded sum and its error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _product(a: Float64, b: Float64) -> tuple[Float64, Float64]:
    """The rounded product and its error (Dekker)."""
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    total = a * b
    error = a_low * b_low - (((total - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return total, error


def _split(a: Float64) -> tuple[Float64, Float64]:
    """Two parts of at most 26 bits (Veltkamp)."""
    wide = a * (2.0**27 + 1)
    high = wide - (wide - a)
    return high, a - high


def _odd_sum(a: Float64, b: Float64) -> Float64:
    """`a + b` rounded to odd: if inexact, to the neighbour whose last bit is 1."""
    total, error = _sum(a, b)
    encoding = np.asarray(total).view(np.int64)
    inexact = np.isfinite(error) & (error != 0) & (encoding & 1 == 0)
    away = np.where((error > 0) == (total > 0), 1, -1)
    return (encoding + inexact * away).view(np.float64)
