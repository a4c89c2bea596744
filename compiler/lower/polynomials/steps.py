"""Steps that several math functions share."""

from collections.abc import Sequence
from math import inf

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V

# ln 2 in two parts, so that x - n ln 2 is good to the last bit for every n that occurs.
LN2 = {
    32: (0.6931471824645996, -1.9046542121259336e-09),
    64: (0.6931471805599453, 2.3190468138462996e-17),
}
LOG2E = 1.4426950408889634


def horner(a: Arithmetic[V, M], x: V, coefficients: Sequence[float]) -> V:
    """The polynomial in x, highest coefficient first, one FMA each."""
    value = a.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        value = a.fma(value, x, a.constant(coefficient))
    return value


def clamp(a: Arithmetic[V, M], x: V, low: float, high: float) -> V:
    """x within [low, high]; NaN stays. Each line is one instruction where `min(a, b)` is
    `a < b ? a : b`, as on x86."""
    bottom, top = a.constant(low), a.constant(high)
    x = a.select(a.less(x, bottom), bottom, x)
    return a.select(a.less(top, x), top, x)


def is_positive_normal(a: Arithmetic[V, M], x: V) -> M:
    """Whether x is finite, and no less than the smallest normal number."""
    small = a.less(x, a.constant(a.format.smallest_normal))
    return a.mask_and(a.mask_not(small), a.less(x, a.constant(inf)))


def to_powers_of_two(a: Arithmetic[V, M], x: V) -> tuple[V, V]:
    """n and r with x = n ln(2) + r, n integral, |r| at most a little over ln(2) / 2
    (W. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980)."""
    rounder = a.constant(a.format.rounder)
    n = a.sub(a.fma(x, a.constant(LOG2E), rounder), rounder)
    high, low = LN2[a.bits]
    r = a.fma(n, a.constant(-high), x)
    return n, a.fma(n, a.constant(-low), r)


def power_of_two(a: Arithmetic[V, M], exponent: V) -> V:
    """2^exponent for an integral float with a normal result; anything for NaN."""
    rounder = a.constant(a.format.rounder)
    n = a.shift_left(a.bits_of(a.add(exponent, rounder)), a.format.fraction)
    return a.float_of(a.int_add(n, a.integer(a.format.encode(1.0))))
