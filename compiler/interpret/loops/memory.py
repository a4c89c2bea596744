"""Accesses to buffers: checked offsets, ranges and views, and the errors for what is outside."""

from collections.abc import Sequence

import numpy as np
from xdsl.ir import Operation, SSAValue

from stepwell.compiler.interpret.loops.places import refuse
from stepwell.compiler.interpret.loops.values import DType, Value

OUTSIDE = "SW0281"


def name_of(value: SSAValue) -> str:
    return f"%{value.name_hint}" if value.name_hint else f"a {value.type}"


def linear(op: Operation, buffer: SSAValue, shape: Sequence[int], index: Sequence[Value]) -> Value:
    """The row-major offsets of an index; each part is checked against its axis."""
    offset: Value | int = 0
    for size, part in zip(shape, index, strict=True):
        if np.min(part) < 0 or np.max(part) >= size:
            raise refuse(op, OUTSIDE, _outside(buffer, shape, index))
        offset = part + offset * size
    return np.asarray(offset)


def _outside(buffer: SSAValue, shape: Sequence[int], index: Sequence[Value]) -> str:
    parts = np.broadcast_arrays(*index)
    wrong = np.zeros(parts[0].shape, np.bool_)
    for size, part in zip(shape, parts, strict=True):
        wrong |= (part < 0) | (part >= size)
    place = tuple(np.argwhere(wrong)[0])
    found = ", ".join(str(part[place]) for part in parts)
    return f"the index [{found}] is outside {name_of(buffer)}, whose sizes are {list(shape)}"


def check_offsets(op: Operation, buffer: SSAValue, elements: int, offsets: Value) -> None:
    """Raises unless all linear offsets are inside."""
    wrong = offsets[(offsets < 0) | (offsets >= elements)]
    if len(wrong):
        raise refuse(op, OUTSIDE, _beyond(buffer, int(wrong[0]), elements))


def span(op: Operation, buffer: SSAValue, memory: Value, first: int, count: int) -> Value:
    """`count` elements from a linear offset, as a view."""
    if first < 0 or first + count > memory.size:
        wrong = first if first < 0 else first + count - 1
        raise refuse(op, OUTSIDE, _beyond(buffer, wrong, memory.size))
    return memory.reshape(-1)[first : first + count]


def _beyond(buffer: SSAValue, offset: int, elements: int) -> str:
    return f"the offset {offset} is outside {name_of(buffer)}, which has {elements} elements"


def mismatch(memory: Value, shape: Sequence[int], dtype: DType) -> str | None:
    """Why an array cannot stand for a buffer of this shape and type, or None."""
    if memory.dtype != dtype or memory.shape != tuple(shape):
        return f"needs {dtype}{list(shape)}, but was given {memory.dtype}{list(memory.shape)}"
    return None if memory.flags.c_contiguous else "needs a row-major array"
