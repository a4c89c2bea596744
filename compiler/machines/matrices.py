"""Instructions with which a warp multiplies matrices, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

WARP = 32


@final
@dataclass(frozen=True)
class MatrixProduct:
    """To `rows` by `lanes` sums add the products of `depth` positions, all spread over a warp.

    Thread t has, of each 8 by 8 sums, those of row t / 4 and lanes 2 (t % 4) and the next; factors
    are spread in the same way. (PTX manual, "Matrix Fragments for mma.m16n8k16".) `intrinsic` is
    LLVM's name, which takes factors as words or, `in_pairs`, as vectors of two elements; a
    processor has it that has one of the `features`.
    """

    element: str
    sums: str
    rows: int
    lanes: int
    depth: int
    intrinsic: str
    in_pairs: bool
    features: Sequence[str] = ("ptx70", "ptx80")


MATRICES: Mapping[str, MatrixProduct] = {
    each.element: each
    for each in (
        MatrixProduct("f16", "f32", 16, 8, 16, "llvm.nvvm.mma.m16n8k16.row.col.f32.f32", True),
        MatrixProduct("bf16", "f32", 16, 8, 16, "llvm.nvvm.mma.m16n8k16.row.col.bf16", False),
    )
}
"""By the type of the factors' elements."""
