"""Double-word arithmetic: unevaluated sums of two floats.

Source of the names and bounds: M. Joldes, J.-M. Muller, V. Popescu, "Tight and rigorous error
bounds for basic building blocks of double-word arithmetic", ACM TOMS 44 (2017).
"""

from typing import TypeAlias

from stepwell.compiler.lower.arithmetic import Arithmetic, M, V

Pair: TypeAlias = tuple[V, V]


def two_sum(a: Arithmetic[V, M], x: V, y: V) -> Pair[V]:
    """The rounded sum and its error."""
    total = a.add(x, y)
    part = a.sub(total, x)
    return total, a.add(a.sub(x, a.sub(total, part)), a.sub(y, part))


def fast_two_sum(a: Arithmetic[V, M], x: V, y: V) -> Pair[V]:
    """The rounded sum and its error, for |x| >= |y| or x = 0."""
    total = a.add(x, y)
    return total, a.sub(y, a.sub(total, x))


def two_product(a: Arithmetic[V, M], x: V, y: V) -> Pair[V]:
    """The rounded product and its error."""
    product = a.mul(x, y)
    return product, a.fma(x, y, a.neg(product))
