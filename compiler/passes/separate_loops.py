"""The pass `separate-loops`: a loop whose elements need no others becomes a loop for each element.

So it is one kernel, which holds in registers what is carried. For that a scan without inputs and
stacked results becomes a loop that counts. A loop of another kind, if its condition has axes, gets
one condition for all.
"""

from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Block, SSAValue
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.nd import shape_of
from stepwell.compiler.ops.base import Role, TensorOp
from stepwell.compiler.ops.movement import Broadcast
from stepwell.compiler.ops.scan import Scan
from stepwell.compiler.ops.structure import SEPARATE, yielded
from stepwell.compiler.ops.while_loop import While
from stepwell.compiler.passes.groups import is_opaque, same_index
from stepwell.compiler.passes.simplify import simplify

LONGEST = 100
"""Ops of a body: what is carried and computed is to stay in registers, for some vectors."""


@final
@dataclass(frozen=True)
class SeparateLoops(ModulePass):
    """The pass; marks the loops that are a kernel."""

    name = "separate-loops"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for each in list(op.walk(region_first=True)):
            if isinstance(each, While | Scan) and is_separate(each):
                loop = each.counting() if isinstance(each, Scan) else each
                if isinstance(loop, While):
                    loop.attributes[SEPARATE] = UnitAttr()
            elif isinstance(each, While) and shape_of(yielded(each.condition.block)[0].type):
                for region in each.with_one_condition().regions:
                    simplify(region.block)


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
        if not isinstance(op, TensorOp) or is_opaque(op):
            return False
        if carried.isdisjoint(op.operands):
            if op.ROLE not in (Role.FREE, Role.MAP):
                return False
            continue
        if not same_index(op) and not (isinstance(op, Broadcast) and _keeps_axes(op)):
            return False
        carried.update(op.results)
    return len(ops) <= LONGEST


def _keeps_axes(op: Broadcast) -> bool:
    return op.axes.data == tuple(range(len(op.axes.data)))
