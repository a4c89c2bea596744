"""Long folds of few rows, taken apart: into nests over their chunks, whose results are joined."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import final

from xdsl.ir import Block, Operation, Region, SSAValue

from stepwell.compiler.dialects.construct import construct, operands_of, segments
from stepwell.compiler.dialects.loop.nests import FoldOp, IndexOp, LocalOp, NestOp, ReadOp, WriteOp
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import LANE_COUNT, AccessAttr, Affine, buffer_type
from stepwell.compiler.dialects.sizes import Shape, SizesAttr
from stepwell.compiler.lower.analysis import Analysis, Axis
from stepwell.compiler.lower.contraction import chunk_steps, slice_of
from stepwell.compiler.lower.writer import ONE, ZERO
from stepwell.runtime.sizes import Size

FREE, MOST = 4096, 4096
"""Positions of a chunk where the order is free, of which a fold of unknown length has four times as
many; a longer fold has so many chunks."""
LEAST = 256
"""The same for the warps of a block."""
EVEN = 4
"""What the number of results divides that lie in a row, so that vectors of them are aligned."""

Values = dict[SSAValue, SSAValue]


@final
@dataclass(frozen=True, eq=False)
class LongFold:
    """The only fold of a nest, of which each chunk is `steps` positions along its first axis.

    If it goes `along` what lies side by side, so do the results of a row's chunks; otherwise those
    of all rows for one chunk do. Those of a block's row lie `near`, in its memory.
    """

    nest: NestOp
    fold: FoldOp
    axes: Sequence[Axis]
    steps: int
    along: bool
    near: bool

    @property
    def whole(self) -> Size:
        """The number of chunks that are whole."""
        return self.axes[0].size // self.steps

    @property
    def rest(self) -> Size:
        """Positions along the first axis behind those."""
        return self.axes[0].size % self.steps

    @property
    def count(self) -> Size:
        return (self.axes[0].size + self.steps - 1) // self.steps

    @property
    def rows(self) -> Size:
        return prod(self.nest.sizes.data, start=ONE)

    @property
    def pitch(self) -> Size:
        """Results from one row to the next."""
        return (self.count + EVEN - 1) // EVEN * EVEN if self.along else ONE

    @property
    def stride(self) -> Size:
        """Results from one chunk to the next."""
        return ONE if self.along else self.rows

    def shape(self, rows: Size) -> Shape:
        """How the chunks' results of some rows lie."""
        return (rows, self.pitch) if self.along else (self.count, rows)

    def chunks(self, results: Sequence[SSAValue]) -> NestOp:
        """A nest over rows and whole chunks, which fills the results."""
        outer = [INDEX] * (len(self.nest.axes) + 1)
        body = Block(arg_types=outer)
        *rows, chunk = body.args if self.along else (*body.args[1:], body.args[0])
        sizes = list(self.nest.sizes.data)
        sizes.insert(len(sizes) if self.along else 0, self.whole)
        first = _index(body, [(Size.of(self.steps), chunk)], ZERO)
        self._fill(body, rows, first, Size.of(self.steps), results, [(self.stride, chunk)], ZERO)
        return _nest(self.nest, sizes, body)

    def remainder(self, results: Sequence[SSAValue]) -> NestOp:
        """A nest over rows, which fills the results of what is behind the whole chunks."""
        body = Block(arg_types=[INDEX] * len(self.nest.axes))
        first = _index(body, [], self.whole * self.steps)
        self._fill(body, body.args, first, self.rest, results, [], self.whole * self.stride)
        return _nest(self.nest, self.nest.sizes.data, body)

    def _fill(
        self,
        body: Block,
        rows: Sequence[SSAValue],
        first: SSAValue,
        count: Size,
        results: Sequence[SSAValue],
        chunk: Sequence[tuple[Size, SSAValue]],
        offset: Size,
    ) -> None:
        """What a row's fold of `count` positions from the first one gives, at the chunk's place."""
        known: Values = dict(zip(self.nest.axes, rows, strict=True))
        _copy(self.nest.body.block, body, behind(self.fold), known)
        fold = self._part(known, first, count)
        body.add_op(fold)
        terms = [*chunk, *_row_major(self.nest.sizes.data, rows, self.pitch)]
        for value, target in zip(fold.results, results, strict=True):
            body.add_op(_write(value, target, _index(body, terms, offset)))

    def _part(self, known: Values, first: SSAValue, count: Size) -> FoldOp:
        sizes = [count, *(axis.size for axis in self.axes[1:])]
        block = Block(arg_types=[INDEX] * len(sizes))
        start = _index(block, [(ONE, first), (ONE, block.args[0])], ZERO)
        inner = dict(zip((axis.value for axis in self.axes), (start, *block.args[1:]), strict=True))
        for axis in self.fold.axes:
            known[axis] = inner[axis] if axis in inner else _index(block, [], ZERO)
        for op in self.fold.body.block.ops:
            block.add_op(op.clone(known))
        properties = {**self.fold.properties, "sizes": SizesAttr(tuple(sizes))}
        types = [result.type for result in self.fold.results]
        return construct(FoldOp, (), types, properties, self.fold.location, regions=[Region(block)])


def long_fold(analysis: Analysis, pieces: int = 0) -> LongFold | None:
    """The fold of a nest, if it is the only one, and can be cut into chunks between positions of
    its first axis; where the order is free, into so many `pieces`."""
    folds = folds_of(analysis.nest)
    if len(folds) != 1:
        return None
    (fold,) = folds
    axes = analysis.axes_of(fold)
    steps = _steps(fold, axes, pieces) if axes else 0
    if not steps or axes[0].size.static == steps:
        return None
    reads = analysis.inside[fold]
    along = all(each.stride(axes[-1].value) in (ZERO, ONE) for each in reads)
    even = len(axes) == 1 or (axes[-1].size.static or 1) % LANE_COUNT == 0
    along = along and even and _is_free(fold)
    return LongFold(analysis.nest, fold, axes, steps, along, near=pieces > 0)


def _is_free(fold: FoldOp) -> bool:
    """Whether threads may go along a fold side by side."""
    return fold.order.data.kind in ("lanes", "any")


def _steps(fold: FoldOp, axes: Sequence[Axis], pieces: int) -> int:
    """How many positions of the first axis make a chunk; 0 where there are no such chunks."""
    if fold.order.data.kind != "any":
        return chunk_steps(fold, axes) or 0
    count = prod((axis.size for axis in axes), start=ONE).static
    inner = prod((axis.size for axis in axes[1:]), start=ONE).static
    if inner == 0:
        return 0
    unit, most = (LEAST, pieces) if pieces else (FREE, MOST)
    wanted = 4 * unit if count is None else unit * -(-count // (unit * most))
    return 1 if inner is None else max(1, wanted // inner)


def folds_of(nest: NestOp) -> list[FoldOp]:
    return [op for op in nest.body.block.ops if isinstance(op, FoldOp)]


def behind(fold: FoldOp) -> frozenset[Operation]:
    """What computes the values that a fold's body takes from around it."""
    return slice_of([value for op in fold.walk() for value in operands_of(op)])


def separated(nest: NestOp, totals: Mapping[FoldOp, Sequence[LocalOp]]) -> list[NestOp]:
    """A nest for each of its folds; all but the last leave what they come to in `totals`. A nest
    of one fold is itself."""
    folds = folds_of(nest)
    if len(folds) < 2:
        return [nest]
    first, *others = folds
    alone, rest = (Block(arg_types=[INDEX] * len(nest.axes)) for _ in range(2))
    known: Values = dict(zip(nest.axes, alone.args, strict=True))
    _copy(nest.body.block, alone, {*behind(first), first}, known)
    left: Values = dict(zip(nest.axes, rest.args, strict=True))
    for result, total in zip(first.results, totals[first], strict=True):
        at = _row_major(nest.sizes.data, alone.args, ONE)
        alone.add_op(_write(known[result], total.result, _index(alone, at, ZERO)))
        at = _row_major(nest.sizes.data, rest.args, ONE)
        read = _read(total.result, _index(rest, at, ZERO))
        rest.add_op(read)
        left[result] = read.result
    _copy(nest.body.block, rest, {*nest.body.block.ops} - {first}, left)
    following = _nest(nest, nest.sizes.data, rest)
    copies = zip(folds_of(following)[:-1], others[:-1], strict=True)
    moved = {copy: totals[fold] for copy, fold in copies}
    return [_nest(nest, nest.sizes.data, alone), *separated(following, moved)]


# Pieces of nests.


def _copy(block: Block, target: Block, ops: Iterable[Operation], known: Values) -> None:
    """Some ops of a block at the end of another, with other values in the place of those known."""
    wanted = frozenset(ops)
    for op in block.ops:
        if op in wanted:
            target.add_op(op.clone(known))


def _nest(like: NestOp, sizes: Sequence[Size], body: Block) -> NestOp:
    properties = {"sizes": SizesAttr(tuple(sizes))}
    return construct(NestOp, (), (), properties, like.location, regions=[Region(body)])


def _row_major(
    shape: Shape, indices: Sequence[SSAValue], pitch: Size
) -> list[tuple[Size, SSAValue]]:
    """The number of a row, so many times, as terms."""
    strides = [prod(shape[axis + 1 :], start=pitch) for axis in range(len(shape))]
    return list(zip(strides, indices, strict=True))


def _index(block: Block, terms: Sequence[tuple[Size, SSAValue]], offset: Size) -> SSAValue:
    affine = Affine(tuple((factor, number) for number, (factor, _) in enumerate(terms)), offset)
    values = [value for _, value in terms]
    op = construct(IndexOp, values, (INDEX,), {"access": AccessAttr((affine,))})
    block.add_op(op)
    return op.result


def _write(value: SSAValue, target: SSAValue, place: SSAValue) -> WriteOp:
    return construct(WriteOp, (value, target, place), (), {"access": _first(target)})


def _read(source: SSAValue, place: SSAValue) -> ReadOp:
    properties = {"access": _first(source), **segments(1, 1, 0)}
    return construct(ReadOp, (source, place), (buffer_type(source).element,), properties)


def _first(memory: SSAValue) -> AccessAttr:
    """So many elements from the beginning: all indices but the last are 0."""
    rank = len(buffer_type(memory).shape)
    return AccessAttr((*[Affine((), ZERO)] * (rank - 1), Affine(((ONE, 0),), ZERO)))
