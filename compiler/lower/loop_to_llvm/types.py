"""The types of the loop level as the llvm level has them."""

from functools import lru_cache

from xdsl.dialects.builtin import BFloat16Type, Float16Type, IndexType, IntegerType, i1, i16, i64
from xdsl.ir import Attribute

from stepwell.compiler.dialects.llvm.types import FLOATS, bits, integer, is_vector, like, ptr
from stepwell.compiler.dialects.loop.types import BufferType


@lru_cache(maxsize=4096)
def lowered(type: Attribute) -> Attribute:
    """`index` is i64, a buffer a pointer. f16 and bf16 are moved as the i16 that encodes them.

    So no selection, shuffle or constant of theirs can end in a call of a conversion function.
    """
    if isinstance(type, BufferType):
        return ptr
    if is_vector(type):
        return like(type, lowered(type.element_type))
    if isinstance(type, IndexType):
        return i64
    if isinstance(type, Float16Type | BFloat16Type):
        return i16
    return type if isinstance(type, FLOATS) else integer(bits(type))


@lru_cache(maxsize=256)
def in_memory(element: Attribute) -> Attribute:
    """The type of a buffer's element in memory, where a truth value takes a byte."""
    type = lowered(element)
    return integer(8) if type == i1 else type


@lru_cache(maxsize=256)
def as_integer(element: Attribute) -> IntegerType:
    """The integer of an element's width in memory: what copies move."""
    return integer(bits(in_memory(element)))
