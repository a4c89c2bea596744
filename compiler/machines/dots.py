"""Instructions that multiply neighbours and add the products to sums, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import final


@final
@dataclass(frozen=True)
class Dot:
    """To each of `sums`, of 32 bits, add the products of `group` neighbours of two operands: to a
    lane those of a lane, or to a row and column of a tile those of all words of both.

    The neighbours are the numbers in a word of 32 bits, the first one lowest. A processor has it
    that has one of the `features`; `intrinsics` are LLVM's names of it by the bytes of a vector,
    or of a tile.
    Integers wrap, in any order; floats are added in the order `pairs` of docs/semantics.md.
    """

    name: str
    left: str
    right: str
    group: int
    sums: str
    features: Sequence[str]
    intrinsics: Mapping[int, str]


def _widths(name: str) -> Mapping[int, str]:
    """Of an instruction of AVX-512: LLVM's names end with the bits of a vector."""
    return {bits // 8: f"llvm.x86.avx512{name}.{bits}" for bits in (128, 256, 512)}


TILE, TILE_ROW = 1024, 64
"""Bytes of a tile, and of each of its 16 rows."""


DOTS: Mapping[str, Dot] = {
    dot.name: dot
    for dot in (
        Dot("vpdpbusd", "u8", "i8", 4, "i32", ("avx512vnni", "avxvnni"), _widths(".vpdpbusd")),
        Dot("sdot", "i8", "i8", 4, "i32", ("dotprod",), {16: "llvm.aarch64.neon.sdot.v4i32.v16i8"}),
        Dot("udot", "u8", "u8", 4, "i32", ("dotprod",), {16: "llvm.aarch64.neon.udot.v4i32.v16i8"}),
        Dot(
            "vpmaddwd",
            "i16",
            "i16",
            2,
            "i32",
            ("avx2",),
            {32: "llvm.x86.avx2.pmadd.wd", 64: "llvm.x86.avx512.pmaddw.d.512"},
        ),
        Dot("vdpbf16ps", "bf16", "bf16", 2, "f32", ("avx512bf16",), _widths("bf16.dpbf16ps")),
    )
}
"""In the order in which they are preferred. `vpmaddwd` stands for itself and an addition."""

SIGNS = {"s": "i8", "u": "u8"}
TILE_DOTS: Mapping[str, Dot] = {
    name: Dot(name, SIGNS[a], SIGNS[b], 4, "i32", ("amx-int8",), {TILE: f"llvm.x86.{name}"})
    for a, b in product(SIGNS, SIGNS)
    for name in (f"tdpb{a}{b}d",)
}
"""Those of whole tiles: AMX's, of bytes with signs or without."""
