"""The error function."""

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V
from stepwell.compiler.lower.polynomials.steps import horner

# Where one polynomial gives way to the other.
BORDER = {32: 1.0, 64: 1.2}
# Minimax of erf(x)/x - 1 as a polynomial in x^2 below BORDER (relative errors 2^-29.4, 2^-56.0).
NEAR = {
    32: (
        7.806930807419121e-05, -0.0007997855427674949, 0.005187162198126316, -0.026853347197175026,
        0.11283578723669052, -0.3761262595653534, 0.12837916612625122,
    ),
    64: (
        4.860729979103593e-11, -1.0604053685838762e-09, 1.4421559721690832e-08,
        -1.6307496449485287e-07, 1.6456074706556399e-06, -1.492521768665176e-05,
        0.00012055311646244724, -0.0008548326315254714, 0.005223977610289759, -0.026866170643193268,
        0.11283791670942177, -0.3761263890318341, 0.12837916709551256,
    ),
}  # fmt: skip
# Minimax of (1 - erf(x))^(1/8) from BORDER to LIMIT (absolute errors of erf: 2^-28.0,
# 2^-56.0).
FAR = {
    32: (
        1.578401861479506e-05, -4.152620385866612e-05, -0.001498335157521069, 0.010248604230582714,
        -0.007043593563139439, -0.06553896516561508, -0.1429346650838852, 1.0003728866577148,
    ),
    64: (
        9.86768448230863e-13, -4.4449430658948845e-11, 8.982811829865933e-10,
        -1.0447874524248816e-08, 7.369195681762424e-08, -2.931718282909848e-07,
        3.923177338207999e-07, 1.898629827299454e-06, -1.641561230105114e-05, 0.0001203137108014004,
        -0.0005669781122308483, 0.00025174064002504243, 0.006532909315338418, -0.002054762916395046,
        -0.06964436184104005, -0.14104391860963886, 0.9999995989942023,
    ),
}  # fmt: skip
# From here on erf rounds to 1.
LIMIT = {32: 4.0, 64: 6.0}


def erf(a: Arithmetic[V, M], x: V) -> V:
    """x + x P(x^2) near zero. Farther out 1 - Q(|x|)^8: an eighth root of erfc is smooth enough for
    a short polynomial, and three squarings are cheaper than e^(-x^2)."""
    magnitude = a.abs(x)
    near = a.fma(horner(a, a.mul(x, x), NEAR[a.bits]), x, x)
    limit = a.constant(LIMIT[a.bits])
    root = horner(a, a.select(a.less(limit, magnitude), limit, magnitude), FAR[a.bits])
    square = a.mul(root, root)
    fourth = a.mul(square, square)
    far = a.copysign(a.fma(a.neg(fourth), fourth, a.constant(1.0)), x)
    return a.select(a.less(magnitude, a.constant(BORDER[a.bits])), near, far)
