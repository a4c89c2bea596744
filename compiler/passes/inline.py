"""Puts the bodies of ops that only say when or how something is computed in their place.

After differentiation, `nd.remat` and `nd.custom_gradient` have said all they have to say.
"""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from stepwell.compiler.ops.staging import CustomGradient, Remat
from stepwell.compiler.ops.structure import yielded

INLINED = (Remat, CustomGradient)


@dataclass(frozen=True)
class Inline(ModulePass):
    """The pass; bodies are moved, not copied."""

    name = "inline"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for each in [inner for inner in op.walk() if isinstance(inner, INLINED)]:
            _inline(each, each.regions[0].block)


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
