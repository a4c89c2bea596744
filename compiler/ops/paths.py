"""How the arguments of a program lead to what it gives: through floats alone, or not."""

from collections.abc import Sequence

from xdsl.ir import Block, Operation, SSAValue

from stepwell.compiler.dialects.locations import is_derivative
from stepwell.compiler.ops.base import Path, TensorOp
from stepwell.compiler.ops.regions import end_of


def paths(block: Block, given: Sequence[Path]) -> list[Path]:
    """The best paths from the arguments of a block on, given those from what it ends with.

    One walk backwards. What derivatives are made of breaks no path: the slope of a piecewise linear
    function depends on x through the choice of a piece, and it is right that its own slope is zero.
    """
    known: dict[SSAValue, Path] = {}

    def meet(values: Sequence[SSAValue], found: Sequence[Path]) -> None:
        for value, path in zip(values, found, strict=True):
            known[value] = max(known.get(value, Path.NONE), path)

    meet(end_of(block).operands, given)
    for op in reversed(list(block.ops)[:-1]):
        onward = [known.get(result, Path.NONE) for result in op.results]
        if any(onward):
            meet(op.operands, _before(op, onward))
    return [known.get(argument, Path.NONE) for argument in block.args]


def _before(op: Operation, onward: Sequence[Path]) -> Sequence[Path]:
    assert isinstance(op, TensorOp)
    found = op.paths(*onward)
    if not is_derivative(op.location):
        return found
    return [path if path is Path.WHOLE else Path.NONE for path in found]
