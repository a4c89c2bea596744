"""The table of element types: one row says a type's name in Stepwell and in NumPy."""

from dataclasses import dataclass
from typing import Final, TypeAlias, final

import ml_dtypes
import numpy as np

Array: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.generic]]
"""An array of any shape and of any dtype."""


@final
@dataclass(frozen=True, slots=True)
class DType:
    """One element type; in memory it is little-endian, and `bool` is one byte, 0 or 1."""

    name: str
    numpy: np.dtype[np.generic]

    @property
    def floating(self) -> bool:
        """Whether the values are floating-point numbers."""
        return self.name[0] in "fb" and self.name != "bool"

    def __str__(self) -> str:
        return self.name


DTYPES: Final = (
    DType("bool", np.dtype(np.bool_)),
    DType("i8", np.dtype(np.int8)),
    DType("i32", np.dtype(np.int32)),
    DType("i64", np.dtype(np.int64)),
    DType("u8", np.dtype(np.uint8)),
    DType("f16", np.dtype(np.float16)),
    DType("bf16", np.dtype(ml_dtypes.bfloat16)),
    DType("f32", np.dtype(np.float32)),
    DType("f64", np.dtype(np.float64)),
)

BY_NAME: Final = {dtype.name: dtype for dtype in DTYPES}
BY_NUMPY: Final = {dtype.numpy: dtype for dtype in DTYPES}
BY_SAFETENSORS: Final = {dtype.name.upper(): dtype for dtype in DTYPES}
