"""Reverse mode: walk backwards, ask each op for its pullback, add where paths meet."""

from collections.abc import Mapping, Sequence

from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.compiler.dialects.locations import derived
from stepwell.compiler.dialects.nd import dtype_of, is_float
from stepwell.compiler.ops.base import Split, TensorOp, Transforms
from stepwell.compiler.ops.creation import Creation
from stepwell.compiler.ops.emission import current, emitting, located
from stepwell.compiler.ops.regions import again, close, free_variables, lift
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value, Zero, dense, plus


def pull_back(
    transforms: Transforms,
    ops: Sequence[Operation],
    seeds: Mapping[SSAValue, Value],
    wrt: Sequence[SSAValue],
) -> list[Value | Zero]:
    """Emits the pullback of `ops`: the cotangents of `wrt`, given those of some results."""
    active = _reached(ops, wrt)
    total: dict[SSAValue, Value | Zero] = dict(seeds)
    for op in reversed(ops):
        cotangents = [total.get(result, Zero(Value(result).type)) for result in op.results]
        wanted = [operand in active for operand in op.operands]
        if not any(wanted) or all(isinstance(each, Zero) for each in cotangents):
            continue
        assert isinstance(op, TensorOp)
        operands = tuple(op.operands)
        with located(derived("gradient", op.location)):
            gradients = op.pullback(transforms, wanted, *cotangents)
            for operand, gradient, want in zip(operands, gradients, wanted, strict=True):
                if want:
                    before = total.get(operand, Zero(Value(operand).type))
                    total[operand] = plus(before, gradient)
    return [total.get(value, Zero(Value(value).type)) for value in wrt]


def _reached(ops: Sequence[Operation], wrt: Sequence[SSAValue]) -> set[SSAValue]:
    """The floating-point values that depend on `wrt` through floating-point values."""
    reached = {value for value in wrt if is_float(dtype_of(value.type))}
    for op in ops:
        if any(operand in reached for operand in op.operands):
            reached.update(result for result in op.results if is_float(dtype_of(result.type)))
    return reached


def split(
    transforms: Transforms, block: Block, wanted: Sequence[bool], active: Sequence[bool]
) -> Split:
    """Grows the pullback of a closed block in a block of its own.

    What it reads of the forward computation, its free variables, are the residuals. Ops without
    operands are copied instead.
    """
    outputs = [value for value, flag in zip(yielded(block), active, strict=True) if flag]
    wrt = [value for value, flag in zip(block.args, wanted, strict=True) if flag]
    ops = list(block.ops)[:-1]
    back = Block(arg_types=[value.type for value in outputs])
    with emitting(back, current().location):
        seeds: dict[SSAValue, Value] = {}
        for output, argument in zip(outputs, back.args, strict=True):
            seed = Value(argument)
            seeds[output] = seeds[output] + seed if output in seeds else seed
        gradients = pull_back(transforms, ops, seeds, wrt)
        close(back, [dense(gradient).ssa for gradient in gradients])
    _copy_creations(back)
    residuals = free_variables(back)
    lift(back, residuals)
    return Split(back, residuals)


def _copy_creations(back: Block) -> None:
    """Constants and the like are made again, rather than kept."""
    for value in free_variables(back):
        owner = value.owner
        if isinstance(owner, Creation):
            copy = again(owner, {})
            Rewriter.insert_op(copy, InsertPoint.at_start(back))
            value.replace_uses_with_if(
                copy.results[0], lambda use: use.operation.parent_block() is back
            )
