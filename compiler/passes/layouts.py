"""The pass `layouts`: arrays that are transposed there and back are computed as they were.

A network whose channels come first has its convolutions between transpositions. What is computed
between one and the next, element by element, is computed before the first, which then stands
before the second, and both are gone. So is what is joined, cut out, reversed or padded there.
"""

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from stepwell.compiler.ops.creation import Constant
from stepwell.compiler.ops.emission import Parameters, emitting_before
from stepwell.compiler.ops.families import Elementwise
from stepwell.compiler.ops.joining import Concatenate, Pad
from stepwell.compiler.ops.movement import Broadcast, Reverse, Slice, Transpose, inverse
from stepwell.compiler.ops.value import Value, emitted

Axes = tuple[int, ...]
Movable = Elementwise | Concatenate | Pad | Reverse | Slice
"""What gives of transposed operands what it gives of the operands, transposed, if its parameters
say of the axes before what they say of those behind."""


@final
@dataclass(frozen=True)
class Layouts(ModulePass):
    """Backwards: how readers transpose what they read. Forwards: what that undoes moves behind."""

    name = "layouts"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        wanted: dict[SSAValue, set[Axes]] = defaultdict(set)
        ops = [each for each in op.walk() if isinstance(each, Transpose | Movable)]
        for each in reversed(ops):
            if isinstance(each, Transpose):
                wanted[each.x].add(each.axes.data)
            else:
                for x in each.operands:
                    wanted[x] |= wanted[each.results[0]]
        for each in ops:
            if isinstance(each, Movable):
                _move(each, wanted[each.results[0]])


def _move(op: Movable, wanted: Set[Axes]) -> None:
    """Computes the op before its operands are transposed, if that is undone behind it."""
    for x in op.operands:
        if isinstance(x.owner, Transpose) and inverse(axes := x.owner.axes.data) in wanted:
            with emitting_before(op):
                operands = [_before(each, axes) for each in op.operands]
                (result,) = emitted(op.mnemonic(), operands, **_parameters(op, axes))
                transposed = result.transpose(axes).ssa
            Rewriter.replace_op(op, (), [transposed])
            return


def _parameters(op: Movable, axes: Axes) -> Parameters:
    """Those that say it of the axes before: they are numbers of axes, or have an entry for each."""
    parameters, back = op.parameters, inverse(axes)
    for name, value in parameters.items():
        match name:
            case "axis":
                parameters[name] = axes[value]
            case "axes":
                parameters[name] = tuple(map(axes.__getitem__, value))
            case "low" | "high" | "interior" | "start" | "shape" | "step":
                parameters[name] = tuple(value[axis] for axis in back)
            case _:
                pass
    return parameters


def _before(x: SSAValue, axes: Axes) -> Value:
    """What is `x` once it is transposed; a single element (what a pad fills with) is itself."""
    value, back = Value(x), inverse(axes)
    if not value.rank:
        return value
    shape = tuple(value.shape[axis] for axis in back)
    match x.owner:
        case Constant() as owner:
            return emitted("constant", [], value=owner.value.data, shape=shape)[0]
        case Broadcast() as owner:
            return Value(owner.x).broadcast(shape, [axes[axis] for axis in owner.axes.data])
        case _:
            return value.transpose(back)
