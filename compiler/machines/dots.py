"""Instructions that multiply neighbours and add the products to a sum, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Dot:
    """To each lane of `sums`, of 32 bits, add the products of `group` neighbours of two operands.

    The neighbours are the numbers in a word of 32 bits, the first one lowest. A processor has it
    that has one of the `features`; `intrinsics` are LLVM's names of it by the bytes of a vector.
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
