"""The pass `join-steps`: a loop that only repeats a stencil takes several steps at a time."""

from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import Block, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.dialects.llvm.types import size
from stepwell.compiler.dialects.loop.explicit import ForOp
from stepwell.compiler.dialects.loop.host import AllocOp, CopyOp, FuncOp, LaunchOp, ViewOp
from stepwell.compiler.dialects.loop.nests import IndexOp, KernelOp, LocalOp, NestOp, YieldOp
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import AccessAttr, Affine, buffer_type
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.lower.analysis import Analysis, lanes_of
from stepwell.compiler.lower.costs import NANOSECONDS, length, memory, steps
from stepwell.compiler.lower.strategies import Refusal
from stepwell.compiler.lower.strategies.wave import Wave, reach, rows_at_once
from stepwell.compiler.machines import machine_named
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

MOST = 16
"""Steps at a time: the more they are, the more rows two bands compute both."""
VECTORS = 6
"""Of a row that is worth it: the first and the last ask for the borders."""
PER_BYTE = 0.1
"""Nanoseconds for a byte that comes from memory, or goes there: a step that is longer, by the same
measure, does not wait for memory."""


@final
@dataclass(frozen=True)
class JoinSteps(ModulePass):
    """For loops whose rounds each are one kernel, without a plan, of what it gave the round before;
    the plan becomes a `wave`. Steps that are left in the end are taken one by one."""

    name = "join-steps"

    machine: str = "x86-64-v4"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        machine = machine_named(self.machine)
        callees = {x.sym_name.data: x for x in op.ops if isinstance(x, KernelOp | FuncOp)}
        joined = list[KernelOp]()
        for loop in [] if machine.is_gpu else [x for x in op.walk() if isinstance(x, ForOp)]:
            if (launch := _repeated(loop)) is not None:
                kernel = callees[launch.callee.string_value()]
                if isinstance(kernel, KernelOp) and _join(loop, launch, kernel, callees, machine):
                    joined.append(kernel)
        left = {x.callee.string_value() for x in op.walk() if isinstance(x, LaunchOp)}
        for kernel in dict.fromkeys(joined):
            if kernel.sym_name.data not in left:
                Rewriter.erase_op(kernel)


def _repeated(loop: ForOp) -> LaunchOp | None:
    """The launch, if that and to hand on what it gives is all that the loop does."""
    match [*loop.body.block.ops]:
        case [LaunchOp() as launch, CopyOp() as copy, YieldOp()]:
            *inputs, output = launch.arguments
            alone = not loop.results and not tuple(loop.body.block.args[0].uses)
            handed = copy.source is output and inputs.count(copy.target) == 1
            apart = output not in inputs and not any(isinstance(x.owner, ViewOp) for x in inputs)
            return launch if alone and handed and apart else None
        case _:
            return None


def _join(
    loop: ForOp,
    launch: LaunchOp,
    kernel: KernelOp,
    callees: dict[str, KernelOp | FuncOp],
    machine: Machine,
) -> bool:
    """Whether the loop takes several steps at a time now."""
    low, high, copy = _number(loop.low), _number(loop.high), launch.next_op
    if low is None or high is None or loop.step.data != 1 or not isinstance(copy, CopyOp):
        return False
    given = kernel.arguments[[*launch.arguments].index(copy.target)]
    count = steps_at_once(kernel, given, high - low, machine)
    if count < 2:
        return False
    name = f"{kernel.sym_name.data}_by_{count}"
    while name in callees:
        name += "_"
    callees[name] = _several(kernel, name, given, count, machine)
    Rewriter.insert_op(callees[name], InsertPoint.after(kernel))
    end = high - (high - low) % count
    if end < high:
        _go_on(loop, launch, end)
    launch.properties["callee"] = SymbolRefAttr(name)
    loop.properties["step"] = NumberAttr(count)
    loop.operands[1] = _index(loop, end)
    return True


def _number(bound: SSAValue) -> int | None:
    op = bound.owner
    return op.access.data[0].offset.static if isinstance(op, IndexOp) and not op.indices else None


def _index(loop: ForOp, number: int) -> SSAValue:
    access = AccessAttr((Affine((), Size.of(number)),))
    op = construct(IndexOp, (), (INDEX,), {"access": access}, loop.location)
    Rewriter.insert_op(op, InsertPoint.before(loop))
    return op.result


def _go_on(loop: ForOp, launch: LaunchOp, start: int) -> None:
    """A loop of single steps behind the loop, from `start` on, with room of its own for the next
    value, so that in both the buffers can take turns."""
    room = construct(AllocOp, (), (launch.arguments[-1].type,), {}, loop.location)
    rest = loop.clone({launch.arguments[-1]: room.result, loop.low: _index(loop, start)})
    Rewriter.insert_op([room, rest], InsertPoint.after(loop))


def _several(
    kernel: KernelOp, name: str, given: SSAValue, count: int, machine: Machine
) -> KernelOp:
    """So many steps in one kernel, each of which is given what the one before leaves."""
    block = Block(arg_types=[argument.type for argument in kernel.arguments])
    known = dict[SSAValue, SSAValue](zip(kernel.arguments, block.args, strict=True))
    for old, new in known.items():
        new.name_hint = old.name_hint
    source, output, (nest,) = known[given], kernel.arguments[-1], kernel.body.block.ops
    between = [LocalOp(result_types=[output.type]) for _ in range(count - 1)]
    for op in between:
        op.location = kernel.location
        append(block, op)
    for target in (*(op.result for op in between), block.args[-1]):
        block.add_op(nest.clone({**known, given: source, output: target}))
        source = target
    properties = {**kernel.properties, "sym_name": StringAttr(name)}
    joined = construct(KernelOp, (), (), properties, kernel.location, regions=[Region(block)])
    joined.attributes.update(kernel.attributes)
    joined.properties["plan"] = Wave.choose(joined, machine).plan
    return joined


def steps_at_once(kernel: KernelOp, given: SSAValue, count: int, machine: Machine) -> int:
    """How many of `count` steps to take at a time: as many as leave their rows in the second cache;
    one if arrays stay in the last cache, or do not take longer for that than to be computed."""
    (nest, *more), output = kernel.body.block.ops, kernel.arguments[-1]
    if more or kernel.plan is not None or kernel.outputs.data != 1 or not isinstance(nest, NestOp):
        return 1
    found, type = reach(nest, given, output), buffer_type(output)
    bytes, element = type.bytes.static or 0, size(type.element)
    if isinstance(found, Refusal) or 6 * bytes <= machine.l3:
        return 1
    analysis = Analysis(nest)
    width, (rows, *_, lanes) = lanes_of(analysis.types, machine.vector_bytes), nest.sizes.data * 2
    time = steps(analysis) / width + memory(analysis, analysis.axes()[-1], width)
    is_short = len(nest.axes) > 1 and length(lanes) < VECTORS * width
    row = bytes // length(rows)
    ring = (sum(found) + rows_at_once(row, machine)) * row
    most = min(count, MOST, 1 + machine.l2 * 3 // 4 // ring)
    if most < 2 or is_short or time * NANOSECONDS > 3 * element * PER_BYTE:
        return 1
    return next((each for each in range(most, most // 2, -1) if count % each == 0), most)
