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
    given = iter(result.args[len(on) :])
    walk = _Walk(transforms)
    walk.copies = dict(zip(block.args, result.args, strict=False))
    for argument, flag in zip(result.args, on, strict=False):
        if flag:
            walk.tangents[argument] = Value(next(given))
    with emitting(result, current().location):
        for op in list(block.ops)[:-1]:
            walk.step(op)
        outputs = [walk.copies[value] for value in yielded(block)]
        tangents = [walk.tangents.get(value) for value in outputs]
        close(result, [*outputs, *(t.ssa for t in tangents if t is not None)])
    return result, tuple(t is not None for t in tangents)


class _Walk:
    """The copies of the values so far, and the tangents of the copies."""

    def __init__(self, transforms: Transforms):
        self.transforms = transforms
        self.copies: dict[SSAValue, SSAValue] = {}
        self.tangents: dict[SSAValue, Value] = {}

    def step(self, op: Operation) -> None:
        copy = again(op, self.copies)
        append(current().block, copy)
        known = [self.tangents.get(x, Zero(Value(x).type)) for x in copy.operands]
        results: Sequence[SSAValue] = copy.results
        is_differentiable = any(is_float(dtype_of(result.type)) for result in results)
        if is_differentiable and any(isinstance(each, Value) for each in known):
            results = self._push(copy, known)
        self.copies.update(zip(op.results, results, strict=True))

    def _push(self, op: Operation, known: Sequence[Value | Zero]) -> Sequence[SSAValue]:
        assert isinstance(op, TensorOp)
        with located(derived("tangent", op.location)):
            values, tangents = op.pushforward(self.transforms, *known)
        for value, tangent in zip(values, tangents, strict=True):
            if isinstance(tangent, Value) and is_float(value.dtype):
                self.tangents[value.ssa] = tangent
        results = [value.ssa for value in values]
        if results != list(op.results):
            current().block.erase_op(op)
        return results
