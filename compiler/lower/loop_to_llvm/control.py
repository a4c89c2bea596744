"""Loops, branches and threads."""

from collections.abc import Callable, Mapping

from xdsl.ir import Block, Operation, SSAValue

from stepwell.compiler.dialects.llvm.types import i64, ptr, void
from stepwell.compiler.dialects.llvm_builder import Parameter
from stepwell.compiler.dialects.loop.explicit import ForOp, IfOp, ParallelOp
from stepwell.compiler.dialects.loop.host import WhileOp
from stepwell.compiler.dialects.loop.nests import YieldOp
from stepwell.compiler.lower.loop_to_llvm import divider
from stepwell.compiler.lower.loop_to_llvm.context import read
from stepwell.compiler.lower.loop_to_llvm.frame import Frame, TaskFrame
from stepwell.runtime.context import Word


def for_(frame: Frame, op: ForOp) -> None:
    build, values, block = frame.build, frame.values, op.body.block
    low, high, *initial = frame.operands(op)
    divider.invert(frame, block)
    with build.loop(low, high, op.step.data, initial) as loop:
        values.update(zip(block.args, (loop.index, *loop.carried), strict=True))
        frame.lower(block)
        loop.yields(*_yielded(frame, block))
    values.update(zip(op.results, loop.results, strict=True))


def if_(frame: Frame, op: IfOp) -> None:
    with frame.build.if_(frame.values[op.condition]) as choice:
        frame.lower(op.then.block)
        choice.yields(*_yielded(frame, op.then.block))
        choice.otherwise()
        frame.lower(op.otherwise.block)
        choice.yields(*_yielded(frame, op.otherwise.block))
    frame.values.update(zip(op.results, choice.results, strict=True))


def while_(frame: Frame, op: WhileOp) -> None:
    values = frame.values
    with frame.build.while_(*frame.operands(op)) as loop:
        values.update(zip(op.condition.block.args, loop.carried, strict=True))
        frame.lower(op.condition.block)
        condition, *passed = frame.operands(op.test)
        values.update(zip(op.body.block.args, (*loop.carried, *passed), strict=True))
        loop.test(condition)
        frame.lower(op.body.block)
        loop.yields(*_yielded(frame, op.body.block))
    values.update(zip(op.results, loop.results, strict=True))


def parallel(frame: Frame, op: ParallelOp) -> None:
    """The body becomes a function of a range, which the context's `parallel_for` calls."""
    name, task = _outlined(frame, op)
    build = frame.build
    slots = frame.room(i64, max(task.slot_count, 1))
    for value, number in task.captured.items():
        build.store(value, build.gep(slots, number, i64))
    call = read(build, frame.context, Word.PARALLEL_FOR)
    pool = read(build, frame.context, Word.POOL)
    build.call_void(call, [pool, build.address_of(name), slots, frame.values[op.bound]])


def _outlined(frame: Frame, op: ParallelOp) -> tuple[str, TaskFrame]:
    name = frame.program.unique(f"{frame.build.function.sym_name.data}.task")
    slots = Parameter(ptr, ("noalias", "readonly"))
    build = frame.program.define(name, (slots, i64, i64), void, op.location)
    place, begin, end = build.arguments
    task = TaskFrame(frame, build, place)
    first, *behind = op.body.block.args
    if behind:
        task.values.update(zip((first, *behind), (begin, end), strict=True))
        task.lower(op.body.block)
    else:
        with build.loop(begin, end) as loop:
            task.values[first] = loop.index
            task.lower(op.body.block)
    build.ret()
    task.close()
    return name, task


def _yielded(frame: Frame, block: Block) -> list[SSAValue]:
    last = block.last_op
    return frame.operands(last) if isinstance(last, YieldOp) else []


STATEMENTS: Mapping[type[Operation], Callable[..., None]] = {
    ForOp: for_,
    IfOp: if_,
    WhileOp: while_,
    ParallelOp: parallel,
}
