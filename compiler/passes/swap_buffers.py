"""The pass `swap-buffers`: a loop that copies what it carries takes two buffers in turn instead.

It is for copies that `share-buffers` has to leave, such as that of a state which a product reads as
a whole while it writes the next one. Of a copy in each round one remains, behind the loop.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Block, BlockArgument, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.dialects.loop.explicit import ForOp
from stepwell.compiler.dialects.loop.host import AllocOp, CopyOp, FuncOp, LaunchOp, WhileOp
from stepwell.compiler.dialects.loop.nests import KernelOp, YieldOp
from stepwell.compiler.ops.regions import lift
from stepwell.compiler.passes.interference import BECAUSE

Loop: TypeAlias = ForOp | WhileOp


@final
@dataclass(frozen=True)
class SwapBuffers(ModulePass):
    """For each loop whose body ends with copies out of buffers that it writes anew."""

    name = "swap-buffers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        callees = [each for each in op.ops if isinstance(each, FuncOp | KernelOp)]
        outputs = {callee.sym_name.data: callee.outputs.data for callee in callees}
        for loop in [each for each in op.walk() if isinstance(each, ForOp | WhileOp)]:
            copies = [copy for copy in _last_copies(loop.body.block) if BECAUSE in copy.attributes]
            used = [value for copy in copies for value in copy.operands]
            if len(set(used)) == len(used):
                _swap(loop, [copy for copy in copies if _can_swap(copy, loop, outputs)])


def _last_copies(body: Block) -> Iterator[CopyOp]:
    """The copies with which the body ends."""
    op = body.last_op
    if isinstance(op, YieldOp):
        op = op.prev_op
    while isinstance(op, CopyOp):
        yield op
        op = op.prev_op


def _can_swap(copy: CopyOp, loop: Loop, outputs: Mapping[str, int]) -> bool:
    """Whether the source is of use in the body only, where it is written first, and both buffers
    have but one name in the loop."""
    source, target = copy.source, copy.target
    return (
        isinstance(source.owner, AllocOp)
        and source.type == target.type
        and not _is_inside(target, loop)
        and all(loop.body.is_ancestor(use.operation) for use in source.uses)
        and not any(_is_renamed_outside(use.operation, loop) for use in target.uses)
        and _is_written_first(source, loop.body.block, outputs)
    )


def _is_inside(buffer: SSAValue, loop: Loop) -> bool:
    """Whether a buffer is made in the loop, or carried by it."""
    if isinstance(buffer, BlockArgument):
        return buffer.owner.parent_op() is loop
    return isinstance(buffer.owner, Operation) and loop.is_ancestor(buffer.owner)


def _is_renamed_outside(user: Operation, loop: Loop) -> bool:
    """Whether the loop uses a buffer through a view that was made before it."""
    uses = [use.operation for result in user.results for use in result.uses]
    return not loop.is_ancestor(user) and any(map(loop.is_ancestor, uses))


def _is_written_first(buffer: SSAValue, body: Block, outputs: Mapping[str, int]) -> bool:
    """Whether the first that is done with a buffer, in each round, is to write all of it."""
    users = {use.operation for use in buffer.uses}
    first = next(op for op in body.walk() if op in users)
    if first.parent is not body:
        return False
    if isinstance(first, CopyOp):
        return first.target is buffer
    if not isinstance(first, LaunchOp):
        return False
    split = len(first.arguments) - outputs[first.callee.string_value()]
    return buffer not in first.arguments[:split]


def _swap(loop: Loop, copies: Sequence[CopyOp]) -> None:
    """The loop anew, which carries each copy's buffers and hands them on the other way round."""
    if not copies:
        return
    body, given = loop.body.block, list[SSAValue]()
    for copy in copies:
        given += (copy.target, copy.source)
        Rewriter.erase_op(copy)
    for source in given[1::2]:
        allocation = source.owner
        assert isinstance(allocation, Operation)
        if loop.is_ancestor(allocation):
            allocation.detach()
            Rewriter.insert_op(allocation, InsertPoint.before(loop))
    for region in loop.regions:
        lift(region.block, given, len(region.block.args))
    now = body.args[-len(given) :]
    swapped = [now[number ^ 1] for number in range(len(given))]
    if isinstance(body.last_op, YieldOp):
        body.last_op.operands = (*body.last_op.operands, *swapped)
    else:
        append(body, construct(YieldOp, swapped, (), {}, loop.location))
    types = [*loop.result_types, *(value.type for value in given)]
    properties, location = loop.properties, loop.location
    regions = [loop.detach_region(region) for region in tuple(loop.regions)]
    operands = (*loop.operands, *given)
    swapping = construct(type(loop), operands, types, properties, location, regions=regions)
    kept, ends = len(loop.results), list[Operation]()
    for last, target in zip(swapping.results[kept::2], given[::2], strict=True):
        copy = construct(CopyOp, (last, target), (), {}, location)
        copy.attributes[BECAUSE] = StringAttr("the loop ends in one of two buffers")
        ends.append(copy)
    Rewriter.replace_op(loop, [swapping, *ends], swapping.results[:kept])
