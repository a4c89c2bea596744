"""Numbers as the attributes of constants."""

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from xdsl.dialects.builtin import (
    AnyFloat,
    DenseIntOrFPElementsAttr,
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
