"""The machine on which math functions are written: a few exact operations on opaque lanes.

A function such as `exp` is one program over `Arithmetic`. The compiler runs it with handles of
instructions, the interpreter with NumPy arrays; since every operation has one possible result
(IEEE 754, rounded to nearest even, denormals kept), both give the same bits, NaN payloads aside.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

V = TypeVar("V")
M = TypeVar("M")


@dataclass(frozen=True)
class Format:
    """A binary interchange format of IEEE 754; `precision` counts the leading bit."""

    bits: int
    precision: int
    bias: int

    @property
    def fraction(self) -> int:
        """How many bits of the encoding hold the fraction."""
        return self.precision - 1

    @property
    def rounder(self) -> float:
        """`(x + rounder) - rounder` is the integer nearest x, for |x| <= 2^(precision - 2);
        the low bits of `x + rounder` hold that integer in two's complement."""
        return 1.5 * 2.0**self.fraction

    @property
    def smallest_normal(self) -> float:
        return 2.0 ** (1 - self.bias)

    def encode(self, value: float) -> int:
        """The encoding of a value, as a non-negative integer."""
        code = {32: "<f", 64: "<d"}[self.bits]
        return int.from_bytes(struct.pack(code, value), "little")


FORMATS = {32: Format(32, 24, 127), 64: Format(64, 53, 1023)}


class Arithmetic(Protocol[V, M]):
    """Operations on lanes. A `V` holds floats of `bits` bits or signed integers of as many bits;
    integers wrap around. An `M` holds truth values."""

    bits: int
    """32 or 64."""

    @property
    def format(self) -> Format:
        return FORMATS[self.bits]

    # Constants, the same in every lane.
    def constant(self, value: float) -> V:
        """A float, rounded to nearest even."""
        ...

    def integer(self, value: int) -> V:
        """An integer, reduced modulo 2^bits."""
        ...

    def lookup(self, table: tuple[float, ...], index: V) -> V:
        """`table[index]`, each entry as by `constant`; the index lies within the table."""
        ...

    # Floats.
    def add(self, a: V, b: V) -> V: ...

    def sub(self, a: V, b: V) -> V: ...

    def mul(self, a: V, b: V) -> V: ...

    def div(self, a: V, b: V) -> V: ...

    def fma(self, a: V, b: V, c: V) -> V:
        """`a * b + c`, rounded once."""
        ...

    def round_even(self, a: V) -> V:
        """The nearest integer as a float, ties to even; infinities and NaN stay."""
        ...

    # Signs: on the encoding, so that NaN has one too.
    def neg(self, a: V) -> V: ...

    def abs(self, a: V) -> V: ...

    def copysign(self, magnitude: V, sign: V) -> V: ...

    # Comparisons of floats: false when an operand is NaN, except `unordered`.
    def less(self, a: V, b: V) -> M: ...

    def equal(self, a: V, b: V) -> M: ...

    def unordered(self, a: V, b: V) -> M:
        """Whether a or b is NaN."""
        ...

    # Masks.
    def mask_and(self, a: M, b: M) -> M: ...

    def mask_or(self, a: M, b: M) -> M: ...

    def mask_not(self, a: M) -> M: ...

    def select(self, mask: M, a: V, b: V) -> V:
        """`a` where the mask is set, else `b`; both floats or both integers."""
        ...

    def rarely(self, mask: M, slow: Callable[..., V], usual: V, *operands: V) -> V:
        """`select(mask, slow(*operands), usual)`, where `slow` may be skipped if no lane is set.

        `slow` uses no other lanes than its operands (constants apart), so that it may become a
        function of its own, shared by its callers."""
        ...

    # Integers.
    def bits_of(self, a: V) -> V:
        """The encoding of a float, as an integer."""
        ...

    def float_of(self, a: V) -> V:
        """The float that an integer encodes."""
        ...

    def to_float(self, a: V) -> V:
        """The value of an integer as a float; its magnitude is at most 2^precision."""
        ...

    def int_add(self, a: V, b: V) -> V: ...

    def int_sub(self, a: V, b: V) -> V: ...

    def int_and(self, a: V, b: V) -> V: ...

    def int_xor(self, a: V, b: V) -> V: ...

    def shift_left(self, a: V, count: int) -> V: ...

    def shift_right(self, a: V, count: int) -> V:
        """Arithmetic: copies of the sign enter."""
        ...

    # What follows from the above; a machine with an instruction for it may override it.
    def scale(self, x: V, exponent: V) -> V:
        """`x * 2^exponent`, rounded once. The exponent is an integral float.

        For x in [1/4, 4] and |exponent| <= 1.25 bias, or both NaN. Two factors, since one power
        of two need not be normal; the first product is exact."""
        one = self.integer(self.format.encode(1.0))
        rounder = self.constant(self.format.rounder)
        n = self.int_sub(self.bits_of(self.add(exponent, rounder)), self.bits_of(rounder))
        first = self.shift_right(n, 1)
        for part in (first, self.int_sub(n, first)):
            power = self.int_add(self.shift_left(part, self.format.fraction), one)
            x = self.mul(x, self.float_of(power))
        return x
