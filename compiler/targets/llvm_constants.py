"""How LLVM IR writes types and constants."""

import re
import struct
from collections.abc import Sequence

from xdsl.dialects.builtin import (
    BFloat16Type,
    DenseIntOrFPElementsAttr,
    Float16Type,
    Float32Type,
    Float64Type,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    Signedness,
    StringAttr,
)
from xdsl.dialects.llvm import (
    LLVMArrayType,
    LLVMFunctionType,
    LLVMPointerType,
    LLVMStructType,
    LLVMVoidType,
)
from xdsl.ir import Attribute

from stepwell.compiler.dialects.llvm.types import address_space, is_vector
from stepwell.runtime.errors import CompileError

PLAIN = re.compile(r"[-a-zA-Z$._][-a-zA-Z$._0-9]*")
FLOAT_NAMES = {
    Float16Type: "half",
    BFloat16Type: "bfloat",
    Float32Type: "float",
    Float64Type: "double",
}


def type_text(type: Attribute) -> str:
    """`<8 x float>` for vector<8xf32>, and so on."""
    match type:
        case LLVMPointerType():
            space = address_space(type)
            return f"ptr addrspace({space})" if space else "ptr"
        case IntegerType() if type.signedness.data == Signedness.SIGNLESS:
            return f"i{type.width.data}"
        case Float16Type() | BFloat16Type() | Float32Type() | Float64Type():
            return FLOAT_NAMES[type.__class__]
        case _ if is_vector(type) and type.get_num_dims() == 1 - type.get_num_scalable_dims():
            return f"<{type.get_shape()[0]} x {type_text(type.element_type)}>"
        case LLVMVoidType():
            return "void"
        case LLVMArrayType():
            return f"[{type.size.data} x {type_text(type.type)}]"
        case LLVMStructType() if not type.struct_name.data:
            return f"{{ {', '.join(map(type_text, type.types))} }}"
        case LLVMFunctionType():
            return signature_text(type)
        case _:
            raise CompileError("SW0251", f"LLVM has no type {type}")


def signature_text(type: LLVMFunctionType) -> str:
    """`i32 (ptr, i64)`."""
    inputs = [type_text(argument) for argument in type.inputs]
    dots = ["..."] if type.is_variadic else []
    return f"{type_text(type.output)} ({', '.join(inputs + dots)})"


def quoted(content: str) -> str:
    """A string between quotes, what is not plain in it as `\\hh`."""
    plain = [
        chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:02X}" for b in content.encode()
    ]
    return f'"{"".join(plain)}"'


def symbol(name: str) -> str:
    """`@name`, between quotes if need be."""
    return f"@{name}" if PLAIN.fullmatch(name) else f"@{quoted(name)}"


def constant_text(value: Attribute, type: Attribute) -> str:
    """A constant without its type: `7`, `0x3FF0000000000000`, `splat (i1 true)`, …"""
    match value:
        case IntegerAttr() | FloatAttr():
            return _number(value.value.data, type)
        case StringAttr():
            return f"c{quoted(value.data)}"
        case DenseIntOrFPElementsAttr() if is_vector(type):
            return _aggregate(value.get_values(), type.element_type, "<>")
        case DenseIntOrFPElementsAttr() if isinstance(type, LLVMArrayType):
            return _aggregate(value.get_values(), type.type, "[]")
        case _:
            raise CompileError("SW0251", f"LLVM has no constant {value} of type {type}")


def _aggregate(values: Sequence[object], type: Attribute, brackets: str) -> str:
    numbers = [_number(value, type) for value in values]
    name = type_text(type)
    if brackets == "<>" and len(set(numbers)) == 1:
        return f"splat ({name} {numbers[0]})"
    return f"{brackets[0]}{', '.join(f'{name} {n}' for n in numbers)}{brackets[1]}"


def _number(value: object, type: Attribute) -> str:
    """Floats by their bits, which loses nothing; LLVM writes those of an f32 as an f64's."""
    match type:
        case IntegerType() if type.width.data == 1:
            return "true" if value else "false"
        case IntegerType() if isinstance(value, int):
            return str(value)
        case Float32Type() | Float64Type():
            return f"0x{struct.pack('>d', value).hex().upper()}"
        case Float16Type():
            return f"0xH{struct.pack('>e', value).hex().upper()}"
        case BFloat16Type():
            # A number of type bf16 is the upper half of an f32.
            return f"0xR{struct.pack('>f', value)[:2].hex().upper()}"
        case _:
            raise CompileError("SW0251", f"LLVM has no number of type {type}")
