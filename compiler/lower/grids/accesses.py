"""A thread's accesses to memory: aligned vectors, and jumps over what a mask leaves out."""

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.llvm.types import lanes
from stepwell.compiler.dialects.loop.explicit import LoadOp, StoreOp
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.lower.grids.alignment import Alignments
from stepwell.compiler.lower.loop_to_llvm import memory
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.types import in_memory


def load(alignments: Alignments, frame: Frame, op: LoadOp) -> None:
    source, offset, *mask = operands_of(op)
    build, type = frame.build, frame.type_of(op.result)
    if mask and lanes(type) is not None:
        memory.load(frame, op)
        return
    assert isinstance(source.type, BufferType)
    element = in_memory(source.type.element)
    place = build.gep(frame.values[source], frame.values[offset], element)
    if not mask:
        frame.values[op.result] = build.load(place, type, alignments.of_access(op))
        return
    with build.if_(frame.values[mask[0]]) as choice:
        choice.yields(build.load(place, type))
        choice.otherwise()
        choice.yields(build.constant(type, 0))
    frame.values[op.result] = choice.results[0]


def store(alignments: Alignments, frame: Frame, op: StoreOp) -> None:
    value, target, offset, *mask = operands_of(op)
    build, stored = frame.build, frame.values[value]
    if mask and lanes(stored.type) is not None:
        memory.store(frame, op)
        return
    assert isinstance(target.type, BufferType)
    element = in_memory(target.type.element)
    place = build.gep(frame.values[target], frame.values[offset], element)
    if not mask:
        build.store(stored, place, alignments.of_access(op))
        return
    with build.if_(frame.values[mask[0]]):
        build.store(stored, place)
