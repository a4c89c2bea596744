"""The natural logarithm."""

from functools import partial
from math import inf, nan

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V
from stepwell.compiler.lower.polynomials.steps import LN2, horner, is_positive_normal

# Minimax of (log(1 + f) - f + f^2/2) / f^3 on |f| <= 1/3 (relative errors of
# log(1 + f): 2^-26.5, 2^-56.6).
LOG = {
    32: (
        -0.12864261865615845, 0.139929860830307, -0.12189164012670517, 0.14005033671855927,
        -0.1668020635843277, 0.20010456442832947, -0.2499980330467224, 0.3333321511745453,
    ),
    64: (
        0.08395405611576413, -0.0862599459244261, 0.0423297363512684, -0.045728382667938806,
        0.06038283178986862, -0.06391073931063247, 0.06652400675705082, -0.07130768304072159,
        0.07693130342395059, -0.08333974100673339, 0.09090879174438965, -0.0999997920184342,
        0.1111111177462199, -0.1250000039159831, 0.14285714277401873, -0.16666666662892915,
        0.20000000000050352, -0.2500000000001355, 0.3333333333333323,
    ),
}  # fmt: skip


def log(a: Arithmetic[V, M], x: V) -> V:
    """log x; -inf at zeros, NaN below."""
    usual = _log_of_parts(a, *split_exponent(a, x))
    return a.rarely(a.mask_not(is_positive_normal(a, x)), partial(_log_of_any, a), usual, x)


def split_exponent(a: Arithmetic[V, M], x: V) -> tuple[V, V]:
    """e and f with x = 2^e (1 + f) and 1 + f in [2/3, 4/3), for positive normal x."""
    encoding = a.bits_of(x)
    offset = a.int_sub(encoding, a.integer(a.format.encode(2 / 3)))
    exponent = a.int_and(offset, a.integer(-1 << a.format.fraction))
    f = a.sub(a.float_of(a.int_sub(encoding, exponent)), a.constant(1.0))
    return a.to_float(a.shift_right(offset, a.format.fraction)), f


def _log_of_parts(a: Arithmetic[V, M], e: V, f: V) -> V:
    """e ln 2 + log(1 + f)."""
    high, low = LN2[a.bits]
    rest = a.fma(horner(a, f, LOG[a.bits]), f, a.constant(-0.5))
    rest = a.fma(e, a.constant(low), a.mul(a.mul(f, f), rest))
    return a.fma(e, a.constant(high), a.add(f, rest))


def _log_of_any(a: Arithmetic[V, M], x: V) -> V:
    """Denormals by way of a multiple; infinity, zeros, negative numbers and NaN by hand."""
    shift = float(a.format.precision)
    e, f = split_exponent(a, a.mul(x, a.constant(2.0**shift)))
    result = _log_of_parts(a, a.sub(e, a.constant(shift)), f)
    zero, infinite = a.constant(0.0), a.constant(inf)
    result = a.select(a.less(x, infinite), result, a.add(x, x))
    result = a.select(a.equal(x, zero), a.neg(infinite), result)
    return a.select(a.less(x, zero), a.constant(nan), result)
