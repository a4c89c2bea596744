"""The types of the llvm level, interned: equal types are one object, found by identity."""

from functools import cache
from typing import TypeGuard

from xdsl.dialects.builtin import (
    BFloat16Type,
    FixedBitwidthType,
    Float16Type,
    Float32Type,
    Float64Type,
    IntAttr,
    IntegerType,
    NoneAttr,
    VectorType,
)
from xdsl.dialects.builtin import bf16 as bf16
from xdsl.dialects.builtin import f16 as f16
from xdsl.dialects.builtin import f32 as f32
from xdsl.dialects.builtin import f64 as f64
from xdsl.dialects.builtin import i1 as i1
from xdsl.dialects.builtin import i8 as i8
from xdsl.dialects.builtin import i16 as i16
from xdsl.dialects.builtin import i32 as i32
from xdsl.dialects.builtin import i64 as i64
from xdsl.dialects.llvm import (
    LLVMArrayType,
    LLVMFunctionType,
    LLVMPointerType,
    LLVMStructType,
    LLVMVoidType,
)
from xdsl.ir import Attribute

ptr = LLVMPointerType()
void = LLVMVoidType()

Vector = VectorType[Attribute]
FLOATS = (BFloat16Type, Float16Type, Float32Type, Float64Type)

_INTEGERS = {1: i1, 8: i8, 16: i16, 32: i32, 64: i64}


@cache
def integer(width: int) -> IntegerType:
    """The signless integer of `width` bits."""
    return _INTEGERS.get(width) or IntegerType(width)


@cache
def pointer(space: int = 0) -> LLVMPointerType:
    """A pointer into an address space; on a GPU 1 is global, 3 shared and 5 local memory."""
    return LLVMPointerType(IntAttr(space)) if space else ptr


@cache
def vector(element: Attribute, lanes: int) -> Vector:
    return VectorType(element, [lanes])


@cache
def array(element: Attribute, length: int) -> LLVMArrayType:
    return LLVMArrayType(length, element)


@cache
def struct(*fields: Attribute) -> LLVMStructType:
    return LLVMStructType.from_type_list(fields)


@cache
def function(arguments: tuple[Attribute, ...], result: Attribute = void) -> LLVMFunctionType:
    return LLVMFunctionType(arguments, result)


def is_vector(type: Attribute) -> TypeGuard[Vector]:
    return isinstance(type, VectorType)


def lanes(type: Attribute) -> int | None:
    """How many lanes a vector has; None for a scalar."""
    return type.shape.data[0].data if is_vector(type) else None


def element(type: Attribute) -> Attribute:
    """The type of one lane; of a scalar, itself."""
    return type.element_type if is_vector(type) else type


def like(shape: Attribute, type: Attribute) -> Attribute:
    """`type` in as many lanes as `shape` has: i1 like vector<8xf32> is vector<8xi1>."""
    count = lanes(shape)
    return type if count is None else vector(type, count)


def bits(type: Attribute) -> int:
    """The width of a scalar or of a vector's lane; a pointer has 64 bits."""
    scalar = element(type)
    if isinstance(scalar, FixedBitwidthType):
        return scalar.bitwidth
    if isinstance(scalar, LLVMPointerType):
        return 64
    raise ValueError(f"{type} has no width")


def size(type: Attribute) -> int:
    """Bytes of one element in memory, where i1 takes a whole byte."""
    return -(-bits(type) // 8)


def address_space(type: LLVMPointerType) -> int:
    return 0 if isinstance(type.addr_space, NoneAttr) else type.addr_space.data
