"""The matrices of Winograd's minimal filters F(m, 3): m sums of three products by m + 2 products.

A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, sections 4.1 and
4.3. The polynomials' points are 0, 1, -1 and infinity, and for m = 4 also 2 and -2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Filter:
    """F(m, 3): `output @ ((kernel @ g) * (input @ d))` are m sums over windows of d[m + 2]."""

    input: Matrix
    kernel: Matrix
    output: Matrix


FILTERS: Mapping[int, Filter] = {
    2: Filter(
        np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float64),
        np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]),
        np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float64),
    ),
    4: Filter(
        np.array(
            [
                [4, 0, -5, 0, 1, 0],
                [0, -4, -4, 1, 1, 0],
                [0, 4, -4, -1, 1, 0],
                [0, -2, -1, 2, 1, 0],
                [0, 2, -1, -2, 1, 0],
                [0, 4, 0, -5, 0, 1],
            ],
            np.float64,
        ),
        np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24,
        np.array(
            [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
        ),
    ),
}


def transformed(kernel: NDArray[Any], tile: Sequence[int]) -> NDArray[Any]:
    """A kernel[3, 3, C, O] for tiles of m by m, as [(m + 2)², C, O], column by column."""
    (size,) = tile
    matrix = FILTERS[size].kernel
    both = np.einsum("ia,jb,abco->jico", matrix, matrix, kernel.astype(np.float64))
    return both.reshape(-1, *kernel.shape[2:]).astype(kernel.dtype)
