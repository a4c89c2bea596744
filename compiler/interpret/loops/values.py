"""Values of the loop interpreter: the NumPy type of each scalar type, constants, and fresh memory.

`i8` and `i16` are kept as unsigned; ops on signed numbers view them as signed.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    Signedness,
    VectorType,
    bf16,
    f16,
    f32,
    f64,
    i1,
    i8,
    i16,
    i32,
    i64,
)
from xdsl.ir import Attribute
from xdsl.utils.hints import isa

from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.interpret.loops.casts import narrow

Memory: TypeAlias = NDArray[Any]
"""What stands for a buffer."""
Value: TypeAlias = Any
"""A scalar of the loop level: an array that broadcasts over the index grid, a NumPy scalar, or for
`index` and `i1` a Python number; a vector; or a buffer's memory."""
DType: TypeAlias = np.dtype[Any]

DTYPES: Mapping[Attribute, DType] = {
    i1: np.dtype(np.bool_),
    i8: np.dtype(np.uint8),
    IntegerType(8, Signedness.UNSIGNED): np.dtype(np.uint8),
    i16: np.dtype(np.uint16),
    i32: np.dtype(np.int32),
    i64: np.dtype(np.int64),
    IndexType(): np.dtype(np.int64),
    f16: np.dtype(np.float16),
    bf16: np.dtype(ml_dtypes.bfloat16),
    f32: np.dtype(np.float32),
    f64: np.dtype(np.float64),
}


@cache
def element_of(type: Attribute) -> Attribute:
    """The type of one element of a vector or a buffer; a scalar's own type."""
    if isinstance(type, BufferType):
        return type.element
    return type.element_type if isa(type, VectorType[Attribute]) else type


@cache
def dtype_of(type: Attribute) -> DType:
    """The NumPy type of a scalar, of a vector's lanes or of a buffer's elements."""
    return DTYPES[element_of(type)]


@cache
def lanes_of(type: Attribute) -> int | None:
    """The number of lanes of a vector; None for a scalar."""
    return type.get_shape()[0] if isa(type, VectorType[Attribute]) else None


def constant(attribute: Attribute) -> Value:
    """The value of an `arith.constant`."""
    if isa(attribute, DenseIntOrFPElementsAttr):
        dtype = dtype_of(attribute.type)
        return np.array([_number(each, dtype) for each in attribute.iter_values()], dtype)
    assert isa(attribute, IntegerAttr | FloatAttr)
    number = _number(attribute.value.data, dtype_of(attribute.type))
    return int(number) if isinstance(attribute.type, IndexType) else number


def _number(value: Any, dtype: DType) -> Value:
    """A Python number as a scalar of this type: integers wrap, floats are rounded once."""
    if dtype.kind == "b":
        return np.bool_(value)
    if dtype.kind in "iu":
        bits = 8 * dtype.itemsize
        return np.array(value % (1 << bits), f"u{dtype.itemsize}").view(dtype)[()]
    return narrow(np.asarray(value, np.float64), dtype)[()]


def fresh(shape: Sequence[int], dtype: DType) -> Memory:
    """Memory that nothing was written to: NaN, true and -1, so that reading it shows."""
    if dtype.kind == "b":
        return np.ones(shape, dtype)
    return np.full((*shape, dtype.itemsize), 0xFF, np.uint8).view(dtype).reshape(shape)
