"""Sums to which a block of products is added at once, as by the matrix instructions of GPUs.

What hardware does within a block is not documented, and differs: docs/semantics.md gives a bound.
This is the value in its middle, the exact sum, rounded once.
"""

from itertools import pairwise
from math import fsum, inf, nextafter

import numpy as np
from numpy.typing import NDArray

from stepwell.compiler.interpret.fma import Float32

BLOCK = 16
"""Products that are added at once."""


@np.errstate(all="ignore")
def add_products(
    sums: NDArray[np.generic], left: NDArray[np.generic], right: NDArray[np.generic]
) -> Float32:
    """`sums` and all products of left and right along their first axis, f16 or bf16 as any type,
    added without error, then rounded to nearest even."""
    products = left.astype(np.float64) * right.astype(np.float64)
    terms = np.zeros((2 + len(products), *np.broadcast_shapes(sums.shape, products.shape[1:])))
    terms[1], terms[2:] = sums, products
    totals = terms.copy()
    for before, after in pairwise(totals):  # what cumsum gives, which goes along the axis in steps
        after += before
    before, after = totals[:-1], totals[1:]
    back = after - before
    errors = (before - (after - back)) + (terms[1:] - back)
    total = after[-1]
    for place in zip(*np.nonzero(errors.any(axis=0) & np.isfinite(total)), strict=True):
        total[place] = odd_sum([float(each) for each in terms[(slice(1, None), *place)]])
    return np.asarray(total, np.float32)


def odd_sum(terms: list[float]) -> float:
    """The exact sum, rounded to odd: of the two f64 around it the one whose last bit is set, which
    a second rounding takes where the exact sum would have gone (S. Boldo, G. Melquiond, "Emulation
    of a FMA and correctly rounded sums", IEEE Transactions on Computers 57, 2008)."""
    nearest = fsum(terms)
    rest = fsum([*terms, -nearest])
    if rest == 0 or np.float64(nearest).view(np.int64) & 1:
        return nearest
    return nextafter(nearest, inf if rest > 0 else -inf)
