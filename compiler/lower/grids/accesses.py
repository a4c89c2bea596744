"""A thread's accesses to memory: aligned vectors, and jumps over what a mask leaves out."""

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.llvm.types import lanes
from stepwell.compiler.dialects.loop.explicit import LoadOp, MaskOp, StoreOp
from stepwell.compiler.lower.grids.alignment import Alignments
from stepwell.compiler.lower.loop_to_llvm import memory
from stepwell.compiler.lower.loop_to_llvm.frame import Frame


def load(alignments: Alignments, frame: Frame, op: LoadOp) -> None:
    source, offset, *mask = operands_of(op)
    build, type = frame.build, frame.type_of(op.result)
    condition = _condition(alignments, frame, mask)
    if mask and condition is None:
        memory.load(frame, op)
        return
    place, alignment = frame.place(source, offset), alignments.of_access(op)
    if condition is None:
        frame.values[op.result] = build.load(place, type, alignment)
        return
    with build.if_(condition) as choice:
        choice.yields(build.load(place, type, alignment))
        choice.otherwise()
        choice.yields(build.constant(type, 0))
    frame.values[op.result] = choice.results[0]


def store(alignments: Alignments, frame: Frame, op: StoreOp) -> None:
    value, target, offset, *mask = operands_of(op)
    build, stored = frame.build, frame.values[value]
    condition = _condition(alignments, frame, mask)
    if mask and condition is None:
        memory.store(frame, op)
        return
    place, alignment = frame.place(target, offset), alignments.of_access(op)
    if condition is None:
        build.store(stored, place, alignment)
        return
    with build.if_(condition):
        build.store(stored, place, alignment)


def _condition(alignments: Alignments, frame: Frame, mask: list[SSAValue]) -> SSAValue | None:
    """Whether there is an access at all: None if a mask may leave out a part of it, or there is no
    mask. Where vectors begin and end at whole ones, a mask leaves out all or nothing."""
    if not mask:
        return None
    count, made = lanes(mask[0].type), mask[0].owner
    if count is None:
        return frame.values[mask[0]]
    if not isinstance(made, MaskOp) or alignments.of(made.first) % count:
        return None
    if alignments.of(made.bound) % count:
        return None
    return frame.build.icmp("slt", frame.values[made.first], frame.values[made.bound])
