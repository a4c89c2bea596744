"""Puts functions that are called, and bodies of ops that only say when or how, in their place.

After differentiation, `nd.remat` and `nd.custom_gradient` have said all they have to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.ops.calls import Call, calls_in
from stepwell.compiler.ops.custom_gradient import CustomGradient
from stepwell.compiler.ops.regions import again, end_of
from stepwell.compiler.ops.staging import Remat
from stepwell.compiler.ops.structure import FuncOp
from stepwell.runtime.errors import CompileError

INLINED = (Remat, CustomGradient)


@dataclass(frozen=True)
class Inline(ModulePass):
    """The pass; private functions disappear. Bodies are moved, not copied, but for functions."""

    name = "inline"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        functions = [each for each in op.ops if isinstance(each, FuncOp)]
        for function in functions:
            if not function.private:
                _inline_calls(function, ())
        for function in functions:
            if function.private:
                Rewriter.erase_op(function)
        for each in [inner for inner in op.walk() if isinstance(inner, INLINED)]:
            _move(each, each.regions[0].block)


def _inline_calls(op: Operation, around: Sequence[str]) -> None:
    """Puts functions in the place of their calls, and those that they call; `around` call `op`."""
    for call in calls_in(op):
        name = call.callee.data.name
        if name in around:
            sentence = f"the function {name} calls itself"
            raise CompileError("SW0214", sentence, where=source_line(call.location))
        for inner in _copy(call, call.target().block):
            _inline_calls(inner, (*around, name))


def _copy(call: Call, body: Block) -> list[Operation]:
    """Copies a function's ops to its call, which disappears; the copies."""
    *ops, last = body.ops
    values: dict[SSAValue, SSAValue] = dict(zip(body.args, call.operands, strict=True))
    copies = [again(op, values) for op in ops]
    Rewriter.insert_op(copies, InsertPoint.before(call))
    Rewriter.replace_op(call, (), [values[value] for value in last.operands])
    return copies


def _move(op: Operation, body: Block) -> None:
    """Moves a body to its op, which disappears."""
    last = end_of(body)
    Rewriter.inline_block(body, InsertPoint.before(op), op.operands)
    results = last.operands[: len(op.results)]  # what an op keeps for itself comes behind
    Rewriter.erase_op(last)
    Rewriter.replace_op(op, (), results)
