"""The dtypes under NumPy's names, their limits, and the constants."""

import math
from typing import Any, final

import ml_dtypes

from stepwell.array import Array, ArrayLike, asarray
from stepwell.compiler.dialects.nd import numpy_dtype
from stepwell.promotion import dtype_name, integer_limits


@final
class Name(str):
    """The name of a dtype, which can be called as NumPy's dtypes can: `float32(3)`."""

    __slots__ = ()

    def __call__(self, x: ArrayLike = 0) -> Array:
        """An array, or a number, in this dtype."""
        return asarray(x, self)


bool_ = Name("bool")
int8 = Name("i8")
int32 = Name("i32")
int64 = Name("i64")
uint8 = Name("u8")
float16 = Name("f16")
bfloat16 = Name("bf16")
float32 = Name("f32")
float64 = Name("f64")

pi = math.pi
e = math.e
inf = math.inf
nan = math.nan
newaxis = None


def finfo(dtype: object) -> Any:
    """The limits of a floating-point dtype: `.max`, `.min`, `.eps` and the like."""
    limits: Any = ml_dtypes.finfo
    return limits(numpy_dtype(dtype_name(dtype)))


def iinfo(dtype: object) -> Any:
    """The limits of an integer dtype: `.max` and `.min`."""
    return integer_limits(dtype_name(dtype))
