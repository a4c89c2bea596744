"""Batching: walk forwards, ask each op for itself with a leading axis on some operands."""

from collections.abc import Sequence

from xdsl.ir import Block, Operation, SSAValue

from stepwell.compiler.dialects.construct import append
from stepwell.compiler.dialects.locations import derived
from stepwell.compiler.dialects.nd import dtype_of, shape_of, tensor
from stepwell.compiler.ops.base import TensorOp, Transforms
from stepwell.compiler.ops.emission import current, emitting, located
from stepwell.compiler.ops.regions import again, close
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value
from stepwell.runtime.sizes import Size


def with_axis(
    transforms: Transforms, block: Block, size: Size, on: Sequence[bool]
) -> tuple[Block, tuple[bool, ...]]:
    """A copy of a block with a leading axis of this size on the arguments marked `on`.

    The flags tell which outputs then have one; what depends on no marked argument does not, and
    neither do values from around the block, which all examples share.
    """
    types = [
        tensor(dtype_of(argument.type), (size, *shape_of(argument.type))) if flag else argument.type
        for argument, flag in zip(block.args, on, strict=True)
    ]
    result = Block(arg_types=types)
    copies: dict[SSAValue, SSAValue] = dict(zip(block.args, result.args, strict=True))
    batched: set[SSAValue] = {value for value, flag in zip(result.args, on, strict=True) if flag}
    with emitting(result, current().location):
        for op in list(block.ops)[:-1]:
            _step(transforms, op, size, copies, batched)
        outputs = [copies.get(value, value) for value in yielded(block)]
        close(result, outputs)
    return result, tuple(value in batched for value in outputs)


def _step(
    transforms: Transforms,
    op: Operation,
    size: Size,
    copies: dict[SSAValue, SSAValue],
    batched: set[SSAValue],
) -> None:
    operands = [copies.get(operand, operand) for operand in op.operands]
    on = [operand in batched for operand in operands]
    if not any(on):
        append(current().block, again(op, copies))
        return
    assert isinstance(op, TensorOp)
    with located(derived("batched", op.location)):
        values, flags = op.vectorised(transforms, size, on, *map(Value, operands))
    for old, new, flag in zip(op.results, values, flags, strict=True):
        copies[old] = new.ssa
        if flag:
            batched.add(new.ssa)
