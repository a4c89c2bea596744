"""Removes what a tensor program computes twice or for nobody, and steps that change nothing."""

from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, OpResult, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from stepwell.compiler.dialects.nd import Literal
from stepwell.compiler.dialects.sizes import IntsAttr, count_of
from stepwell.compiler.ops.base import PureOp, TensorOp, has_effect
from stepwell.compiler.ops.binary import Add, Compare, Div, Ge, Le, Mul, Select, Sub
from stepwell.compiler.ops.creation import Constant
from stepwell.compiler.ops.effects import Assert
from stepwell.compiler.ops.emission import emitting_before
from stepwell.compiler.ops.indices import ZERO
from stepwell.compiler.ops.joining import Concatenate, Pad
from stepwell.compiler.ops.movement import Broadcast, Reshape, Slice, Transpose
from stepwell.compiler.ops.regions import again
from stepwell.compiler.ops.structure import FuncOp
from stepwell.compiler.ops.unary import Convert, Neg
from stepwell.compiler.ops.value import Value


@final
@dataclass(frozen=True)
class Simplify(ModulePass):
    """Forwards: simpler forms and common subexpressions; backwards: dead code.

    No rule changes a bit of a result: `x + 0` stays, since it turns -0 into 0.
    """

    name = "simplify"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.body.block.ops:
            if isinstance(function, FuncOp):
                simplify(function.body.block)


def simplify(block: Block) -> None:
    """Simplifies a block, and the regions in it."""
    known: dict[object, Operation] = {}
    for op in tuple(block.ops):
        for region in op.regions:
            simplify(region.block)
        if isinstance(op, Assert):
            _ask_once(op)
        if not isinstance(op, PureOp):
            continue
        _join(op)
        if (same := _simpler(op)) is not None:
            Rewriter.replace_op(op, (), [same])
        elif not op.regions:
            if (before := known.setdefault(_key(op), op)) is not op:
                Rewriter.replace_op(op, (), before.results)
    for op in tuple(block.ops):
        if isinstance(op, Select) and isinstance(op.condition.owner, Ge | Le):
            _ask_the_result(block, op, op.condition.owner)
    erase_dead(block)


def erase_dead(block: Block) -> None:
    """Erases what nobody reads, from the last op to the first."""
    for op in reversed(tuple(block.ops)):
        used = any(tuple(result.uses) for result in op.results)
        if isinstance(op, TensorOp) and not used and not has_effect(op):
            block.erase_op(op)


def _ask_once(op: Assert) -> None:
    """An assertion of many elements becomes one of the least, which is true if all are."""
    condition = Value(op.condition)
    if not condition.rank:
        return
    if count_of(condition.shape) == ZERO:
        Rewriter.erase_op(op)
        return
    with emitting_before(op):
        op.operands[0] = condition.apply("reduce_min", axes=tuple(range(condition.rank))).ssa


def _key(op: Operation) -> object:
    properties = tuple(sorted(op.properties.items(), key=lambda entry: entry[0]))
    return type(op), tuple(op.operands), tuple(op.result_types), properties


def _join(op: Operation) -> None:
    """Of two movements of a kind, one after the other, the second does the work of both."""
    if not isinstance(op, Reshape | Transpose | Broadcast):
        return
    match op, op.x.owner:
        case Reshape(), Reshape() as first:
            pass
        case Transpose(), Transpose() as first:
            op.properties["axes"] = IntsAttr(tuple(first.axes.data[a] for a in op.axes.data))
        case Broadcast(), Broadcast() as first:
            op.properties["axes"] = IntsAttr(tuple(op.axes.data[a] for a in first.axes.data))
        case _:
            return
    op.operands = (first.x,)


def _simpler(op: Operation) -> SSAValue | None:
    """A value that the op's result always equals, bit for bit."""
    match op:
        case Reshape() | Convert() | Broadcast() if op.x.type == op.result.type:
            return op.x if not isinstance(op, Broadcast) or _in_order(op.axes) else None
        case Transpose() if _in_order(op.axes):
            return op.x
        case Slice() if op.x.type == op.result.type and set(op.step.data) <= {1}:
            return op.x if set(op.start.data) <= {ZERO} else None
        case Pad() if op.x.type == op.result.type and set(op.interior.data) <= {0}:
            return op.x if set(op.low.data) <= {ZERO} else None
        case Concatenate() if len(op.parts) == 1:
            return op.parts[0]
        case Select() if op.x is op.y:
            return op.x
        case Neg() if isinstance(op.x.owner, Neg):
            return op.x.owner.x
        case Mul() | Div() if _is(op.rhs, 1):
            return op.lhs
        case Mul() if _is(op.lhs, 1):
            return op.rhs
        case Sub() if _is(op.rhs, 0):
            return op.lhs
        case Add() if _is(op.rhs, "-0"):
            return op.lhs
        case Add() if _is(op.lhs, "-0"):
            return op.rhs
        case _:
            return None


def _ask_the_result(block: Block, op: Select, asked: Compare) -> None:
    """Behind r = (x <= c ? c : x) it is the same to ask r whether it is at most c, or NaN: then x,
    which nobody else needs, is not stored for a gradient."""
    x, c = asked.lhs, asked.rhs
    readers = {use.operation for use in asked.result.uses} - {op}
    alone = {use.operation for use in x.uses} == {op, asked} and isinstance(x, OpResult)
    if readers and alone and (op.x, op.y) == (c, x) and all(map(op.is_before_in_block, readers)):
        copy = again(asked, {x: op.result})
        block.insert_op_after(copy, op)
        asked.result.replace_uses_with_if(copy.results[0], lambda use: use.operation is not op)


def _in_order(axes: IntsAttr) -> bool:
    return list(axes.data) == sorted(axes.data)


def _is(value: SSAValue, number: int | str) -> bool:
    """Whether a value is one constant everywhere, through what repeats or arranges it."""
    owner = value.owner
    if isinstance(owner, Broadcast | Reshape):
        return _is(owner.x, number)
    if not isinstance(owner, Constant):
        return False
    literal = owner.value.data
    wanted = -0.0 if number == "-0" else float(number)
    return literal == Literal.of(wanted, literal.dtype)
