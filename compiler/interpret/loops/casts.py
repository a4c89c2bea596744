"""Conversions of scalars: floats round once, float to integer saturates, integers wrap."""

from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

from stepwell.compiler.dialects.loop.scalar import Cast

Array = NDArray[Any]
DType = np.dtype[Any]

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def signed(x: ArrayLike) -> Array:
    """The integer read as signed: `i8` as int8, `i1` true as -1."""
    x = np.asarray(x)
    return -x.astype(np.int8) if x.dtype.kind == "b" else x.view(f"i{x.dtype.itemsize}")


def unsigned(x: ArrayLike) -> Array:
    """The integer read as unsigned."""
    x = np.asarray(x)
    return x.astype(np.uint8) if x.dtype.kind == "b" else x.view(f"u{x.dtype.itemsize}")


def wrap(x: Array, dtype: DType) -> Array:
    """The low bits of an integer."""
    return (x & 1).astype(dtype) if dtype.kind == "b" else x.astype(dtype)


def narrow(x: Array, dtype: DType) -> Array:
    """A float, rounded once to nearest even. ml_dtypes would go from f64 to bf16 by way of f32."""
    if dtype == _BFLOAT16 and x.dtype == np.float64:
        return _to_odd(x).astype(dtype)
    return x.astype(dtype)


def _to_odd(x: Array) -> NDArray[np.float32]:
    """f64 to f32, rounded to odd: if inexact, to the neighbour whose last bit is 1."""
    near = np.asarray(x.astype(np.float32))
    inexact = (near != x) & ~np.isnan(near)
    beyond = np.abs(near.astype(np.float64)) > np.abs(x)
    return ((near.view(np.int32) - (beyond & inexact)) | inexact).view(np.float32)


def _from_signed(x: Array, dtype: DType) -> Array:
    return _from_integer(signed(x), dtype)


def _from_unsigned(x: Array, dtype: DType) -> Array:
    return _from_integer(unsigned(x), dtype)


def _from_integer(x: Array, dtype: DType) -> Array:
    return x.astype(dtype if dtype.itemsize > 2 else np.float32).astype(dtype)


def _to_signed(x: Array, dtype: DType) -> Array:
    return _saturate(x, np.dtype(f"i{dtype.itemsize}")).view(dtype)


def _to_unsigned(x: Array, dtype: DType) -> Array:
    return _saturate(x, np.dtype(f"u{dtype.itemsize}")).view(dtype)


def _saturate(x: Array, dtype: DType) -> Array:
    """Towards zero; NaN gives 0. The limits, powers of two, are exact in f64, as is `x`."""
    limits = np.iinfo(dtype)
    x = np.trunc(np.asarray(x, np.float64))
    inside = (x >= float(limits.min)) & (x < float(limits.max + 1))
    whole = np.where(inside, x, 0).astype(dtype)
    edge = np.where(x > 0, limits.max, np.where(x < 0, limits.min, 0)).astype(dtype)
    return np.where(inside, whole, edge)


def _bitcast(x: Array, dtype: DType) -> Array:
    return np.asarray(x).view(dtype)


CASTS: Mapping[Cast, Callable[[Array, DType], Array]] = {
    Cast.EXTF: narrow,
    Cast.TRUNCF: narrow,
    Cast.FPTOSI: _to_signed,
    Cast.FPTOUI: _to_unsigned,
    Cast.SITOFP: _from_signed,
    Cast.UITOFP: _from_unsigned,
    Cast.EXTSI: lambda x, dtype: wrap(signed(x), dtype),
    Cast.EXTUI: lambda x, dtype: wrap(unsigned(x), dtype),
    Cast.TRUNCI: wrap,
    Cast.BITCAST: _bitcast,
    Cast.INDEX: lambda x, dtype: wrap(signed(x), dtype),
}
