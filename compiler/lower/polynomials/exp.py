"""The exponential function."""

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V
from stepwell.compiler.lower.polynomials.steps import horner, to_powers_of_two

# Minimax of exp(r) on |r| <= ln(2)/2, the last two fixed at 1 (relative errors 2^-27.8, 2^-55.7).
EXP = {
    32: (
        0.0014036321081221104, 0.008372449316084385, 0.041665542870759964, 0.16666486859321594,
        0.5, 1.0, 1.0,
    ),
    64: (
        2.5023831479288017e-08, 2.7630840816286094e-07, 2.7557543995040276e-06,
        2.48014916312144e-05, 0.0001984126953223155, 0.0013888888944973545, 0.008333333333485581,
        0.041666666666525555, 0.16666666666666421, 0.5000000000000011, 1.0,
        1.0,
    ),
}  # fmt: skip
# Beyond these the result is 0 or infinite.
RANGE = {32: (-104.0, 89.0), 64: (-745.2, 709.8)}


def exp(a: Arithmetic[V, M], x: V) -> V:
    """e^x = 2^n e^r with n the integer nearest x / ln 2; the scaling by 2^n gives infinity.

    It would give 0, too, but a product that underflows takes processors some 150 cycles, and what
    is hidden from a softmax is e^-inf.
    """
    low, high = RANGE[a.bits]
    zero, bottom, top = (a.constant(each) for each in (0.0, low, high))
    remains = a.mask_not(a.less(x, bottom))
    x = a.select(remains, a.select(a.less(top, x), top, x), zero)
    n, r = to_powers_of_two(a, x)
    return a.select(remains, a.scale(horner(a, r, EXP[a.bits]), n), zero)
