"""Fused multiply-add, against exact rational arithmetic and the C library."""

import ctypes
import ctypes.util
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from stepwell.compiler.interpret.fma import fma32, fma64

FMA = {np.float32: fma32, np.float64: fma64}
SPECIAL = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan)


def operands(dtype: type[np.floating], count: int, seed: int) -> list[NDArray[np.floating]]:
    """Numbers of all magnitudes whose product and addend are often near each other, nearly cancel,
    have few bits, or lie at the borders of the format."""
    random = np.random.default_rng(seed)
    precision, last = np.finfo(dtype).nmant + 1, np.finfo(dtype).maxexp - 1

    def numbers(exponents: NDArray[np.int64]) -> NDArray[np.floating]:
        few = random.integers(0, 4, count) * 2.0 ** (1 - precision)
        fractions = np.where(random.random(count) < 0.5, few, random.random(count))
        signed = (1 + fractions) * random.choice([-1, 1], count)
        return np.ldexp(signed, np.clip(exponents, -last - precision, last)).astype(dtype)

    first = random.integers(-last - precision, last, count)
    partner = -last - first + random.integers(-60, 60, count)
    second = np.where(random.random(count) < 0.5, partner, random.integers(-last, last, count))
    near = first + second + random.integers(-2 * precision - 6, 2 * precision + 6, count)
    with np.errstate(all="ignore"):
        a, b, c = numbers(first), numbers(second), numbers(near)
        opposite = np.nextafter(-(a * b), random.choice([-np.inf, 0, np.inf], count)).astype(dtype)
    c = np.where(random.random(count) < 0.3, opposite, c)
    for x in (a, b, c):
        x[random.random(count) < 0.03] = random.choice(SPECIAL)
    return [a, b, c]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_the_c_library(dtype: type[np.floating]) -> None:
    c_type = {np.float32: ctypes.c_float, np.float64: ctypes.c_double}[dtype]
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    function = library.fmaf if dtype is np.float32 else library.fma
    function.argtypes, function.restype = [c_type] * 3, c_type
    a, b, c = operands(dtype, 60_000, seed=1)
    expected = np.array([function(*x) for x in zip(a.tolist(), b.tolist(), c.tolist())], dtype)
    np.testing.assert_array_equal(FMA[dtype](a, b, c), expected)
    finite = ~np.isnan(expected)
    np.testing.assert_array_equal(
        np.signbit(FMA[dtype](a, b, c)[finite]), np.signbit(expected[finite])
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_is_the_nearest_to_the_exact_value(dtype: type[np.floating]) -> None:
    a, b, c = operands(dtype, 4000, seed=2)
    with np.errstate(all="ignore"):
        finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(c)
        for x, y, z, got in zip(a[finite], b[finite], c[finite], FMA[dtype](a, b, c)[finite]):
            exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
            if np.isinf(got):
                assert abs(exact) >= Fraction(float(np.finfo(dtype).max))
                continue
            error = abs(Fraction(float(got)) - exact)
            for side in (np.inf, -np.inf):
                neighbour = np.nextafter(got, dtype(side))
                if np.isfinite(neighbour):
                    distance = abs(Fraction(float(neighbour)) - exact)
                    even = got.view(f"i{got.itemsize}") % 2 == 0
                    assert error < distance or (error == distance and even)


def test_shapes_broadcast_and_scalars_are_taken() -> None:
    for dtype, fma in FMA.items():
        row, column = np.arange(3, dtype=dtype), np.arange(2, dtype=dtype)[:, None]
        np.testing.assert_array_equal(fma(row, column, dtype(1)), row * column + 1)
        assert fma(dtype(3), dtype(4), dtype(5)) == 17


def test_one_rounding_where_two_would_err() -> None:
    # In f64 the 2^-60 is lost, and what is left is a tie of f32, whose even side is below.
    a, c = np.array([1 + 2.0**-12], np.float32), np.array([2.0**-60], np.float32)
    assert fma32(a, a, c)[0] == np.float32(1 + 2.0**-11 + 2.0**-23)
