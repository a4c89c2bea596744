"""The types of PTX, each as a NumPy dtype and a width."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
DType: TypeAlias = np.dtype[Any]
UNSIGNED: Mapping[int, DType] = {
    8 * dtype.itemsize: dtype for dtype in map(np.dtype, ("u1", "u2", "u4", "u8"))
}
"""By width in bits: what a register holds, whatever it means."""


@final
@dataclass(frozen=True)
class Type:
    """A type of `bits` bits; a packed type's dtype is that of one of its parts."""

    name: str
    bits: int
    dtype: DType

    @property
    def bytes(self) -> int:
        return self.bits // 8

    @property
    def is_packed(self) -> bool:
        return self.dtype.itemsize * 8 < self.bits

    @property
    def is_float(self) -> bool:
        return self.dtype.kind not in "biu"

    @property
    def is_signed(self) -> bool:
        return self.dtype.kind == "i"


def _integers() -> list[Type]:
    return [
        Type(f"{letter}{bits}", bits, np.dtype(f"{kind}{bits // 8}"))
        for letter, kind in (("b", "u"), ("u", "u"), ("s", "i"))
        for bits in UNSIGNED
    ]


TYPES: Mapping[str, Type] = {
    each.name: each
    for each in (
        Type("pred", 8, np.dtype(np.bool_)),
        *_integers(),
        Type("mask", 32, np.dtype(np.uint32)),
        Type("f16", 16, np.dtype(np.float16)),
        Type("bf16", 16, np.dtype(ml_dtypes.bfloat16)),
        Type("f32", 32, np.dtype(np.float32)),
        Type("tf32", 32, np.dtype(np.float32)),
        Type("f64", 64, np.dtype(np.float64)),
        Type("f16x2", 32, np.dtype(np.float16)),
        Type("bf16x2", 32, np.dtype(ml_dtypes.bfloat16)),
        Type("u16x2", 32, np.dtype(np.uint16)),
        Type("s16x2", 32, np.dtype(np.int16)),
    )
}
SPECIAL = {"pred": np.dtype(np.bool_)}


def stored(type: Type) -> DType:
    """What a register of this type is an array of."""
    return SPECIAL.get(type.name, UNSIGNED[type.bits])
