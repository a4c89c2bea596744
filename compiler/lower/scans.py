"""Scans as explicit loops: chains of prefixes that the body sees at every position."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import final

from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.loop.nests import FoldOp, PrefixOp, ReadOp, ScanOp, WriteOp
from stepwell.compiler.dialects.loop.types import buffer
from stepwell.compiler.lower.analysis import Axis, divisor
from stepwell.compiler.lower.bodies import BACK, BodyWriter, Spread, masks
from stepwell.compiler.lower.combine import identity
from stepwell.compiler.lower.contraction import slice_of
from stepwell.compiler.lower.writer import ONE, ZERO, Bound
from stepwell.runtime.sizes import Size


@final
class Scan:
    """One scan at one tile, in one of two forms.

    Position by position, in the lanes and rows of the tile. Or, where the tile has no lanes, but
    terms or results are computed that would fill some, in *blocks* of as many vectors as the tile
    has: the terms of a block in vectors along the scan, then the chains of all rows side by side
    through them, then the rest of the body in vectors again.
    """

    def __init__(self, body: BodyWriter, op: ScanOp):
        self.body = body
        self.writer = body.writer
        self.op = op
        self.block = op.body.block
        self.axes = body.analysis.axes_of(op)
        self.prefixes = [each for each in self.block.ops if isinstance(each, PrefixOp)]
        self.before = slice_of(each.term for each in self.prefixes)
        self.behind = frozenset[Operation]()
        self.memory: list[SSAValue] = []
        self.length = body.tile.width * body.tile.vectors
        for axis in op.axes:
            body.bases[axis] = 0

    def write(self) -> None:
        start = [self._start_of(each) for each in self.prefixes]
        self.body.prefixes.update(zip(self.prefixes, start, strict=True))
        carried = [value for spread in start for value in spread.values]
        if self._goes_in_blocks():
            self._in_blocks(self.axes[0], carried)
        else:
            self._positions(self.axes, carried)

    def _start_of(self, op: PrefixOp) -> Spread:
        tile, dependences = self.body.tile, self.body.analysis.dependences(op.result)
        rows, lanes = tile.rows in dependences, tile.lanes in dependences
        ((number, type),) = identity(op.kind, [op.result.type])
        value = self.writer.constant(number, self.body.type(type, lanes))
        return self.body.spread([value for _ in self.body.copies(rows, lanes)], rows, lanes)

    def _positions(self, axes: Sequence[Axis], carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
        if not axes:
            return self._link(carried, lambda: self.body.write(self.block))

        def at(index: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            self.body.bases[axes[0].value] = index
            return self._positions(axes[1:], carried)

        return self.writer.loop(0, self.writer.extent(axes[0].size), 1, carried, at)

    def _link(self, carried: Sequence[SSAValue], step: Callable[[], None]) -> list[SSAValue]:
        """The prefixes after a step, given those before it."""
        prefixes, rest = self.body.prefixes, list(carried)
        for op in self.prefixes:
            count = len(prefixes[op].values)
            prefixes[op] = replace(prefixes[op], values=tuple(rest[:count]))
            del rest[:count]
        step()
        return [value for op in self.prefixes for value in prefixes[op].values]

    # Blocks.

    def _goes_in_blocks(self) -> bool:
        if self.body.tile.lanes is not None or len(self.axes) != 1:
            return False
        accesses, axis = self.body.analysis.scans[self.op], self.axes[0].value
        return (
            all(access.stride(axis) in (ZERO, ONE, BACK) for access in accesses)
            and not any(isinstance(op, FoldOp | ScanOp) for op in self.block.ops)
            and self.before.isdisjoint(self.prefixes)
            and not all(isinstance(op, ReadOp | PrefixOp | WriteOp) for op in self.block.ops)
        )

    def _in_blocks(self, axis: Axis, carried: Sequence[SSAValue]) -> None:
        writer, high = self.writer, self.writer.extent(axis.size)
        shape = (Size.of(self.length * self.body.tile.height),)
        self.memory = [writer.stack(buffer(shape, op.result.type)) for op in self.prefixes]
        known = {op.result for op in self.prefixes}
        writes = [op for op in self.block.ops if isinstance(op, WriteOp)]
        behind = slice_of((value for op in writes for value in (op.value, *op.indices)), known)
        self.behind = behind.union(writes)

        def part(low: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            count = self.length
            if divisor(axis.size) % self.length:
                count = writer.smaller(writer.subtract(high, low), count)
            return self._in_block(axis, low, count, carried)

        writer.loop(0, high, self.length, carried, part)

    def _in_block(
        self, axis: Axis, low: Bound, count: Bound, carried: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        self._in_vectors(axis, low, count, self._terms)

        def at(place: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            return self._link(carried, lambda: self._chain(place))

        carried = self.writer.loop(0, count, 1, carried, at)
        self._in_vectors(axis, low, count, self._rest)
        return carried

    def _in_vectors(
        self, axis: Axis, low: Bound, count: Bound, inside: Callable[[Bound], None]
    ) -> None:
        body, width = self.body, self.body.tile.width

        def vector(place: Bound) -> None:
            whole = divisor(axis.size) % width == 0
            inner = (None,) if whole else masks(self.writer, place, count, width, 1)
            outer, body.tile = body.tile, body.tile.along(axis.value, inner)
            body.bases[axis.value] = self.writer.add(low, place)
            inside(place)
            body.tile = outer

        self.writer.each(0, count, vector, width)

    def _terms(self, place: Bound) -> None:
        """A vector of terms of each row, which go to memory."""
        body = self.body
        body.write(self.block, self.before)
        for op, memory in zip(self.prefixes, self.memory, strict=True):
            term = body.value(op.term)
            for row, _ in body.copies(body.prefixes[op].rows, False):
                vector = body.vector_at(term, row, 0)
                self.writer.store(vector, memory, self._at(row, place))

    def _chain(self, place: Bound) -> None:
        """One term of each row, which its prefix replaces in memory."""
        for op, memory in zip(self.prefixes, self.memory, strict=True):
            rows, type = self.body.prefixes[op].rows, op.result.type
            places = [self._at(row, place) for row, _ in self.body.copies(rows, False)]
            terms = [self.writer.reload(memory, each, type) for each in places]
            self.body.define(op.term, self.body.spread(terms, rows, False))
            self.body.write(self.block, (op,))
            for value, each in zip(self.body.prefixes[op].values, places, strict=True):
                self.writer.store(value, memory, each)

    def _rest(self, place: Bound) -> None:
        """What stands behind a vector of prefixes of each row."""
        body = self.body
        for op, memory in zip(self.prefixes, self.memory, strict=True):
            rows, type = body.prefixes[op].rows, body.type(op.result.type, True)
            places = [self._at(row, place) for row, _ in body.copies(rows, False)]
            vectors = [self.writer.reload(memory, each, type) for each in places]
            body.define(op.result, body.spread(vectors, rows, True))
        body.write(self.block, self.behind)

    def _at(self, row: int, place: Bound) -> Bound:
        return self.writer.add(place, row * self.length)
