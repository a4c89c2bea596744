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


def _ordinal(array: Array) -> Array:
    """How many numbers lie below, as u64: floats of one sign are ordered like their bits."""
    width = 8 * array.itemsize
    bits = array.view(f"u{array.itemsize}").astype(np.uint64)
    middle = np.uint64(1 << (width - 1))
    magnitude = bits & (middle - np.uint64(1))
    return np.where(bits & middle, middle - magnitude, middle + magnitude)
