"""Which ops are attention: a product, what goes by its rows, and products with that.

Everything that depends on the first product, up to where nothing as large is left, is attention if
each op of it works on one row of scores after another. So the scores are nowhere needed as a whole,
and the ops can be one kernel that keeps only some rows of them. Of the gradients there are two such
kernels, for the rows of queries and for those of keys.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import TypeGuard

from xdsl.ir import Block, Operation, SSAValue

from stepwell.compiler.dialects.loop.types import SERIAL
from stepwell.compiler.dialects.nd import shape_of
from stepwell.compiler.dialects.sizes import count_of
from stepwell.compiler.ops.base import Role, TensorOp
from stepwell.compiler.ops.contraction import Dot
from stepwell.compiler.ops.movement import Broadcast, Reshape
from stepwell.compiler.ops.reduction import Reduction
from stepwell.compiler.ops.staging import StopGradient
from stepwell.compiler.passes.groups import same_index

MUCH = 4
"""So many times as long as its sums is a row of a layer, and one of attention without heads longer.
"""


def attentions(block: Block) -> Iterator[Sequence[Operation]]:
    """The ops of each attention in a block; the first is the product of the scores."""
    taken: set[Operation] = set()
    for op in block.ops:
        if is_product(op) and op not in taken and _has_long_rows(op):
            found = _attention(op)
            if found and taken.isdisjoint(found):
                taken.update(found)
                yield found


def _has_long_rows(scores: Dot) -> bool:
    """Whether rows of scores are worth keeping: there are many products, or they are much longer
    than the sums in them. For few rows, what they are products with would come from memory again
    and again, as weights of layers do."""
    shape = shape_of(scores.lhs.type)
    depth = count_of(shape[axis] for axis in scores.left.data).static
    row = shape_of(scores.result.type)[-1:]
    length = row[0].static if row else 1
    batched = scores.batch.data > 0
    return batched or not length or not depth or length > MUCH * depth


def is_product(op: Operation) -> TypeGuard[Dot]:
    """Whether an op is a product of matrices, whose sums are chains."""
    return isinstance(op, Dot) and op.order == SERIAL


def _attention(scores: Dot) -> Sequence[Operation]:
    """What follows from the scores row by row, up to the products after which nobody reads a value
    that is as large as they; nothing if there is no such end."""
    rows = len(shape_of(scores.result.type)) - 1
    found: dict[Operation, None] = {scores: None}
    products = 0
    op = scores.next_op
    while op is not None:
        read = [x for x in op.operands if x.owner in found]
        if read:
            if not _goes_by_rows(op, read, rows):
                return ()
            found[op] = None
            products += isinstance(op, Dot)
            if products and not any(_is_needed(each, found, scores) for each in found):
                return tuple(found) if _is_weighed(scores, found) else ()
        op = op.next_op
    return ()


def _is_weighed(scores: Dot, found: Collection[Operation]) -> bool:
    """Whether this is more than two layers of a network: for each head, or with sums of rows."""
    return scores.batch.data > 0 or any(isinstance(op, Reduction) for op in found)


def _is_needed(op: Operation, found: Collection[Operation], scores: Dot) -> bool:
    """Whether others read what is as large as the scores, or only moved."""
    (result,) = op.results
    is_whole = shape_of(result.type) == shape_of(scores.result.type)
    is_moved = isinstance(op, TensorOp) and op.ROLE is Role.FREE
    return (is_whole or is_moved) and any(use.operation not in found for use in result.uses)


def _goes_by_rows(op: Operation, read: Sequence[SSAValue], rows: int) -> bool:
    """Whether each row of the result follows from the same row of what is read; rows are numbered
    by so many first axes."""
    if not isinstance(op, TensorOp) or len(op.results) != 1:
        return False
    first, shape = tuple(range(rows)), shape_of(op.results[0].type)
    match op:
        case Dot():
            return read == [op.lhs] and op.left.data == (rows,) and is_product(op)
        case Reduction():
            return op.axes.data == (rows,)
        case Broadcast():
            return op.axes.data[:rows] == first
        case Reshape():
            return shape[:rows] == shape_of(op.x.type)[:rows]
        case _:
            return op.ROLE is Role.MAP or same_index(op) or isinstance(op, StopGradient)
