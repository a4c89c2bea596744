"""Folds of a nest that go over the same positions and share what they compute become one."""

from collections.abc import Iterable, Mapping

from xdsl.dialects import arith
from xdsl.ir import Block, Operation, OpResult, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.compiler.dialects.construct import construct, operands_of
from stepwell.compiler.dialects.loop.nests import TERMS_AND_RESULTS, FoldOp
from stepwell.compiler.lower.guards import guard_of
from stepwell.compiler.ops.regions import end_of

MOST_JOINED = 4
"""Accumulators of a fold: of more than these, registers would not hold the vectors."""

Names = Mapping[SSAValue, object]
"""What stands for a value when ops are compared."""


def join_folds(block: Block) -> None:
    """What folds in the body of a nest share is computed once for each position, in registers.

    A fold joins the one before it of the same kind, order and sizes, unless it needs its result.
    """
    place = {op: number for number, op in enumerate(block.ops)}
    known: dict[object, FoldOp] = {}
    for fold in [op for op in place if isinstance(op, FoldOp)]:
        if fold.kind in TERMS_AND_RESULTS or guard_of(fold) is not None:
            continue
        key = fold.combine, fold.order, fold.sizes, fold.results[0].type
        first = known.get(key)
        known[key] = fold if first is None else _joined(first, fold, place) or fold


def _joined(first: FoldOp, second: FoldOp, place: dict[Operation, int]) -> FoldOp | None:
    """Both in one, in the place of the first; None where that cannot be, or saves nothing."""
    if len(first.results) + len(second.results) > MOST_JOINED:
        return None
    twins = _twins(first, second)
    if all(isinstance(op, arith.ConstantOp) for op in twins):
        return None
    if not _hoisted(second, first, place):
        return None
    fold = _merged(first, second, twins)
    place[fold] = place[first]
    return fold


def _twins(first: FoldOp, second: FoldOp) -> dict[Operation, Operation]:
    """For ops in the second fold the ones in the first that compute the same."""
    known = {_key(op, {}): op for op in first.body.block.ops}
    names: dict[SSAValue, object] = dict(zip(second.axes, first.axes, strict=True))
    twins: dict[Operation, Operation] = {}
    for op in second.body.block.ops:
        twin = known.get(_key(op, names))
        if twin is not None and twin.results:
            twins[op] = twin
            names.update(zip(op.results, twin.results, strict=True))
    return twins


def _key(op: Operation, names: Names, depth: int = 0) -> object:
    """Equal for ops that compute the same, folds included, when values have these names."""
    operands = tuple(names.get(operand, operand) for operand in operands_of(op))
    types = tuple(result.type for result in op.results)
    bodies = tuple(structure(region.block, names, depth + 1) for region in op.regions)
    # The attributes of 0 and -0 are equal, what they print as is not.
    is_number = isinstance(op, arith.ConstantOp)
    properties = repr(op.value) if is_number else frozenset(op.properties.items())
    return type(op), operands, types, properties, frozenset(op.attributes), bodies


def structure(block: Block, names: Names, depth: int = 0) -> object:
    """Equal for blocks that compute the same: ops, types and parameters, with values numbered."""
    inner = {**names, **{value: (depth, number) for number, value in enumerate(block.args)}}
    keys: list[object] = []
    for number, op in enumerate(block.ops):
        keys.append(_key(op, inner, depth))
        inner.update({result: (depth, number, n) for n, result in enumerate(op.results, 1)})
    return tuple(argument.type for argument in block.args), tuple(keys)


def _hoisted(op: Operation, first: FoldOp, place: dict[Operation, int]) -> bool:
    """Whether what an op needs stands before the first fold, where this moves what it can."""
    for need in _needs(op):
        if need is first:
            return False
        if place.get(need, -1) > place[first]:
            if isinstance(need, FoldOp) or not _hoisted(need, first, place):
                return False
            need.detach()
            Rewriter.insert_op(need, InsertPoint.before(first))
            place[need] = place[first]
    return True


def _needs(op: Operation) -> Iterable[Operation]:
    """What computes the operands, also those of the ops inside."""
    values = (operand for each in op.walk() for operand in operands_of(each))
    return (value.op for value in values if isinstance(value, OpResult))


def _merged(first: FoldOp, second: FoldOp, twins: Mapping[Operation, Operation]) -> FoldOp:
    """One fold, in the place of the first, with the bodies and the terms of both."""
    body, terms, last = first.body.block, first.terms, end_of(second.body.block)
    for op, twin in twins.items():
        Rewriter.replace_op(op, (), twin.results)
    Rewriter.erase_op(end_of(body))
    Rewriter.inline_block(second.body.block, InsertPoint.at_end(body), first.axes)
    last.operands = (*terms, *last.operands)
    types, regions = [*first.result_types, *second.result_types], [first.detach_region(first.body)]
    fold = construct(FoldOp, (), types, first.properties, first.location, regions=regions)
    count = len(first.results)
    Rewriter.insert_op(fold, InsertPoint.before(first))
    Rewriter.replace_op(first, (), fold.results[:count])
    Rewriter.replace_op(second, (), fold.results[count:])
    return fold
