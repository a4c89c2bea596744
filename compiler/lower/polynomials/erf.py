"""The error function."""

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V
from stepwell.compiler.lower.polynomials.steps import horner

# Minimax of erf(x)/x - 1 as a polynomial in x^2 on [0, 1] (relative errors 2^-29.4,
# 2^-56.0).
NEAR = {
    32: (
        7.806930807419121e-05,
        -0.0007997855427674949,
        0.005187162198126316,
        -0.026853347197175026,
        0.11283578723669052,
        -0.3761262595653534,
        0.12837916612625122,
    ),
    64: (
        -7.765149729880668e-10,
        1.3702758311859582e-08,
        -1.6204261496793726e-07,
        1.6446839673351505e-06,
        -1.4924686244066387e-05,
        0.00012055292061116393,
        -0.0008548325871565053,
        0.005223977604707231,
        -0.026866170642901185,
        0.1128379167094245,
        -0.37612638903183454,
        0.12837916709551256,
    ),
}
# Minimax of (1 - erf(x))^(1/8) on [1, LIMIT] (absolute errors of erf 2^-28.0, 2^-57.5).
FAR = {
    32: (
        1.578401861479506e-05,
        -4.152620385866612e-05,
        -0.001498335157521069,
        0.010248604230582714,
        -0.007043593563139439,
        -0.06553896516561508,
        -0.1429346650838852,
        1.0003728866577148,
    ),
    64: (
        8.118544254400389e-14,
        -3.8660083727468584e-12,
        8.661896213484413e-11,
        -1.2169283934317454e-09,
        1.2020407935885021e-08,
        -8.808104481446388e-08,
        4.869860532356855e-07,
        -2.0093039272701336e-06,
        6.027696788674495e-06,
        -1.2847837769836443e-05,
        1.4413117375033176e-05,
        6.893537362565483e-05,
        -0.0004992116944927987,
        0.00018194574830433772,
        0.006587818822735481,
        -0.0020866107738300114,
        -0.06963153462333535,
        -0.14104712089455038,
        0.9999999720216004,
    ),
}
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
    return a.select(a.less(magnitude, a.constant(1.0)), near, far)
