"""Sine and cosine."""

from functools import partial
from math import inf, nan

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V
from stepwell.compiler.lower.polynomials.half_turns import half_turns
from stepwell.compiler.lower.polynomials.steps import clamp, horner

# Minimax of (sin(r)/r - 1) / r^2 as a polynomial in r^2, for |r| <= pi/2 (relative errors of
# sin(r): 2^-27.2, 2^-61.5). That of f32 is lowered by 2^-26.3 at pi/2, so that no float r gives
# more than 1, as was tried with each.
SIN = {
    32: (2.605861709525925e-06, -0.000198097710381262, 0.008333069272339344, -0.16666659712791443),
    64: (
        2.7214260645975745e-15, -7.643019936215886e-13, 1.605894102098396e-10,
        -2.505210690471457e-08, 2.755731921157159e-06, -0.00019841269841212484,
        0.008333333333333207, -0.16666666666666666,
    ),
}  # fmt: skip
# pi in three parts, each to full precision.
PI = {
    32: (3.1415927410125732, -8.742277657347586e-08, -3.4302490200117637e-15),
    64: (3.141592653589793, 1.2246467991473532e-16, -2.9947698097183397e-33),
}
INVERSE_PI = 0.3183098861837907
# Up to here subtracting multiples of the three parts loses nothing that shows.
LIMIT = {32: 2.0**17, 64: 2.0**30}


def sin(a: Arithmetic[V, M], x: V) -> V:
    """sin |x| = (-1)^n sin(|x| - n pi), n the integer nearest |x| / pi, and the sign of x: zeros
    keep theirs."""
    rounder, magnitude = a.constant(a.format.rounder), a.abs(x)
    near = a.fma(magnitude, a.constant(INVERSE_PI), rounder)
    usual = _sine(a, near, _subtract_pi(a, magnitude, a.sub(near, rounder)))
    sign = a.int_and(a.bits_of(x), a.integer(1 << (a.bits - 1)))
    usual = a.float_of(a.int_xor(a.bits_of(usual), sign))
    return a.rarely(_is_far(a, x), partial(_sin_far, a, phase=0.0), usual, x)


def cos(a: Arithmetic[V, M], x: V) -> V:
    """cos x = sin(x + pi/2) = (-1)^n sin(x - (n - 1/2) pi), n nearest x / pi + 1/2."""
    rounder, half = a.constant(a.format.rounder), a.constant(0.5)
    near = a.add(a.fma(x, a.constant(INVERSE_PI), half), rounder)
    usual = _sine(a, near, _subtract_pi(a, x, a.sub(a.sub(near, rounder), half)))
    return a.rarely(_is_far(a, x), partial(_sin_far, a, phase=0.5), usual, x)


def _is_far(a: Arithmetic[V, M], x: V) -> M:
    """Beyond LIMIT, or NaN."""
    return a.mask_not(a.less(a.abs(x), a.constant(LIMIT[a.bits])))


def _subtract_pi(a: Arithmetic[V, M], x: V, times: V) -> V:
    for part in PI[a.bits]:
        x = a.fma(times, a.constant(-part), x)
    return x


def _sine(a: Arithmetic[V, M], n: V, r: V) -> V:
    """(-1)^n sin r, where the last bit of the encoding of n holds its parity."""
    z = a.mul(r, r)
    value = a.fma(horner(a, z, SIN[a.bits]), a.mul(z, r), r)
    if a.bits == 64:
        value = clamp(a, value, -1.0, 1.0)
    sign = a.shift_left(a.bits_of(n), a.bits - 1)
    return a.float_of(a.int_xor(a.bits_of(value), sign))


def _sin_far(a: Arithmetic[V, M], x: V, phase: float) -> V:
    """sin(x + phase * pi) for large x; NaN for infinities. Lanes with a small x are not used."""
    far = a.mask_and(_is_far(a, x), a.less(a.abs(x), a.constant(inf)))
    n, high, low = half_turns(a, a.select(far, x, a.constant(LIMIT[a.bits])), phase)
    first, second, _ = (a.constant(part) for part in PI[a.bits])
    r = a.fma(high, first, a.fma(high, second, a.mul(low, first)))
    value = _sine(a, a.add(n, a.constant(a.format.rounder)), r)
    return a.select(far, value, a.constant(nan))
