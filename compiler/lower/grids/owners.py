"""What a program does to memory in its order, as a grid in which every element has its owner.

All threads go the one way, but of what is written each writes only the elements whose offsets are
its number, modulo all threads. So the sums at a place are one thread's, in their order, and
neighbours write what lies side by side.
"""

from collections.abc import Sequence
from typing import TypeAlias, final

from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.traits import is_side_effect_free

from stepwell.compiler.dialects.construct import construct, operands_of
from stepwell.compiler.dialects.llvm.types import element, lanes
from stepwell.compiler.dialects.loop.explicit import ForOp, IfOp, LoadOp, StoreOp
from stepwell.compiler.dialects.loop.host import CopyOp, ViewOp
from stepwell.compiler.dialects.loop.nests import IndexOp, YieldOp
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.lower.analysis import BACK
from stepwell.compiler.lower.contraction import slice_of
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Term, Writer
from stepwell.runtime.sizes import Size

MOST, LEAST = 1 << 15, 32
"""Threads that keep a card busy, and of a warp: powers of two."""

Write: TypeAlias = StoreOp | CopyOp


def writes_of(ops: Sequence[Operation]) -> list[Write]:
    return [each for op in ops for each in op.walk() if isinstance(each, StoreOp | CopyOp)]


def root_of(buffer: SSAValue) -> SSAValue:
    """What a view is a part of; in the workspace there are many of those."""
    owner = buffer.owner
    if isinstance(owner, ViewOp) and _element(owner.base) == _element(buffer):
        return root_of(owner.base)
    return buffer


def _element(buffer: SSAValue) -> object:
    assert isinstance(buffer.type, BufferType)
    return buffer.type.element


def may_be_shared(ops: Sequence[Operation]) -> bool:
    """Whether they write one buffer, and read none of it but what they write in the same step."""
    every = [each for op in ops for each in op.walk()]
    roots = {root_of(each.target) for each in writes_of(ops)}
    if len(roots) != 1 or not all(map(_is_known, every)):
        return False
    reads = [each for each in every if isinstance(each, LoadOp | CopyOp)]
    own = [each for each in reads if root_of(each.source) in roots]
    stores = [each for each in every if isinstance(each, StoreOp)]
    return all(map(_is_plain, stores)) and all(_is_updated(each, stores) for each in own)


def _is_known(op: Operation) -> bool:
    """Whether all threads may do it alike, or it is shared out."""
    match op:
        case ForOp():
            return not op.results
        case LoadOp() | StoreOp():
            return op.mask is None
        case IfOp() | CopyOp() | YieldOp():
            return True
        case _:
            return is_side_effect_free(op)


def _is_plain(store: StoreOp) -> bool:
    """Whether a block has but this store, of one element, or of as many as its loop goes on by."""
    block, offset = store.parent, store.offset.owner
    if block is None or not isinstance(offset, IndexOp) or len(writes_of([*block.ops])) > 1:
        return False
    return lanes(store.value.type) is None or _loop_along(store) is not None


def _is_updated(read: Operation, stores: Sequence[StoreOp]) -> bool:
    """Whether a read is of what a store writes in the same block."""
    return isinstance(read, LoadOp) and any(
        read.parent is store.parent
        and read.source is store.target
        and _form(read.offset) == _form(store.offset)
        for store in stores
    )


def _form(offset: SSAValue) -> object:
    op = offset.owner
    return (op.access, tuple(op.indices)) if isinstance(op, IndexOp) else offset


def _loop_along(store: StoreOp) -> ForOp | None:
    """The loop around a store, if its steps write what lies side by side."""
    loop, offset = store.parent_op(), store.offset.owner
    assert isinstance(offset, IndexOp)
    if not isinstance(loop, ForOp) or loop.step.data != (lanes(store.value.type) or 1):
        return None
    body = loop.body.block
    strides = [
        size for size, number in offset.access.data[0].terms if offset.indices[number].owner is body
    ]
    inside = any(each.owner in {*body.ops} for each in offset.indices)
    flat = not any(op.regions for op in body.ops)
    return loop if strides == [ONE] and flat and not inside else None


def elements_of(write: Write) -> Size:
    """Of the buffer of which a part is written."""
    type = root_of(write.target).type
    assert isinstance(type, BufferType)
    return type.count


def threads_for(elements: Size) -> int:
    """An owner for each element, within limits."""
    count = elements.static
    return MOST if count is None else min(MOST, max(LEAST, 1 << (count - 1).bit_length()))


def _place(buffer: SSAValue) -> tuple[list[Term], Size]:
    """Where a view begins in what it is a part of, as terms and an offset."""
    view = buffer.owner
    if buffer is root_of(buffer) or not isinstance(view, ViewOp):
        return [], ZERO
    (form,) = view.access.data
    terms, offset = _place(view.base)
    own = [(size, view.indices[number]) for size, number in form.terms]
    return [*terms, *own], offset + form.offset


@final
class Owner:
    """The thread of a number among `count`, which is a power of two."""

    def __init__(self, number: SSAValue, count: int) -> None:
        self._number = number
        self._count = count

    def take(self, write: Write) -> None:
        """Leaves of a write what is the thread's own."""
        if isinstance(write, CopyOp):
            self._copy(write)
        elif (loop := _loop_along(write)) is not None:
            self._along(loop, write)
        else:
            self._where_own(write)

    def _copy(self, op: CopyOp) -> None:
        type = op.target.type
        assert isinstance(type, BufferType)
        made = Block()
        writer = _writer(made, op)

        def move(place: Bound) -> None:
            writer.store(writer.reload(op.source, place, type.element), op.target, place)

        first = self._first(writer, *_place(op.target))
        writer.each(first, writer.extent(type.count), move, self._count)
        _replace(op, made)

    def _along(self, loop: ForOp, store: StoreOp) -> None:
        """The steps of one element, as far apart as there are threads."""
        offset, body = store.offset.owner, loop.body.block
        assert isinstance(offset, IndexOp)
        (form,) = offset.access.data
        values = [loop.low if each is body.args[0] else each for each in offset.indices]
        made = Block()
        writer = _writer(made, loop)
        terms = [(size, values[number]) for size, number in form.terms]
        first = writer.add(loop.low, self._first(writer, terms, form.offset))

        def step(place: Bound) -> None:
            known: dict[SSAValue, SSAValue] = {body.args[0]: writer.value(place)}
            for op in body.ops:
                if not isinstance(op, IRDLOperation) or isinstance(op, YieldOp):
                    continue
                operands = [known.get(each, each) for each in operands_of(op)]
                types = [element(each.type) for each in op.results]
                copy = writer.effect(type(op), operands, types, op.properties)
                known.update(zip(op.results, copy.results, strict=True))

        writer.each(first, loop.high, step, self._count)
        _replace(loop, made)

    def _where_own(self, store: StoreOp) -> None:
        """All of a store's block but what tells its place, where that is the thread's."""
        block = store.parent
        assert block is not None
        before = slice_of([store.offset])
        rest = [op for op in block.ops if op not in before and not isinstance(op, YieldOp)]
        made = Block()
        writer = _writer(made, store)
        own = writer.value(writer.low_bits(store.offset, self._count))
        then, otherwise = Block(), Block()
        for op in rest:
            op.detach()
            then.add_op(op)
        for each in (then, otherwise):
            each.add_op(construct(YieldOp, location=store.location))
        condition = writer.compare("eq", own, self._number)
        writer.effect(IfOp, (condition,), regions=[Region(then), Region(otherwise)])
        last = block.last_op
        ends = isinstance(last, YieldOp)
        Rewriter.inline_block(made, InsertPoint.before(last) if ends else InsertPoint.at_end(block))

    def _first(self, writer: Writer, terms: Sequence[Term], offset: Size) -> Bound:
        """How far behind an offset the thread's first element is."""
        back = [(BACK * size, value) for size, value in terms]
        place = writer.affine([(ONE, self._number), *back], BACK * offset)
        return writer.low_bits(place, self._count)


def _writer(block: Block, op: Operation) -> Writer:
    writer = Writer(block)
    writer.location = op.location
    return writer


def _replace(op: Operation, made: Block) -> None:
    Rewriter.inline_block(made, InsertPoint.before(op))
    op.detach()
    op.erase()
