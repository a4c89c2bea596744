"""The hyperbolic tangent."""

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V
from stepwell.compiler.lower.polynomials.exp import EXP
from stepwell.compiler.lower.polynomials.steps import horner, power_of_two, to_powers_of_two

# From here on tanh rounds to 1.
LIMIT = {32: 9.1, 64: 19.1}
# Minimax of (tanh(x)/x - 1) / x^2 as a polynomial in x^2 on |x| < NEAR_ZERO, for f64 (relative
# error of tanh 2^-55.5).
NEAR_ZERO = 0.55
TANH = (
    5.100009506569261e-05,
    -0.00021027034494769907,
    0.0005791166071083193,
    -0.0014532095668795646,
    0.003591718167392556,
    -0.008863194302562143,
    0.021869485958638638,
    -0.053968253875334944,
    0.13333333333166983,
    -0.333333333333323,
)


def tanh(a: Arithmetic[V, M], x: V) -> V:
    """t / (t + 2) with t = e^(2|x|) - 1, and the sign of x. Near zero its roundings add up to 2.4
    ulp in f32, but to 2.7 in f64, where a polynomial does better."""
    magnitude = a.abs(x)
    t = _exp_less_one(a, a.add(magnitude, magnitude), 2 * LIMIT[a.bits])
    quotient = a.copysign(a.div(t, a.add(t, a.constant(2.0))), x)
    if a.bits == 32:
        return quotient
    z = a.mul(x, x)
    near = a.fma(horner(a, z, TANH), a.mul(z, x), x)
    return a.select(a.less(magnitude, a.constant(NEAR_ZERO)), near, quotient)


def _exp_less_one(a: Arithmetic[V, M], x: V, limit: float) -> V:
    """e^x - 1 = 2^n (e^r - 1) + (2^n - 1) for x >= 0, as if x were at most the limit."""
    top = a.constant(limit)
    n, r = to_powers_of_two(a, a.select(a.less(top, x), top, x))
    *upper, _, _ = EXP[a.bits]
    less_one = a.fma(horner(a, r, upper), a.mul(r, r), r)
    power = power_of_two(a, n)
    return a.fma(less_one, power, a.sub(power, a.constant(1.0)))
