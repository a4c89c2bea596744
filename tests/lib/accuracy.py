"""Errors in units in the last place, and the inputs that the math functions are measured on."""

from collections.abc import Iterator

import mpmath
import numpy as np
from numpy.typing import NDArray

LARGEST_F32 = float(np.finfo(np.float32).max)


def errors_f32(got: NDArray[np.float32], exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """|got - exact| in ulp of f32 at exact, denormals counted as such; 0 where both are the same
    infinity or NaN, inf where only one is."""
    rounded = np.where(
        np.abs(exact) > LARGEST_F32 * (1 + 2.0**-25), np.copysign(np.inf, exact), exact
    )
    ulp = np.ldexp(1.0, np.maximum(np.frexp(exact)[1] - 24, -149))
    errors = np.abs(got - exact) / ulp
    same = (got == rounded) | (np.isnan(got) & np.isnan(exact))
    return np.where(same, 0.0, np.where(np.isnan(errors), np.inf, errors))


def error_f64(got: float, exact: mpmath.mpf) -> float:
    """|got - exact| in ulp of f64 at exact, for finite exact; values beyond f64 count as inf."""
    if abs(exact) >= mpmath.mpf(2) ** 1024 * (1 - mpmath.mpf(2) ** -54):
        return 0.0 if got == np.copysign(np.inf, float(mpmath.sign(exact))) else np.inf
    if exact == 0 or not np.isfinite(got):
        return 0.0 if got == exact else np.inf
    ulp = mpmath.ldexp(1, max(mpmath.frexp(abs(exact))[1] - 53, -1074))
    return float(abs(mpmath.mpf(float(got)) - exact) / ulp)


def every_exponent(fractions: int = 4096) -> Iterator[NDArray[np.float32]]:
    """Both signs and all 256 exponents of f32 (zeros, denormals, infinities and NaN among them)
    with this many fractions each: the first and last eight, and one of each stretch of the rest."""
    stretch = 2**23 // fractions
    fraction = np.arange(fractions) * stretch
    fraction += np.random.default_rng(0).integers(0, stretch, fractions)
    fraction[:8], fraction[-8:] = np.arange(8), 2**23 - 8 + np.arange(8)
    for upper in range(0, 512, 8):
        encoding = (np.arange(upper, upper + 8) << 23)[:, None] | fraction
        yield encoding.astype(np.uint32).ravel().view(np.float32)
