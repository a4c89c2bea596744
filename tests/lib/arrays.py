"""Arrays for tests: drawn where ops are smooth, or from the edges of a dtype, and compared."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from stepwell.compiler.dialects.nd import Tensor, dtype_of, is_float, numpy_dtype, shape_of

Array: TypeAlias = NDArray[Any]
TOLERANCE = {"f16": 2e-2, "bf16": 1e-1, "f32": 2e-5, "f64": 1e-12}
"""Of the largest element, for results that NumPy computes in another order."""


def smooth(types: Sequence[Tensor], domain: tuple[float, float], seed: int = 0) -> list[Array]:
    """Floats of the domain that all differ, none near a multiple of 1/2; integers of any size.

    So that no function has a kink near them: no two are about to change places, nor is one to be
    rounded or to change its sign.
    """
    random = np.random.default_rng(seed)
    counts = [_count(type) for type in types]
    low, high = domain
    grid = low + (high - low) * (random.permutation(max(sum(counts), 1)) + 0.5) / max(
        sum(counts), 1
    )
    halves = np.floor(2 * grid)
    grid = (halves + 0.1 + 0.8 * (2 * grid - halves)) / 2
    starts = np.cumsum([0, *counts])
    return [
        grid[start : start + count].reshape(_shape(type)).astype(numpy_dtype(dtype_of(type)))
        if is_float(dtype_of(type))
        else _integers(type, random)
        for type, start, count in zip(types, starts, counts, strict=False)
    ]


def edges(types: Sequence[Tensor], seed: int = 0) -> list[Array]:
    """Floats of which many are infinite, NaN, a zero, denormal, or about to overflow."""
    random = np.random.default_rng(seed)
    return [_edges_of(type, random) for type in types]


def _edges_of(type: Tensor, random: np.random.Generator) -> Array:
    dtype = dtype_of(type)
    if not is_float(dtype):
        return _integers(type, random)
    info: Any = ml_dtypes.finfo(numpy_dtype(dtype))
    limits = [float(info.max), float(info.tiny), float(info.smallest_subnormal)]
    special = [np.inf, np.nan, 0.0, 1.0, 0.5, 2.0, 3.0, 1e4, *limits]
    values = random.choice([*special, *(-each for each in special)], _shape(type))
    usual = random.standard_normal(_shape(type)) * 10
    with np.errstate(all="ignore"):
        chosen = np.where(random.random(_shape(type)) < 0.6, values, usual)
        return np.asarray(chosen).astype(numpy_dtype(dtype))


def _integers(type: Tensor, random: np.random.Generator) -> Array:
    """Half of them small, so that as indices they are near the ends, half of any size."""
    dtype, shape = numpy_dtype(dtype_of(type)), _shape(type)
    if dtype == np.bool_:
        return np.asarray(random.random(shape) < 0.5)
    limits = np.iinfo(dtype)
    small = random.integers(max(limits.min, -3), 9, shape)
    large = random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return np.where(random.random(shape) < 0.5, small, large).astype(dtype)


def _shape(type: Tensor) -> tuple[int, ...]:
    return tuple(size.evaluate({}) for size in shape_of(type))


def _count(type: Tensor) -> int:
    return int(np.prod(_shape(type)))


def expect_close(actual: Sequence[Array], expected: Sequence[Array]) -> None:
    """Of the same dtypes and shapes, integers equal, floats to the tolerance of their dtype."""
    for a, b in _alike(actual, expected):
        name = b.dtype.name if b.dtype.kind != "V" else "bfloat16"
        if b.dtype.kind in "biu":
            np.testing.assert_array_equal(a, b)
            continue
        short = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}[name]
        finite = np.abs(b[np.isfinite(b)].astype(np.float64))
        scale = max(float(np.max(finite, initial=0.0)), 1e-3)
        tolerance = TOLERANCE[short]
        wide = (a.astype(np.float64), b.astype(np.float64))
        np.testing.assert_allclose(*wide, rtol=tolerance, atol=tolerance * scale)


def expect_same_bits(actual: Sequence[Array], expected: Sequence[Array]) -> None:
    """Equal, zeros by sign too; a NaN is as good as another."""
    for a, b in _alike(actual, expected):
        unsigned = f"u{b.dtype.itemsize}"
        same = np.asarray(a, order="C").view(unsigned) == np.asarray(b).view(unsigned)
        if b.dtype.kind not in "biu":
            same |= np.isnan(a) & np.isnan(b)
        if not same.all():
            at = tuple(np.argwhere(~same)[0])
            first = f"first {a[at]!r} != {b[at]!r} at {at}"
            raise AssertionError(f"{(~same).sum()} of {same.size} elements differ, {first}")


def expect_types(arrays: Sequence[Array], types: Sequence[Tensor]) -> None:
    """Of the dtypes and the shapes that types say."""
    found = [(array.dtype, array.shape) for array in arrays]
    assert found == [(numpy_dtype(dtype_of(type)), _shape(type)) for type in types]


def _alike(actual: Sequence[Array], expected: Sequence[Array]) -> Iterator[tuple[Array, Array]]:
    for a, b in zip(actual, expected, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        yield a, b
