"""Accesses to buffers: linear offsets that were checked, views, and the errors for what is outside."""

from collections.abc import Sequence

import numpy as np
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.interpret.loops.places import refuse
from stepwell.compiler.interpret.loops.values import DType, Value
from xdsl.ir import Operation, SSAValue


def name_of(value: SSAValue) -> str:
    return f"%{value.name_hint}" if value.name_hint else f"a {value.type}"


def linear(
    op: Operation, buffer: SSAValue, shape: Sequence[int], index: Sequence[Value]
) -> Value:
    """The row-major offsets of an index; each part is checked against its axis."""
    offset: Value | int = 0
    for size, part in zip(shape, index, strict=True):
        if np.min(part) < 0 or np.max(part) >= size:
            raise refuse(op, "SW0281", _outside(buffer, shape, index))
        offset = offset * size + part
    return np.asarray(offset)


def _outside(buffer: SSAValue, shape: Sequence[int], index: Sequence[Value]) -> str:
    parts = np.broadcast_arrays(*index)
    wrong = np.any(
        [(part < 0) | (part >= size) for part, size in zip(parts, shape, strict=True)], axis=0
    )
    place = tuple(np.argwhere(wrong)[0])
    found = ", ".join(str(part[place]) for part in parts)
    return f"the index [{found}] is outside {name_of(buffer)}, whose sizes are {list(shape)}"


def flat_range(op: Operation, buffer: SSAValue, memory: Value, low: int, count: int) -> Value:
    """`count` elements from a linear offset, as a view."""
    if low < 0 or low + count > memory.size:
        ends = f"{low}" if count == 1 else f"{low} to {low + count - 1}"
        raise refuse(
            op, "SW0281", f"offset {ends} is outside {name_of(buffer)}, which has {memory.size}"
        )
    return memory.reshape(-1)[low : low + count]


def check_buffer(memory: Value, shape: Sequence[int], dtype: DType) -> str | None:
    """Why this array cannot stand for a buffer of this shape, if so."""
    if memory.dtype != dtype or memory.shape != tuple(shape):
        return f"{memory.dtype}{list(memory.shape)} was given for {dtype}{list(shape)}"
    return None if memory.flags.c_contiguous else "the array is not contiguous"


def element_bytes(memory: Value) -> Value:
    return memory.reshape(-1).view(np.uint8)


def is_buffer(value: SSAValue) -> bool:
    return isinstance(value.type, BufferType)
