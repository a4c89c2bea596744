"""A nest seen as a matrix product: which term of its fold varies along rows, which along lanes."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd, prod

from xdsl.ir import Operation, OpResult, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.loop.nests import FoldOp, ReadOp
from stepwell.compiler.dialects.loop.types import Combine
from stepwell.compiler.lower.analysis import Access, Analysis, Axis
from stepwell.compiler.lower.blocking import TALLEST
from stepwell.compiler.lower.costs import length
from stepwell.compiler.lower.writer import ONE
from stepwell.runtime.sizes import Size

CHAINS = ("serial", "pairs", "tensor")
"""Orders in which one accumulator takes all products of a chunk."""


@dataclass(frozen=True, eq=False)
class Factor:
    """One of the two terms of a contraction: `value`, of which a tile takes several at once along
    `axis`, if there is one."""

    analysis: Analysis
    fold: FoldOp
    value: SSAValue
    axis: Axis | None

    @cached_property
    def behind(self) -> frozenset[Operation]:
        """What computes it."""
        return slice_of([self.value], (self._guard,))

    @cached_property
    def own(self) -> frozenset[Operation]:
        """What computes it, as far as nothing else needs it."""
        last = self.fold.body.block.last_op
        others = (op for op in self.analysis.nest.walk() if op not in self.behind)
        operands = [value for op in others if op is not last for value in operands_of(op)]
        operands.extend(term for term in self.fold.terms if term is not self.value)
        return self.behind - slice_of(operands, (self._guard,))

    @cached_property
    def reads(self) -> list[Access]:
        return [each for each in self.analysis.inside[self.fold] if each.op in self.behind]

    @property
    def axes(self) -> frozenset[SSAValue]:
        """Those along which it varies."""
        return self.analysis.dependences(self.value)

    @property
    def may_pack(self) -> bool:
        """Whether all of it can be read before the fold, whatever its guard, by several at once."""
        return self.axis is not None and all(map(self._is_unconditional, self.reads))

    @property
    def is_contiguous(self) -> bool:
        """Whether what a tile takes at once are neighbours."""
        return self.axis is None or all(
            access.stride(self.axis.value) == ONE for access in self.reads
        )

    @property
    def _guard(self) -> SSAValue | None:
        return self.analysis.guards.get(self.fold)

    def _is_unconditional(self, access: Access) -> bool:
        condition = access.op.condition if isinstance(access.op, ReadOp) else None
        guarded = condition is self._guard and self.analysis.is_inside(access)
        return condition is None or guarded


@dataclass(frozen=True, eq=False)
class Contraction:
    """`out[…, m, n] = epilogue(sum over k of left[…, m, k] * right[…, k, n])`, in any layout.

    `lanes` is n, along which the output is contiguous and `left` does not vary; `rows` is m, an
    axis along which `right` does not vary, if there is one, and `middle` are the others. Along
    `columns`, if there is such an axis, `left` does not vary either: it is read again for other
    lanes, such as those of the next panel. Both terms may vary along the axes `outer`.
    """

    analysis: Analysis
    fold: FoldOp
    left: Factor
    right: Factor
    lanes: Axis
    columns: Axis | None
    rows: Axis | None
    middle: tuple[Axis, ...]
    outer: tuple[Axis, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        found = (*self.outer, self.columns, *self.middle, self.rows, self.lanes)
        return tuple(axis for axis in found if axis is not None)

    @cached_property
    def ends(self) -> list[Access]:
        """What is read or written behind the fold row by row: neighbours along the lanes."""
        lanes, rows = self.lanes.value, None if self.rows is None else self.rows.value
        accesses, inside = self.analysis.accesses, self.analysis.around
        behind = [each for op, each in accesses.items() if op not in inside]
        return [each for each in behind if rows in each.at.terms and each.stride(lanes) == ONE]

    @cached_property
    def depth(self) -> Size:
        """The number of products in a sum."""
        return prod(self.fold.sizes.data, start=ONE)

    def blocks(self, positions: int) -> tuple[tuple[Axis, int], ...]:
        """Axes of the fold, and how far a block goes along each, so that it has about so many
        positions: whole chunks, or a whole part of one; none if all is one block, or if a sum
        belongs to several tiles."""
        varies = self.left.axes | self.right.axes
        several = not varies.issuperset(axis.value for axis in self.axes)
        axes = self.analysis.axes_of(self.fold)
        return () if several else blocks_of(self.fold, axes, positions)


def blocks_of(fold: FoldOp, axes: Sequence[Axis], positions: int) -> tuple[tuple[Axis, int], ...]:
    """Of a fold's axes some, and how far a block of about so many positions goes along each: whole
    chunks, or a whole part of one; none if all is one block."""
    count, steps = prod((axis.size for axis in axes), start=ONE).static, chunk_steps(fold, axes)
    if positions == 0 or (count is not None and count <= positions) or steps is None:
        return ()
    chunk = fold.order.data.chunk
    if steps:
        whole, part = positions // chunk, positions * steps // chunk
        return ((axes[0], steps * whole or gcd(steps, part)),)
    inner = [prod(length(axis.size) for axis in axes[n:]) for n in range(1, len(axes) + 1)]
    last = next(number for number, count in enumerate(inner) if count <= positions)
    outer = [(axis, 1) for axis in axes[:last]]
    return (*outer, (axes[last], positions // inner[last]))


def parts_of(fold: FoldOp, axes: Sequence[Axis], blocks: Sequence[tuple[Axis, int]]) -> int:
    """How many of these blocks a chunk has: one, where they are no parts; 0, where all is one
    block."""
    steps = chunk_steps(fold, axes) or 1
    return max(1, steps // blocks[0][1]) if blocks else 0


def chunk_steps(fold: FoldOp, axes: Sequence[Axis]) -> int | None:
    """How many steps of the fold's first axis make a chunk: 0 if all of it is one, None if chunks
    end within steps."""
    chunk, count = fold.order.data.chunk, prod((axis.size for axis in axes), start=ONE).static
    if chunk == 0 or (count is not None and count <= chunk):
        return 0
    inner = prod((axis.size for axis in axes[1:]), start=ONE).static
    return None if inner is None or inner == 0 or chunk % inner else chunk // inner


def slice_of(
    values: Iterable[SSAValue], known: Container[SSAValue | None] = ()
) -> frozenset[Operation]:
    """The ops that compute some values, given what is known."""
    found: set[Operation] = set()
    wanted = list(values)
    while wanted:
        value = wanted.pop()
        if value not in known and isinstance(value, OpResult) and value.op not in found:
            found.add(value.op)
            wanted.extend(operands_of(value.op))
    return frozenset(found)


def contraction_of(analysis: Analysis, first: int = 0) -> Contraction | str:
    """The nest, but for so many of its first axes, as a contraction, or why it is none."""
    folds = list(analysis.inside)
    if analysis.scans:
        return "it has prefixes"
    if len(folds) != 1 or folds[0].kind != Combine.FMA or folds[0].order.data.kind not in CHAINS:
        return "it has not one serial fold of products"
    (fold,) = folds
    axes = analysis.axes(first)
    lanes = next((axis for axis in reversed(axes) if analysis.written_along(axis) <= {ONE}), None)
    if lanes is None:
        return "no axis is contiguous in what it writes"
    terms = fold.terms
    along = [lanes.value in analysis.dependences(term) for term in terms]
    if along[0] == along[1]:
        return "both terms or none vary along the contiguous axis of the result"
    left, right = terms if along[1] else terms[::-1]
    others = [axis for axis in axes if axis is not lanes]
    varying = [axis for axis in others if axis.value in analysis.dependences(right)]
    inner = [axis for axis in others if axis not in varying]
    apart = [axis for axis in varying if axis.value not in analysis.dependences(left)]
    columns = apart[-1] if apart else None
    outer = tuple(axis for axis in varying if axis is not columns)

    def suits(axis: Axis) -> tuple[int, bool]:
        """How far tiles can use an axis, which is as far as the tallest goes; then how it lies."""
        height = min(TALLEST, length(axis.size))
        return height, Factor(analysis, fold, left, axis).is_contiguous

    rows = max(reversed(inner), key=suits, default=None)
    middle = tuple(axis for axis in inner if axis is not rows)
    factors = Factor(analysis, fold, left, rows), Factor(analysis, fold, right, lanes)
    return Contraction(analysis, fold, *factors, lanes, columns, rows, middle, outer)
