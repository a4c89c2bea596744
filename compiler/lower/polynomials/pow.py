"""Powers with a float exponent."""

from functools import partial
from math import inf, nan

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V
from stepwell.compiler.lower.polynomials.double_word import Pair, fast_two_sum, two_product
from stepwell.compiler.lower.polynomials.log import split_exponent
from stepwell.compiler.lower.polynomials.steps import clamp, horner, is_positive_normal

# log2((1 + s) / (1 - s)) / s is a series in s^2. Its first coefficients, 2/ln 2 over 5, 3 and 1,
# are sums of two floats; f32 does without the first of these.
SERIES = {
    32: (
        (0.9617967009544373, -7.028461812552678e-09),
        (2.885390043258667, 3.851926067000022e-08),
    ),
    64: (
        (0.5770780163555853, 5.2551030481378675e-17),
        (0.9617966939259756, 5.0577616648125907e-17),
        (2.8853900817779268, 4.0710547481862066e-17),
    ),
}
# What follows: minimax for |s| <= 1/5 (relative errors of log2: 2^-34.5, 2^-68.3).
LOG2 = {
    32: (0.344456285238266, 0.41153478622436523, 0.5770837068557739),
    64: (
        0.17983263303124922, 0.16751741478247575, 0.19245163157181414, 0.2219508786018616,
        0.2623082192617241, 0.32059889776167383, 0.41219858311173807,
    ),
}  # fmt: skip
# Minimax of 2^r on |r| <= 1/2 (relative errors 2^-28.3, 2^-57.6).
EXP2 = {
    32: (
        0.00015330829774029553, 0.0013391352258622646, 0.009618496522307396, 0.055503588169813156,
        0.24022647738456726, 0.6931471824645996, 1.0,
    ),
    64: (
        4.446123388836612e-10, 7.073620325839888e-09, 1.0178112131126376e-07,
        1.3215436418355705e-06, 1.5252733746327542e-05, 0.000154035304543352, 0.0013333558146437208,
        0.009618129107596882, 0.05550410866482208, 0.24022650695910122, 0.6931471805599453,
        1.0,
    ),
}  # fmt: skip
# Exponents of two between which 2^n r is normal, and those from which it is 0 or infinite.
NORMAL = {32: 125.0, 64: 1021.0}
SATURATED = {32: 155.0, 64: 1085.0}
# A y of this size makes x^y 0 or infinite for every x but 1.
HUGE = {32: 2.0**40, 64: 2.0**70}


def pow(a: Arithmetic[V, M], x: V, y: V) -> V:
    """x^y = 2^(y log2 x), with log2 x and the product as sums of two floats."""
    high, low = _times(a, _log2(a, *split_exponent(a, x)), y)
    usual = _exp2(a, high, low)
    normal = a.less(a.abs(high), a.constant(NORMAL[a.bits]))
    ordinary = a.mask_and(is_positive_normal(a, x), normal)
    return a.rarely(a.mask_not(ordinary), partial(_pow_of_any, a), usual, x, y)


def _log2(a: Arithmetic[V, M], e: V, f: V) -> Pair[V]:
    """e + log2(1 + f), to twelve bits more than the precision at least."""
    s, s_low = _quotient(a, f)
    square, low = two_product(a, s, s)
    square_low = a.fma(a.add(s, s), s_low, low)
    factor = horner(a, square, LOG2[a.bits]), a.constant(0.0)
    for high, low in SERIES[a.bits]:
        product, product_low = _multiply(a, (square, square_low), factor)
        factor, rest = fast_two_sum(a, a.constant(high), product)
        factor = factor, a.add(rest, a.add(product_low, a.constant(low)))
    product, product_low = _multiply(a, (s, s_low), factor)
    result, rest = fast_two_sum(a, e, product)
    return result, a.add(rest, product_low)


def _quotient(a: Arithmetic[V, M], f: V) -> Pair[V]:
    """f / (2 + f)."""
    divisor, divisor_low = fast_two_sum(a, a.constant(2.0), f)
    inverse = a.div(a.constant(1.0), divisor)
    s = a.mul(f, inverse)
    minus = a.neg(s)
    remainder = a.fma(minus, divisor_low, a.fma(minus, divisor, f))
    return s, a.mul(remainder, inverse)


def _multiply(a: Arithmetic[V, M], x: Pair[V], y: Pair[V]) -> Pair[V]:
    """The product, its low part not yet below a rounding error of the high one."""
    high, low = two_product(a, x[0], y[0])
    return high, a.fma(x[1], y[0], a.fma(x[0], y[1], low))


def _times(a: Arithmetic[V, M], x: Pair[V], y: V) -> Pair[V]:
    high, low = two_product(a, x[0], y)
    return high, a.fma(x[1], y, low)


def _exp2(a: Arithmetic[V, M], high: V, low: V) -> V:
    rounder = a.constant(a.format.rounder)
    n = a.sub(a.add(high, rounder), rounder)
    r = a.add(a.sub(high, n), low)
    return a.scale(horner(a, r, EXP2[a.bits]), n)


def _pow_of_any(a: Arithmetic[V, M], x: V, y: V) -> V:
    """All the cases of C23, Annex F.10.4.4."""
    one, zero, infinite = a.constant(1.0), a.constant(0.0), a.constant(inf)
    whole = a.equal(a.round_even(y), y)
    half = a.mul(y, a.constant(0.5))
    odd = a.mask_and(whole, a.mask_not(a.equal(a.round_even(half), half)))
    result = _pow_of_positive(a, a.abs(x), y)
    result = a.select(odd, a.copysign(result, x), result)
    undefined = a.mask_and(a.mask_not(whole), a.less(x, zero))
    undefined = a.mask_and(undefined, a.less(a.neg(infinite), x))
    undefined = a.mask_or(undefined, a.unordered(x, y))
    result = a.select(undefined, a.constant(nan), result)
    return a.select(a.mask_or(a.equal(x, one), a.equal(y, zero)), one, result)


def _pow_of_positive(a: Arithmetic[V, M], x: V, y: V) -> V:
    """x^y for x >= 0, infinities included; any y but NaN."""
    zero, infinite = a.constant(0.0), a.constant(inf)
    small = a.less(x, a.constant(a.format.smallest_normal))
    shift = float(a.format.precision)
    normal = a.select(small, a.mul(x, a.constant(2.0**shift)), x)
    e, f = split_exponent(a, normal)
    log2 = _log2(a, a.select(small, a.sub(e, a.constant(shift)), e), f)
    huge, limit = HUGE[a.bits], SATURATED[a.bits]
    high, low = _times(a, log2, clamp(a, y, -huge, huge))
    result = _exp2(a, clamp(a, high, -limit, limit), clamp(a, low, -0.5, 0.5))
    edge = a.mask_or(a.equal(x, zero), a.equal(x, infinite))
    at_edge = a.select(a.less(y, zero), a.div(a.constant(1.0), x), x)
    return a.select(edge, at_edge, result)
