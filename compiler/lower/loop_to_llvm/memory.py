"""Accesses to buffers: loads, stores, gathers, views, copies and places on the stack."""

from collections.abc import Callable, Mapping, Sequence

from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Operation, OpResult, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.llvm.cursor import Operand
from stepwell.compiler.dialects.llvm.types import element, f32, i1, i64, lanes, size, vector
from stepwell.compiler.dialects.loop.explicit import (
    AlignedOp,
    DotTilesOp,
    FenceOp,
    GatherOp,
    LoadOp,
    MaskOp,
    PrefetchOp,
    ScatterOp,
    ShuffleOp,
    StackOp,
    StoreOp,
)
from stepwell.compiler.dialects.loop.host import CopyOp, ViewOp
from stepwell.compiler.dialects.loop.nests import IndexOp
from stepwell.compiler.dialects.loop.types import AccessAttr, buffer_type
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.scalars import any_lane
from stepwell.compiler.lower.loop_to_llvm.tiles import dot_tiles
from stepwell.compiler.lower.loop_to_llvm.types import as_integer, in_memory

WIDEST = 64
"""Bytes of the widest vector: what the stack is aligned to, and what a step of a copy moves."""


def load(frame: Frame, op: LoadOp | GatherOp) -> None:
    source, offset, *mask = operands_of(op)
    build, type = frame.build, frame.type_of(op.results[0])
    place, is_load, is_one = frame.place(source, offset), isinstance(op, LoadOp), not lanes(type)
    # A GPU's threads load a vector's lanes one by one, where their mask says so.
    at_once = not frame.program.machine.is_gpu
    if is_load and mask and (is_one or (at_once and not isinstance(mask[0].owner, MaskOp))):
        # Of pages that are not there, a processor takes long to find that no lane is read.
        place = build.select(any_lane(build, frame.values[mask[0]]), place, frame.zero)
    if is_load and (not mask or is_one):
        value = build.load(place, type)
    else:
        value = build.masked_load(place, _lanes_set(frame, place, mask), build.constant(type, 0))
        # Of lanes that change places and are then chosen under that mask, LLVM 22 makes an
        # instruction that reads them from memory, all of them: so they are loaded before a fence.
        turned = any(isinstance(use.operation, ShuffleOp) for use in op.results[0].uses)
        count = size(type) * (lanes(type) or 1) // 4
        if at_once and turned and count and element(type) != i1:
            name, floats = f"llvm.arithmetic.fence.v{count}f32", vector(f32, count)
            loaded = build.intrinsic(name, [build.bitcast(value, floats)], floats)
            value = build.bitcast(loaded, type)
    frame.values[op.results[0]] = value


def store(frame: Frame, op: StoreOp) -> None:
    value, target, offset, *mask = operands_of(op)
    build, stored = frame.build, frame.values[value]
    place = frame.place(target, offset)
    if op.streamed is not None:
        bytes = size(stored.type) * (lanes(stored.type) or 1)
        build.store(stored, place, bytes, nontemporal=True)
    elif not mask:
        build.store(stored, place)
    elif lanes(stored.type) is None:
        build.store(stored, build.select(frame.values[mask[0]], place, frame.nowhere))
    elif _is_first_lane(mask[0]):
        build.store(build.extract_element(stored, 0), place)
    else:
        build.masked_store(stored, place, frame.values[mask[0]])


def _is_first_lane(mask: SSAValue) -> bool:
    """Whether a mask is known to be that of one lane.

    LLVM 22 takes a truncated vector's store under such a constant for one of the whole element
    before the truncation, which overwrites what follows.
    """
    match mask.owner:
        case MaskOp(
            first=OpResult(owner=ConstantOp(value=IntegerAttr() as first)),
            bound=OpResult(owner=ConstantOp(value=IntegerAttr() as bound)),
        ):
            return bound.value.data - first.value.data == 1
        case _:
            return False


def scatter(frame: Frame, op: ScatterOp) -> None:
    value, target, offsets, *mask = operands_of(op)
    places = frame.place(target, offsets)
    frame.build.masked_store(frame.values[value], places, _lanes_set(frame, places, mask))


def prefetch(frame: Frame, op: PrefetchOp) -> None:
    second = op.apart is not None and frame.program.machine.reads_on
    frame.build.prefetch(frame.place(*operands_of(op)), 2 if second else 1)


def aligned(frame: Frame, op: AlignedOp) -> None:
    build = frame.build
    beside = build.and_(build.ptrtoint(frame.values[op.buffer]), WIDEST - 1)
    frame.values[op.result] = build.icmp("eq", beside, 0)


def fence(frame: Frame, op: FenceOp) -> None:
    frame.build.fence("seq_cst")


def stack(frame: Frame, op: StackOp) -> None:
    count = buffer_type(op.result).count.static
    assert count is not None, "memory on the stack has a fixed size"
    element = in_memory(buffer_type(op.result).element)
    frame.values[op.result] = frame.room(element, count, WIDEST)


def view(frame: Frame, op: ViewOp) -> None:
    base, *indices = operands_of(op)
    offset = affine(frame, op.access, indices)
    element = in_memory(buffer_type(base).element)
    frame.values[op.result] = frame.build.gep(frame.values[base], offset, element)


def index(frame: Frame, op: IndexOp) -> None:
    value = affine(frame, op.access, operands_of(op))
    frame.values[op.result] = frame.build.value(value, frame.index)


def affine(frame: Frame, access: AccessAttr, indices: Sequence[SSAValue]) -> Operand:
    """The sum of the operands times their coefficients, and of the offset."""
    build, (form,) = frame.build, access.data
    total: Operand | None = None
    for coefficient, number in form.terms:
        term: Operand = frame.values[indices[number]]
        if coefficient.static != 1:
            term = build.mul(term, frame.sizes.operand(coefficient))
        total = term if total is None else build.add(total, term)
    offset = frame.sizes.operand(form.offset)
    if total is None:
        return offset
    return total if offset == 0 else build.add(total, offset)


def copy(frame: Frame, op: CopyOp) -> None:
    """A vector at a time, then element by element; LLVM's `memcpy` would call a library."""
    build, type = frame.build, buffer_type(op.source)
    element = as_integer(type.element)
    width = WIDEST // size(element)
    source, target = frame.values[op.source], frame.values[op.target]
    count = frame.sizes.value(type.count)
    whole = build.and_(count, -width)
    for low, high, step, moved in (
        (build.constant(i64, 0), whole, width, vector(element, width)),
        (whole, count, 1, element),
    ):
        with build.loop(low, high, step) as loop:
            value = build.load(build.gep(source, loop.index, element), moved)
            build.store(value, build.gep(target, loop.index, element))


def _lanes_set(frame: Frame, places: SSAValue, mask: list[SSAValue]) -> SSAValue:
    if mask:
        return frame.values[mask[0]]
    return frame.build.constant(vector(i1, lanes(places.type) or 1), 1)


STATEMENTS: Mapping[type[Operation], Callable[..., None]] = {
    LoadOp: load,
    StoreOp: store,
    GatherOp: load,
    ScatterOp: scatter,
    PrefetchOp: prefetch,
    AlignedOp: aligned,
    FenceOp: fence,
    DotTilesOp: dot_tiles,
    StackOp: stack,
    ViewOp: view,
    IndexOp: index,
    CopyOp: copy,
}
