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
    are spread in the same way, in words. (PTX manual, "Matrix Fragments for mma.m16n8k16".) The
    `name` is that of the elements, of both factors if they differ; bytes have signs or not: `s8`,
    `u8`. `intrinsic` is LLVM's name, which takes factors as words or, `in_pairs`, as vectors of two
    elements; a processor has it that has one of the `features`.
    """

    name: str
    sums: str
    depth: int
    intrinsic: str
    in_pairs: bool = False
    rows: int = 16
    lanes: int = 8
    features: Sequence[str] = ("ptx70", "ptx80")


_HALVES = "llvm.nvvm.mma.m16n8k16.row.col"
_BYTES = "llvm.nvvm.mma.m16n8k32.row.col"
MATRICES: Mapping[str, MatrixProduct] = {
    each.name: each
    for each in (
        MatrixProduct("f16", "f32", 16, f"{_HALVES}.f32.f32", in_pairs=True),
        MatrixProduct("bf16", "f32", 16, f"{_HALVES}.bf16"),
        *(
            MatrixProduct(name, "i32", 32, f"{_BYTES}.{name}")
            for name in ("s8", "s8.u8", "u8.s8", "u8")
        ),
    )
}
