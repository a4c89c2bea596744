"""The dtypes under NumPy's names, their limits, and the constants."""

import math
from typing import Any

import ml_dtypes

from stepwell.compiler.dialects.nd import numpy_dtype
from stepwell.promotion import dtype_name, integer_limits

bool_ = "bool"
int32 = "i32"
int64 = "i64"
uint8 = "u8"
float16 = "f16"
bfloat16 = "bf16"
float32 = "f32"
float64 = "f64"

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
