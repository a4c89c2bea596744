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
    are spread in the same way, in words. (PTX manual, "Matrix Fragments for mma.m16n8k16".) Bytes
    have signs or not: `s8`, `u8`. `intrinsic` is LLVM's name, which takes factors as words or,
    `in_pairs`, as vectors of two elements; a processor has it that has one of the `features`.
    """

    left: str
    right: str
    sums: str
    depth: int
    intrinsic: str
    in_pairs: bool = False
    rows: int = 16
    lanes: int = 8
    features: Sequence[str] = ("ptx70", "ptx80")

    @property
    def factors(self) -> tuple[str, str]:
        return self.left, self.right


def name_of(left: str, right: str) -> str:
    """Of the product of such elements, as PTX joins them."""
    return left if left == right else f"{left}.{right}"


def _bytes(left: str, right: str) -> MatrixProduct:
    name = f"llvm.nvvm.mma.m16n8k32.row.col.{name_of(left, right)}"
    return MatrixProduct(left, right, "i32", 32, name)


HALVES = "llvm.nvvm.mma.m16n8k16.row.col"
MATRICES: Mapping[str, MatrixProduct] = {
    name_of(*each.factors): each
    for each in (
        MatrixProduct("f16", "f16", "f32", 16, f"{HALVES}.f32.f32", in_pairs=True),
        MatrixProduct("bf16", "bf16", "f32", 16, f"{HALVES}.bf16"),
        *(_bytes(left, right) for left in ("s8", "u8") for right in ("s8", "u8")),
    )
}
