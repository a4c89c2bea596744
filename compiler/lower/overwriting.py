"""Which outputs of a kernel may lie where an input does, if its nests run element by element."""

from collections.abc import Iterator
from typing import TypeAlias

from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.llvm.types import size
from stepwell.compiler.dialects.loop.nests import KernelOp, NestOp, ReadOp, WriteOp
from stepwell.compiler.dialects.loop.types import BufferType, buffer_type

Place: TypeAlias = tuple[Operation | None, object]
"""A nest and an index in it."""


def overwritable(kernel: KernelOp) -> Iterator[tuple[int, int]]:
    """The pairs (input, output) of which no element is read but where it is written, and before."""
    read: dict[SSAValue, set[Place]] = {}
    written: dict[SSAValue, set[Place]] = {}
    late: set[tuple[SSAValue, Place]] = set()
    for op in kernel.walk():
        if isinstance(op, ReadOp):
            place = place_of(op)
            read.setdefault(op.source, set()).add(place)
            late.update((target, place) for target, places in written.items() if place in places)
        elif isinstance(op, WriteOp):
            written.setdefault(op.target, set()).add(place_of(op))
        else:
            for operand in op.operands:
                if isinstance(operand.type, BufferType):
                    read.setdefault(operand, set()).add((op, None))
                    written.setdefault(operand, set()).add((op, None))
    for output, target in enumerate(kernel.results_written, len(kernel.inputs)):
        places = written.get(target, set())
        if len(places) != 1 or any((target, place) in late for place in places):
            continue
        for input, source in enumerate(kernel.inputs):
            if read.get(source) == places and _layout(source) == _layout(target):
                yield input, output


def place_of(op: ReadOp | WriteOp) -> Place:
    """Where the op itself stands directly in a nest; others are of no nest, and like no other."""
    parent = op.parent_op()
    index = (op.access, tuple(op.indices)) if isinstance(parent, NestOp) else op
    return parent, index


def _layout(buffer: SSAValue) -> object:
    type = buffer_type(buffer)
    return type.shape, size(type.element)
