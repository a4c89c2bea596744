"""The pass `separate-loops`: a loop whose elements need no others becomes a loop for each element.

So it is one kernel, which holds in registers what is carried. For that a scan without inputs and
stacked results becomes a loop that counts. A loop of another kind, if its condition has axes, gets
one condition for all.
"""

from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.nd import shape_of
from stepwell.compiler.ops.base import Role, TensorOp
from stepwell.compiler.ops.emission import emit, emitting, emitting_before
from stepwell.compiler.ops.movement import Broadcast
from stepwell.compiler.ops.regions import inline, replace, written
from stepwell.compiler.ops.scan import Scan
from stepwell.compiler.ops.structure import SEPARATE, yielded
from stepwell.compiler.ops.unary import Convert
from stepwell.compiler.ops.value import Value, full
from stepwell.compiler.ops.while_loop import While
from stepwell.compiler.passes.simplify import simplify

LONGEST = 100
"""Ops of a body: what is carried and computed is to stay in registers, for some vectors."""

MOST_STEPS = (1 << 31) - 1


@final
@dataclass(frozen=True)
class SeparateLoops(ModulePass):
    """The pass; marks the loops that are a kernel."""

    name = "separate-loops"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        with emitting(Block()):
            for each in list(op.walk(region_first=True)):
                match each:
                    case Scan() if is_separate(each) and _only_repeats(each):
                        _counted(each).attributes[SEPARATE] = UnitAttr()
                    case While() if is_separate(each):
                        each.attributes[SEPARATE] = UnitAttr()
                    case While() if shape_of(yielded(each.condition.block)[0].type):
                        _as_one(each)
                    case _:
                        pass


def is_separate(loop: While | Scan) -> bool:
    """Whether an element of what is carried depends on constants and on those at its own index; a
    value may lack the last axes, along which it is the same."""
    shapes = [shape_of(value.type) for value in loop.results]
    whole = max(shapes, key=len, default=())
    used = [shape for x, shape in zip(loop.results, shapes, strict=True) if tuple(x.uses)]
    return (
        all(shape == whole[: len(shape)] for shape in shapes)
        and all(shape == whole for shape in used)
        and all(_is_elementwise(region.block, loop.constants.data) for region in loop.regions)
    )


def _is_elementwise(block: Block, constants: int) -> bool:
    carried: set[SSAValue] = set(block.args[constants:])
    ops = list(block.ops)[:-1]
    for op in ops:
        if any(operand in carried for operand in op.operands):
            if not _keeps_index(op):
                return False
            carried.update(op.results)
        elif not isinstance(op, TensorOp) or op.ROLE not in (Role.FREE, Role.MAP):
            return False
    return len(ops) <= LONGEST


def _keeps_index(op: object) -> bool:
    match op:
        case Broadcast():
            return op.axes.data == tuple(range(len(op.axes.data)))
        case While():
            return SEPARATE in op.attributes
        case TensorOp():
            return op.ROLE is Role.MAP or isinstance(op, Convert)
        case _:
            return False


def _only_repeats(scan: Scan) -> bool:
    """Whether a scan has neither inputs nor stacked results, and a number of steps."""
    length, carried = scan.length.data.static, scan.carried.data
    whole = len(scan.operands) == scan.constants.data + carried and len(scan.results) == carried
    return whole and length is not None and length <= MOST_STEPS


def _counted(scan: Scan) -> Operation:
    """A scan as a loop that carries its number of steps, too."""
    with emitting_before(scan):
        operands = [*map(Value, scan.operands), full(0, "i32")]
        types = [value.type for value in operands]
        length = scan.length.data.static
        regions = [
            written(types, lambda values: [values[-1].compare("lt", length or 0)]),
            written(types, lambda values: [*inline(scan.body.block, values[:-1]), values[-1] + 1]),
        ]
        loop = emit("while", [x.ssa for x in operands], regions, constants=scan.constants.data)
    replace(scan, [Value(result) for result in loop.results[:-1]])
    return loop


def _as_one(loop: While) -> None:
    """The loop with a condition for all lanes; those whose own does not hold keep their values."""
    first = loop.constants.data
    operands = [Value(operand) for operand in loop.operands]
    types = [value.type for value in operands]

    def goes_on(arguments: list[Value]) -> list[Value]:
        (condition,) = inline(loop.condition.block, arguments)
        return [condition.max(range(condition.rank))]

    def step(arguments: list[Value]) -> list[Value]:
        (condition,) = inline(loop.condition.block, arguments)
        following = inline(loop.body.block, arguments)
        return [
            condition.broadcast(new.shape, range(condition.rank)).select(new, old)
            for new, old in zip(following, arguments[first:], strict=True)
        ]

    with emitting_before(loop):
        regions = [written(types, goes_on), written(types, step)]
        for region in regions:
            simplify(region.block)
        results = loop.again(operands, first, regions)
    replace(loop, results)
