"""Forward mode: walk forwards, ask each op for its tangent."""

from collections.abc import Sequence

from xdsl.ir import Block, Operation, SSAValue

from stepwell.compiler.dialects.construct import append
from stepwell.compiler.dialects.locations import derived
from stepwell.compiler.dialects.nd import dtype_of, is_float
from stepwell.compiler.ops.base import TensorOp, Transforms
from stepwell.compiler.ops.emission import current, emitting, located
from stepwell.compiler.ops.regions import again, close
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value, Zero


def with_tangents(
    transforms: Transforms, block: Block, on: Sequence[bool]
) -> tuple[Block, tuple[bool, ...]]:
    """A copy of a closed block that also takes tangents, and yields those of its outputs.

    Arguments are the block's, then the tangents of those marked `on`; it yields the outputs, then
    the tangents of those that have one, as the flags tell.
    """
    types = [argument.type for argument in block.args]
    types += [argument.type for argument, flag in zip(block.args, on, strict=True) if flag]
    result = Block(arg_types=types)
    copies: dict[SSAValue, SSAValue] = dict(zip(block.args, result.args, strict=False))
    marked = [argument for argument, flag in zip(result.args, on, strict=False) if flag]
    given = map(Value, result.args[len(on) :])
    tangents: dict[SSAValue, Value] = dict(zip(marked, given, strict=True))
    with emitting(result, current().location):
        for op in list(block.ops)[:-1]:
            _step(transforms, op, copies, tangents)
        outputs = [copies[value] for value in yielded(block)]
        close(result, [*outputs, *(tangents[x].ssa for x in outputs if x in tangents)])
    return result, tuple(value in tangents for value in outputs)


def _step(
    transforms: Transforms,
    op: Operation,
    copies: dict[SSAValue, SSAValue],
    tangents: dict[SSAValue, Value],
) -> None:
    """Adds the copies of an op's results, and the tangents of the copies."""
    copy = again(op, copies)
    append(current().block, copy)
    known = [tangents.get(x, Zero(Value(x).type)) for x in copy.operands]
    is_differentiable = any(is_float(dtype_of(result.type)) for result in op.results)
    if not is_differentiable or all(isinstance(each, Zero) for each in known):
        return
    assert isinstance(copy, TensorOp)
    with located(derived("tangent", op.location)):
        values, moved = copy.pushforward(transforms, *known)
    for old, value, tangent in zip(op.results, values, moved, strict=True):
        copies[old] = value.ssa
        if isinstance(tangent, Value) and is_float(value.dtype):
            tangents[value.ssa] = tangent
    if [value.ssa for value in values] != list(copy.results):
        current().block.erase_op(copy)
