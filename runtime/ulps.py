"""The distance of arrays in units in the last place: steps from one number to the next."""

import numpy as np

from stepwell.runtime.dtypes import Array


def largest_error(found: Array, expected: Array) -> float:
    """The most steps between two arrays of one floating dtype and shape.

    NaN agrees with NaN and -0 with +0. Numbers of which one is infinite or NaN, and integers and
    booleans that differ, are infinitely far apart.
    """
    if found.size == 0 or (found == expected).all():
        return 0.0
    if expected.dtype.kind in "biu":
        return float("inf")
    either = np.isfinite(found) & np.isfinite(expected)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    if not (either | same).all():
        return float("inf")
    one, other = _ordinal(found[either]), _ordinal(expected[either])
    steps = np.maximum(one, other) - np.minimum(one, other)
    return float(steps.max(initial=0))


def repeats(found: Array, expected: Array, numerics: str) -> bool:
    """Whether a result is the one expected; both are of one dtype and shape.

    Under `strict` it has the same bits, but that any NaN agrees with any other. Under `fast` floats
    may be off by sqrt(eps) times the largest finite magnitude expected: half of the digits.
    """
    if numerics == "strict" or expected.dtype.kind in "biu":
        bits = f"u{expected.itemsize}"
        nan = np.not_equal(found, found) & np.not_equal(expected, expected)
        return bool((np.equal(found.view(bits), expected.view(bits)) | nan).all())
    one, other = found.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(other)
    largest = np.abs(other[finite]).max(initial=0)
    room = float(np.spacing(np.ones((), expected.dtype))) ** 0.5 * largest
    same = np.array_equal(one[~finite], other[~finite], equal_nan=True)
    return same and bool((np.abs(one[finite] - other[finite]) <= room).all())


def _ordinal(array: Array) -> Array:
    """How many numbers lie below, as u64: floats of one sign are ordered like their bits."""
    width = 8 * array.itemsize
    bits = array.view(f"u{array.itemsize}").astype(np.uint64)
    middle = np.uint64(1 << (width - 1))
    magnitude = bits & (middle - np.uint64(1))
    return np.where(bits & middle, middle - magnitude, middle + magnitude)
