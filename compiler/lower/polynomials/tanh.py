"""The hyperbolic tangent."""

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V
from stepwell.compiler.lower.polynomials.exp import EXP
from stepwell.compiler.lower.polynomials.steps import horner, power_of_two, to_powers_of_two

# From here on tanh rounds to 1.
LIMIT = {32: 9.1, 64: 19.1}
# Minimax of (tanh(x)/x - 1) / x^2 as a polynomial in x^2 on |x| < NEAR_ZERO (relative errors of
# tanh: 2^-26.3, 2^-56.5).
NEAR_ZERO = {32: 0.3, 64: 0.35}
TANH = {
    32: (-0.050372414290905, 0.13314911723136902, -0.3333306312561035),
    64: (
        0.00047456121342134345, -0.0014306557060100218, 0.003589110875037055, -0.008863023910996736,
        0.02186947984576674, -0.053968253770211944, 0.1333333333311452, -0.33333333333332504,
    ),
}  # fmt: skip


def tanh(a: Arithmetic[V, M], x: V) -> V:
    """t / (t + 2) with t = e^(2|x|) - 1, and the sign of x. Near zero the roundings of that add up
    to 2.7 ulp, and a polynomial does better."""
    magnitude = a.abs(x)
    t = _exp_less_one(a, a.add(magnitude, magnitude), 2 * LIMIT[a.bits])
    far = a.div(t, a.add(t, a.constant(2.0)))
    z = a.mul(x, x)
    near = a.fma(horner(a, z, TANH[a.bits]), a.mul(z, magnitude), magnitude)
    is_near = a.less(magnitude, a.constant(NEAR_ZERO[a.bits]))
    return a.copysign(a.select(is_near, near, far), x)


def _exp_less_one(a: Arithmetic[V, M], x: V, limit: float) -> V:
    """e^x - 1 = 2^n (e^r - 1) + (2^n - 1) for x >= 0, as if x were at most the limit."""
    top = a.constant(limit)
    n, r = to_powers_of_two(a, a.select(a.less(top, x), top, x))
    *upper, _, _ = EXP[a.bits]
    less_one = a.fma(horner(a, r, upper), a.mul(r, r), r)
    power = power_of_two(a, n)
    return a.fma(less_one, power, a.sub(power, a.constant(1.0)))
