"""Numbers as the attributes of constants."""

from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import cast

from xdsl.dialects.builtin import (
    AnyFloat,
    DenseIntOrFPElementsAttr,
    Float32Type,
    Float64Type,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    VectorType,
)
from xdsl.ir import Attribute

from stepwell.compiler.dialects.llvm.types import FLOATS, Vector, is_vector

Number = int | float


@lru_cache(maxsize=4096)
def attribute(type: Attribute, value: Number | tuple[Number, ...], text: str) -> Attribute:
    """The attribute of a constant of `type`; `text` is the value's, which tells 0.0 from -0.0."""
    if is_vector(type):
        return dense(type, [value] if isinstance(value, (int, float)) else value)
    if isinstance(value, (int, float)):
        if isinstance(type, FLOATS):
            return FloatAttr(value, type)
        if isinstance(type, IntegerType):
            return IntegerAttr(int(value), cast(IntegerType, type))
    raise TypeError(f"{text} is no constant of type {type}")


def dense(type: Vector, values: Sequence[Number]) -> Attribute:
    """A vector's attribute, from one number for each lane or one for all."""
    lane = type.element_type
    if isinstance(lane, IntegerType):
        integers = [int(value) for value in values]
        return DenseIntOrFPElementsAttr.from_list(cast(VectorType[IntegerType], type), integers)
    if isinstance(lane, FLOATS):
        floats = [float(value) for value in values]
        return DenseIntOrFPElementsAttr.from_list(cast(VectorType[AnyFloat], type), floats)
    raise TypeError(f"{type} has no constants")


def unreadable(type: Attribute, value: Number | tuple[Number, ...]) -> list[int] | None:
    """The bits of a vector's floats if xDSL writes one of them as bits, which it reads as integers.

    That is `dense<0x7F800000>`, for what is not finite or has no short text with a point.
    """
    if not is_vector(type) or not isinstance(type.element_type, Float32Type | Float64Type):
        return None
    lane = type.element_type
    values = [value] * type.get_shape()[0] if isinstance(value, (int, float)) else value
    packed = [lane.pack((float(each),)) for each in values]
    exact = [lane.unpack(each, 1)[0] for each in packed]
    if all(_has_text(lane, each) for each in exact):
        return None
    return [int.from_bytes(each, "little") for each in packed]


def _has_text(type: Float32Type | Float64Type, value: float) -> bool:
    if not isfinite(value):
        return False
    short, digits = float(f"{value:.5e}"), 9 if isinstance(type, Float32Type) else 17
    return type.unpack(type.pack((short,)), 1)[0] == value or "." in f"{value:.{digits}g}"
