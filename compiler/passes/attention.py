"""Which ops are attention: a product, what goes by its rows, and a product with that.

Everything that depends on the first product, up to where only one value of it is left, is attention
if each op of it works on one row of scores after another. So the scores are nowhere needed as a
whole, and the ops can be one kernel that keeps only some rows of them.
"""

from collections.abc import Collection, Iterator, Sequence
from math import prod

from xdsl.ir import Block, Operation, SSAValue

from stepwell.compiler.dialects.loop.types import SERIAL
from stepwell.compiler.dialects.nd import shape_of
from stepwell.compiler.ops.base import Role, TensorOp
from stepwell.compiler.ops.contraction import Dot
from stepwell.compiler.ops.movement import Broadcast, Reshape
from stepwell.compiler.ops.reduction import Reduction
from stepwell.compiler.ops.staging import StopGradient
from stepwell.compiler.passes.groups import same_index
from stepwell.runtime.sizes import Size


def attentions(block: Block) -> Iterator[Sequence[Operation]]:
    """The ops of each attention in a block, the last of which gives its result."""
    taken: set[Operation] = set()
    for op in block.ops:
        if isinstance(op, Dot) and op not in taken and _has_long_rows(op):
            found = _attention(op)
            taken.update(found)
            if found:
                yield found


def _has_long_rows(scores: Dot) -> bool:
    """Whether rows of scores are worth keeping: there are many products, or they are longer than
    the sums in them."""
    shape = shape_of(scores.lhs.type)
    depth = prod((shape[axis] for axis in scores.left.data), start=Size.of(1)).static
    row = shape_of(scores.result.type)[-1:]
    length = row[0].static if row else 1
    batched = scores.batch.data > 0
    return scores.order == SERIAL and (batched or not length or not depth or length > depth)


def _attention(scores: Dot) -> Sequence[Operation]:
    """What follows from the scores row by row, as far as the next product and the sums of its
    rows; nothing if that is not all that follows from them."""
    rows = len(shape_of(scores.result.type)) - 1
    found: dict[Operation, None] = {scores: None}
    products = 1
    op = scores.next_op
    while op is not None:
        read = [x for x in op.operands if x.owner in found]
        if read:
            products += isinstance(op, Dot)
            if products > 2 or not _goes_by_rows(op, read, rows):
                return ()
            found[op] = None
            if products == 2 and _is_all(found, op):
                return tuple(found)
        op = op.next_op
    return ()


def _is_all(found: Collection[Operation], last: Operation) -> bool:
    """Whether nobody else reads anything but the last result."""
    others = (op for op in found if op is not last)
    return all(use.operation in found for op in others for x in op.results for use in x.uses)


def _goes_by_rows(op: Operation, read: Sequence[SSAValue], rows: int) -> bool:
    """Whether each row of the result follows from the same row of what is read; rows are numbered
    by so many first axes."""
    if not isinstance(op, TensorOp) or len(op.results) != 1:
        return False
    first, shape = tuple(range(rows)), shape_of(op.results[0].type)
    match op:
        case Dot():
            return read == [op.lhs] and op.left.data == (rows,) and op.order == SERIAL
        case Reduction():
            return op.axes.data == (rows,)
        case Broadcast():
            return op.axes.data[:rows] == first
        case Reshape():
            return shape[:rows] == shape_of(op.x.type)[:rows]
        case _:
            return op.ROLE is Role.MAP or same_index(op) or isinstance(op, StopGradient)
