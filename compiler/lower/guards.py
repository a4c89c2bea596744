"""Positions of a fold that contribute nothing, such as those of a window in the padding."""

from collections.abc import Callable, Sequence
from math import copysign

from xdsl.dialects import arith
from xdsl.dialects.builtin import FloatAttr, IntegerAttr
from xdsl.ir import OpResult, SSAValue, Use

from stepwell.compiler.dialects.loop.nests import FoldOp, ReadOp
from stepwell.compiler.dialects.loop.scalar import CompareOp, SelectOp
from stepwell.compiler.dialects.loop.types import Combine
from stepwell.compiler.lower.combine import identity


def guard_of(fold: FoldOp) -> SSAValue | None:
    """The condition without which the terms are such that the accumulator stays as it is, if the
    fold has one: `select(inside, x, 0)`, or for products `select(inside, w, -0)` besides."""
    conditions: set[SSAValue] = set()
    otherwise: list[float | int] = []
    for term in fold.terms:
        match term.owner:
            case SelectOp(condition=asked, false_value=OpResult(op=arith.ConstantOp(value=value))):
                if not isinstance(value, IntegerAttr | FloatAttr):
                    return None
                conditions.add(asked)
                otherwise.append(value.value.data)
            case _:
                return None
    if len(conditions) != 1 or not _is_nothing(fold, otherwise):
        return None
    return conditions.pop()


def _is_nothing(fold: FoldOp, terms: Sequence[float | int]) -> bool:
    """Whether an accumulator that takes these terms has the bits it had before.

    A sum starts with +0 and so never becomes -0, which +0 would change. A sum of products may, when
    a product is rounded to -0; but -0 changes nothing.
    """
    kind = fold.kind
    if kind == Combine.FMA:
        first, second = terms
        negative = copysign(1.0, first) * copysign(1.0, second) < 0
        return first == second == 0 and (negative or isinstance(first, int))
    if kind in (Combine.ARGMAX, Combine.ARGMIN):
        return False
    ((neutral, _), *_) = identity(kind, [result.type for result in fold.results])
    return all(term == neutral for term in terms)


def is_condition(use: Use) -> bool:
    """Whether a guard is used as a condition alone, of which its value is all that is needed."""
    op = use.operation
    return isinstance(op, ReadOp) or (isinstance(op, SelectOp) and use.index == 0)


def is_bound(guard: SSAValue, is_affine: Callable[[SSAValue], bool]) -> bool:
    """Whether a condition is one or several bounds of affine numbers, so that it holds between any
    two positions of an axis at which it holds."""
    op = guard.owner
    if isinstance(op, arith.AndIOp):
        return is_bound(op.lhs, is_affine) and is_bound(op.rhs, is_affine)
    if not isinstance(op, CompareOp) or op.comparison not in ("lt", "le", "gt", "ge"):
        return False
    return is_affine(op.first) and is_affine(op.second)
