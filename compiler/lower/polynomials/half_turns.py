"""Reduction of large angles: x / pi modulo 2.

The bits of 1/pi that matter are those around the exponent of x (M. Payne, R. Hanek, "Radian
reduction for trigonometric functions", ACM SIGNUM Newsletter 18 (1983)); here they are taken in
chunks of one float each, whose products with x are exact as sums of two floats.
"""

from functools import cache

from stepwell.compiler.lower.arithmetic import FORMATS, Arithmetic, M, V
from stepwell.compiler.lower.polynomials.double_word import fast_two_sum, two_product, two_sum
from stepwell.compiler.lower.polynomials.steps import power_of_two

# Chunks that one angle meets. What follows them is below 2^-(3 precision), while no angle comes
# nearer to a multiple of pi/2 than 2^-32 (f32) or 2^-62 (f64).
CHUNKS = 5


def half_turns(a: Arithmetic[V, M], x: V, phase: float) -> tuple[V, V, V]:
    """n, high and low with x / pi + phase = n + high + low modulo 2, for finite |x| >= 1.
    n is -1, 0 or 1, |high| at most 1/2, low a rounding error of high."""
    sums = [a.constant(phase), a.constant(0.0), a.constant(0.0)]
    for place, term in enumerate(_terms(a, x)):
        # The first terms may be large; the even numbers in them do not matter.
        sums[0], error = two_sum(a, sums[0], _modulo_two(a, term) if place < 4 else term)
        sums[0] = _modulo_two(a, sums[0])
        sums[1], error = two_sum(a, sums[1], error)
        sums[2] = a.add(sums[2], error)
    n = a.round_even(sums[0])
    high, low = two_sum(a, a.sub(sums[0], n), sums[1])
    return n, *fast_two_sum(a, high, a.add(low, sums[2]))


def _terms(a: Arithmetic[V, M], x: V) -> list[V]:
    """Floats, large ones first, whose sum is x / pi modulo 2."""
    precision = a.format.precision
    exponent = a.shift_right(a.bits_of(a.abs(x)), a.format.fraction)
    exponent = a.to_float(a.int_sub(exponent, a.integer(a.format.bias)))
    # The chunks before the one of this number, the floor of exponent / precision, give multiples
    # of two.
    middle = a.constant(0.5 / precision - 0.5)
    first = a.round_even(a.fma(exponent, a.constant(1 / precision), middle))
    rounder = a.constant(a.format.rounder)
    index = a.int_sub(a.bits_of(a.add(first, rounder)), a.bits_of(rounder))
    x = a.mul(x, power_of_two(a, a.mul(first, a.constant(-float(precision)))))
    terms: list[V] = []
    for place in range(CHUNKS):
        chunk = a.lookup(_inverse_pi(a.bits), a.int_add(index, a.integer(place)))
        terms += two_product(a, x, chunk)
        x = a.mul(x, a.constant(2.0**-precision))
    return terms


def _modulo_two(a: Arithmetic[V, M], x: V) -> V:
    """x less the nearest even integer; exact."""
    halves = a.round_even(a.mul(x, a.constant(0.5)))
    return a.fma(halves, a.constant(-2.0), x)


@cache
def _inverse_pi(bits: int) -> tuple[float, ...]:
    """The digits of 1/pi to the base 2^precision, as many as the largest x needs; the first is
    that of the ones."""
    precision = FORMATS[bits].precision
    last = FORMATS[bits].bias // precision + CHUNKS - 1
    digits = (1 << (2 * precision * last)) // _pi(precision * last)
    mask = (1 << precision) - 1
    return tuple(float(digits >> (precision * (last - k)) & mask) for k in range(last + 1))


def _pi(bits: int) -> int:
    """pi * 2^bits, rounded down, by Machin's formula pi = 16 arctan 1/5 - 4 arctan 1/239."""
    guard = 64

    def arctan_of_inverse(n: int) -> int:
        odd = range(1, (bits + guard) // (n.bit_length() - 1), 2)
        return sum((2 - k % 4) * ((1 << (bits + guard)) // (k * n**k)) for k in odd)

    return (16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)) >> guard
