"""Puts functions that are called, and bodies of ops that only say when or how, in their place.

After differentiation, `nd.remat` and `nd.custom_gradient` have said all they have to say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.ops.calls import Call
from stepwell.compiler.ops.staging import CustomGradient, Remat
from stepwell.compiler.ops.structure import yielded
from stepwell.runtime.errors import CompileError

INLINED = (Remat, CustomGradient)


@dataclass(frozen=True)
class Inline(ModulePass):
    """The pass; bodies are moved, not copied, but for functions, of which each call is a copy."""

    name = "inline"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for call in _calls(op.walk()):
            _inline_call(call, ())
        for each in [inner for inner in op.walk() if isinstance(inner, INLINED)]:
            _inline(each, each.regions[0].block)


def _calls(ops: Iterable[Operation]) -> list[Call]:
    return [op for op in ops if isinstance(op, Call)]


def _inline_call(call: Call, around: Sequence[str]) -> None:
    """Puts a function in the place of its call, and those that it calls; `around` call this one."""
    name = call.callee.data.name
    if name in around:
        sentence = f"the function {name} calls itself"
        raise CompileError("SW0214", sentence, where=source_line(call.location))
    body = call.body()
    inner = _calls(body.walk())
    _inline(call, body)
    for each in inner:
        _inline_call(each, (*around, name))


def _inline(op: Operation, body: Block) -> None:
    home = op.parent_block()
    assert home is not None
    for argument, operand in zip(body.args, op.operands, strict=True):
        argument.replace_all_uses_with(operand)
    results: tuple[SSAValue, ...] = yielded(body)
    for inner in list(body.ops)[:-1]:
        inner.detach()
        home.insert_op_before(inner, op)
    for result, value in zip(op.results, results, strict=True):
        result.replace_all_uses_with(value)
    op.detach()
    op.drop_all_references()
