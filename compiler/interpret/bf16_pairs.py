"""Sums to which pairs of products of bf16 are added as by `vdpbf16ps`, on NumPy arrays.

Source: Intel, "Intel 64 and IA-32 Architectures Software Developer's Manual", volume 2, VDPBF16PS.
"""

import numpy as np
from numpy.typing import NDArray

from stepwell.compiler.interpret.fma import SMALLEST_NORMAL_F32, Float32, fma32

TINY = SMALLEST_NORMAL_F32 - 2.0**-151
"""What is below is so, too, if it is rounded to the 24 bits of an f32 of any exponent."""


@np.errstate(all="ignore")
def add_pair(sums: Float32, left: NDArray[np.generic], right: NDArray[np.generic]) -> Float32:
    """The second product is added first; of a single one the other is 0 times 0.

    Each is a fused multiply-add, rounded to nearest even. Denormals are zeros with their signs,
    as operands and, if the result is one after rounding, as results.
    """
    if len(left) == 1:
        sums = _add(sums, np.zeros_like(sums), np.zeros_like(sums))
    for a, b in zip(left[::-1], right[::-1], strict=True):
        sums = _add(sums, np.asarray(a, np.float32), np.asarray(b, np.float32))
    return sums


def _add(sums: Float32, left: Float32, right: Float32) -> Float32:
    a, b, c = (_flushed(x, np.abs(x) < SMALLEST_NORMAL_F32) for x in (left, right, sums))
    exact = np.asarray(a, np.float64) * b + c
    return _flushed(fma32(a, b, c), np.abs(exact) < TINY)


def _flushed(x: Float32, where: NDArray[np.bool_]) -> Float32:
    return np.where(where, np.copysign(np.float32(0), x), x)
