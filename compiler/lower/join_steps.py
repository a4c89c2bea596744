"""The pass `join-steps`: a loop that only repeats a stencil takes several steps at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.compiler.dialects.construct import construct
from stepwell.compiler.dialects.llvm.types import size
from stepwell.compiler.dialects.loop.explicit import ForOp
from stepwell.compiler.dialects.loop.host import AllocOp, CopyOp, FuncOp, LaunchOp, ViewOp
from stepwell.compiler.dialects.loop.nests import IndexOp, KernelOp, LocalOp, NestOp, YieldOp
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import AccessAttr, Affine, buffer_type
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.lower.analysis import Analysis, lanes_of
from stepwell.compiler.lower.costs import length, nanoseconds
from stepwell.compiler.lower.strategies.wave import Wave
from stepwell.compiler.machines import machine_named
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

MOST = 16
"""Steps at a time: the more they are, the more rows two bands compute both."""
VECTORS = 6
"""Of a row that is worth it: the first and the last ask the conditions."""
PER_BYTE = 0.1
"""Nanoseconds for a byte that comes from memory, or goes there: a step that is longer, by the same
measure, does not wait for memory."""


@final
@dataclass(frozen=True)
class JoinSteps(ModulePass):
    """For loops whose rounds each are one kernel, without a plan, of what it gave the round before;
    the plan becomes a `wave`. Steps that are left over are taken before, one by one."""

    name = "join-steps"

    machine: str = "x86-64-v4"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        machine = machine_named(self.machine)
        callees = {x.sym_name.data: x for x in op.ops if isinstance(x, KernelOp | FuncOp)}
        loops = [] if machine.is_gpu else [x for x in op.walk() if isinstance(x, ForOp)]
        joined = {kernel for loop in loops for kernel in _join(loop, callees, machine)}
        left = {x.callee.string_value() for x in op.walk() if isinstance(x, LaunchOp)}
        for kernel in joined:
            if kernel.sym_name.data not in left:
                Rewriter.erase_op(kernel)


def _join(
    loop: ForOp, callees: dict[str, KernelOp | FuncOp], machine: Machine
) -> Iterator[KernelOp]:
    """The kernel of one step, if the loop takes several at a time now."""
    low, high, found = _number(loop.low), _number(loop.high), _repeated(loop)
    if low is None or high is None or found is None:
        return
    launch, given = found
    kernel = callees[launch.callee.string_value()]
    if not isinstance(kernel, KernelOp):
        return
    count = steps_at_once(kernel, given, high - low, machine)
    if count < 2:
        return
    joined = _several(kernel, given, count)
    joined.properties["plan"] = Wave.choose(joined, machine).plan
    while joined.sym_name.data in callees:
        joined.properties["sym_name"] = StringAttr(f"{joined.sym_name.data}_")
    callees[joined.sym_name.data] = joined
    Rewriter.insert_op(joined, InsertPoint.after(kernel))
    if left := (high - low) % count:
        _go_before(loop, launch.arguments[-1], low + left)
    loop.properties["step"] = NumberAttr(count)
    launch.properties["callee"] = SymbolRefAttr(joined.sym_name)
    yield kernel


def _number(bound: SSAValue) -> int | None:
    op = bound.owner
    return op.access.data[0].offset.static if isinstance(op, IndexOp) and not op.indices else None


def _repeated(loop: ForOp) -> tuple[LaunchOp, int] | None:
    """The launch, if that and to hand on what it gives is all that the loop does, and which of its
    arguments takes that."""
    match [*loop.body.block.ops]:
        case [LaunchOp() as launch, CopyOp() as copy, YieldOp()]:
            *inputs, output = launch.arguments
        case _:
            return None
    alone = loop.step.data == 1 and not loop.results
    handed = copy.source is output and inputs.count(copy.target) == 1
    local = isinstance(output.owner, AllocOp) and len(tuple(output.uses)) == 2
    apart = not any(isinstance(each.owner, ViewOp) for each in inputs)
    return (launch, inputs.index(copy.target)) if alone and handed and local and apart else None


def _go_before(loop: ForOp, output: SSAValue, start: int) -> None:
    """A loop of single steps before the loop, which begins at `start` then. It has room of its own
    for the next value, so that in both loops the buffers can take turns."""
    access = AccessAttr((Affine((), Size.of(start)),))
    index = construct(IndexOp, (), (INDEX,), {"access": access}, loop.location)
    room = construct(AllocOp, (), (output.type,), {}, loop.location)
    single = loop.clone({output: room.result, loop.high: index.result})
    Rewriter.insert_op([index, room, single], InsertPoint.before(loop))
    loop.operands[0] = index.result


def _several(kernel: KernelOp, given: int, count: int) -> KernelOp:
    """So many steps in one kernel, each of which is given what the one before leaves."""
    joined = kernel.clone()
    joined.properties["sym_name"] = StringAttr(f"{kernel.sym_name.data}_by_{count}")
    source, output, (nest,) = joined.arguments[given], joined.arguments[-1], joined.body.block.ops
    for _ in range(count - 1):
        local = construct(LocalOp, (), (output.type,), {}, kernel.location)
        before = nest.clone({output: local.result})
        Rewriter.insert_op([local, before], InsertPoint.before(nest))
        source.replace_uses_with_if(local.result, lambda use: nest.is_ancestor(use.operation))
        source = local.result
    return joined


def steps_at_once(kernel: KernelOp, given: int, count: int, machine: Machine) -> int:
    """How many of `count` steps to take at a time: as many as leave their rows in the second cache;
    one if arrays stay in the last cache, or do not take longer for that than to be computed."""
    (nest, *more), type = kernel.body.block.ops, buffer_type(kernel.arguments[-1])
    if more or kernel.plan is not None or not isinstance(nest, NestOp):
        return 1
    two = _several(kernel, given, 2)
    if 6 * (type.bytes.static or 0) <= machine.l3 or Wave.fits(two, machine) is not None:
        return 1
    analysis = Analysis(nest)
    width, lanes = lanes_of(analysis.types, machine.vector_bytes), analysis.axes()[-1]
    is_short = len(nest.axes) > 1 and length(nest.sizes.data[-1]) < VECTORS * width
    most = min(count, MOST, 1 + machine.l2 * 3 // 4 // Wave.choose(two, machine).between(two))
    brought = 3 * size(type.element) * PER_BYTE
    if most < 2 or is_short or nanoseconds(analysis, lanes, width) > brought:
        return 1
    return next((each for each in range(most, most // 2, -1) if count % each == 0), most)
