"""Loops, branches and threads."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from xdsl.ir import Block, Operation, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.llvm.types import i64, ptr, void
from stepwell.compiler.dialects.llvm_builder import Parameter
from stepwell.compiler.dialects.loop.explicit import ForOp, IfOp, ParallelOp
from stepwell.compiler.dialects.loop.host import WhileOp
from stepwell.compiler.dialects.loop.nests import YieldOp
from stepwell.compiler.lower.loop_to_llvm import divider
from stepwell.compiler.lower.loop_to_llvm.context import read
from stepwell.compiler.lower.loop_to_llvm.frame import Frame, TaskFrame
from stepwell.runtime.context import Word

LowerBlock: TypeAlias = Callable[[Frame, Block], None]
"""Emits what a block's ops do; its terminator is left to the op around it."""


def for_(lower: LowerBlock, frame: Frame, op: ForOp) -> None:
    build, values, block = frame.build, frame.values, op.body.block
    low, high, *initial = [values[operand] for operand in operands_of(op)]
    divider.invert(frame, block)
    with build.loop(low, high, op.step.data, initial) as loop:
        values.update(zip(block.args, (loop.index, *loop.carried), strict=True))
        lower(frame, block)
        loop.yields(*_yielded(frame, block))
    values.update(zip(op.results, loop.results, strict=True))


def if_(lower: LowerBlock, frame: Frame, op: IfOp) -> None:
    with frame.build.if_(frame.values[op.condition]) as choice:
        lower(frame, op.then.block)
        choice.yields(*_yielded(frame, op.then.block))
        choice.otherwise()
        lower(frame, op.otherwise.block)
        choice.yields(*_yielded(frame, op.otherwise.block))
    frame.values.update(zip(op.results, choice.results, strict=True))


def while_(lower: LowerBlock, frame: Frame, op: WhileOp) -> None:
    values = frame.values
    with frame.build.while_(*[values[operand] for operand in operands_of(op)]) as loop:
        values.update(zip(op.condition.block.args, loop.carried, strict=True))
        lower(frame, op.condition.block)
        condition, *passed = [values[operand] for operand in operands_of(op.test)]
        values.update(zip(op.body.block.args, (*loop.carried, *passed), strict=True))
        loop.test(condition)
        lower(frame, op.body.block)
        loop.yields(*_yielded(frame, op.body.block))
    values.update(zip(op.results, loop.results, strict=True))


def parallel(lower: LowerBlock, frame: Frame, op: ParallelOp) -> None:
    """The body becomes a function of a range, which the context's `parallel_for` calls."""
    name, task = _outlined(lower, frame, op)
    build = frame.build
    slots = frame.room(i64, max(task.slot_count, 1))
    for value, number in task.captured.items():
        build.store(value, build.gep(slots, number, i64))
    call = read(build, frame.context, Word.PARALLEL_FOR)
    pool = read(build, frame.context, Word.POOL)
    build.call_void(call, [pool, build.address_of(name), slots, frame.values[op.bound]])


def _outlined(lower: LowerBlock, frame: Frame, op: ParallelOp) -> tuple[str, TaskFrame]:
    name = frame.program.unique(f"{frame.build.function.sym_name.data}.task")
    slots = Parameter(ptr, ("noalias", "readonly"))
    build = frame.program.define(name, (slots, i64, i64), void, op.location)
    place, begin, end = build.arguments
    task = TaskFrame(frame, build, place)
    first, *behind = op.body.block.args
    if behind:
        task.values.update(zip((first, *behind), (begin, end), strict=True))
        lower(task, op.body.block)
    else:
        with build.loop(begin, end) as loop:
            task.values[first] = loop.index
            lower(task, op.body.block)
    build.ret()
    task.close()
    return name, task


def _yielded(frame: Frame, block: Block) -> list[SSAValue]:
    last = block.last_op
    if not isinstance(last, YieldOp):
        return []
    return [frame.values[value] for value in operands_of(last)]


STRUCTURES: Mapping[type[Operation], Callable[..., None]] = {
    ForOp: for_,
    IfOp: if_,
    WhileOp: while_,
    ParallelOp: parallel,
}
