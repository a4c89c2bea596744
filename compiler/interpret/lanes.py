"""Lanes as NumPy arrays: the interpreter's implementation of `Arithmetic`."""

from collections.abc import Callable
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from stepwell.compiler.interpret.fma import fma32, fma64
from stepwell.compiler.lower.arithmetic import Arithmetic
from stepwell.compiler.lower.polynomials import FUNCTIONS

Lanes: TypeAlias = NDArray[Any]
Mask: TypeAlias = NDArray[np.bool_]


@np.errstate(all="ignore")
def evaluate(name: str, *operands: Lanes) -> Lanes:
    """The math function of this name on arrays of one float type: the bits of compiled code.

    f16 and bf16 are computed in f32 and rounded once."""
    dtype = operands[0].dtype
    lanes = NumpyLanes(64 if dtype == np.float64 else 32)
    wide = [np.asarray(x, lanes.float_type) for x in operands]
    return np.asarray(FUNCTIONS[name](lanes, *wide)).astype(dtype)


@final
class NumpyLanes(Arithmetic[Lanes, Mask]):
    """Arrays that broadcast; NumPy's warnings are the caller's to silence (see `evaluate`)."""

    def __init__(self, bits: int):
        self.bits = bits
        self.float_type = {32: np.float32, 64: np.float64}[bits]
        self.int_type = {32: np.int32, 64: np.int64}[bits]

    def constant(self, value: float) -> Lanes:
        return np.asarray(value, self.float_type)

    def integer(self, value: int) -> Lanes:
        half = 1 << (self.bits - 1)
        return np.asarray((value + half) % (2 * half) - half, self.int_type)

    def lookup(self, table: tuple[float, ...], index: Lanes) -> Lanes:
        return np.asarray(table, self.float_type)[index]

    def add(self, a: Lanes, b: Lanes) -> Lanes:
        return a + b

    def sub(self, a: Lanes, b: Lanes) -> Lanes:
        return a - b

    def mul(self, a: Lanes, b: Lanes) -> Lanes:
        return a * b

    def div(self, a: Lanes, b: Lanes) -> Lanes:
        return a / b

    def fma(self, a: Lanes, b: Lanes, c: Lanes) -> Lanes:
        return fma32(a, b, c) if self.bits == 32 else fma64(a, b, c)

    def round_even(self, a: Lanes) -> Lanes:
        return np.rint(a)

    def neg(self, a: Lanes) -> Lanes:
        return np.negative(a)

    def abs(self, a: Lanes) -> Lanes:
        return np.abs(a)

    def copysign(self, magnitude: Lanes, sign: Lanes) -> Lanes:
        return np.copysign(magnitude, sign)

    def less(self, a: Lanes, b: Lanes) -> Mask:
        return np.less(a, b)

    def equal(self, a: Lanes, b: Lanes) -> Mask:
        return np.equal(a, b)

    def unordered(self, a: Lanes, b: Lanes) -> Mask:
        return np.isnan(a) | np.isnan(b)

    def mask_and(self, a: Mask, b: Mask) -> Mask:
        return a & b

    def mask_or(self, a: Mask, b: Mask) -> Mask:
        return a | b

    def mask_not(self, a: Mask) -> Mask:
        return ~a

    def select(self, mask: Mask, a: Lanes, b: Lanes) -> Lanes:
        return np.where(mask, a, b)

    def rarely(
        self, mask: Mask, slow: Callable[..., Lanes], usual: Lanes, *operands: Lanes
    ) -> Lanes:
        if not mask.any():
            return usual
        result = np.array(np.broadcast_to(usual, mask.shape))
        result[mask] = slow(*(np.broadcast_to(x, mask.shape)[mask] for x in operands))
        return result

    def bits_of(self, a: Lanes) -> Lanes:
        return np.asarray(a).view(self.int_type)

    def float_of(self, a: Lanes) -> Lanes:
        return np.asarray(a).view(self.float_type)

    def to_float(self, a: Lanes) -> Lanes:
        return np.asarray(a).astype(self.float_type)

    def int_add(self, a: Lanes, b: Lanes) -> Lanes:
        return a + b

    def int_sub(self, a: Lanes, b: Lanes) -> Lanes:
        return a - b

    def int_and(self, a: Lanes, b: Lanes) -> Lanes:
        return a & b

    def int_xor(self, a: Lanes, b: Lanes) -> Lanes:
        return a ^ b

    def shift_left(self, a: Lanes, count: int) -> Lanes:
        return np.left_shift(a, count)

    def shift_right(self, a: Lanes, count: int) -> Lanes:
        return np.right_shift(a, count)
