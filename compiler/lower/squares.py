"""Squares: what lies along a fold, and not along the lanes, is read so and turned in registers."""

from collections.abc import Callable, Sequence
from typing import final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.nests import FoldOp, ReadOp
from stepwell.compiler.lower.analysis import Axis
from stepwell.compiler.lower.bodies import Ahead, BodyWriter, Spread, Tile
from stepwell.compiler.lower.writer import ONE, ZERO, Bound

Step = Callable[[Sequence[SSAValue]], Sequence[SSAValue]]
"""What one position of a fold makes of the accumulators."""


@final
class Squares:
    """The reads of a fold's body whose neighbours lie along the fold's last axis, at one tile: as
    many positions at once as a vector has lanes. Those of the tile behind are asked for."""

    def __init__(self, body: BodyWriter, fold: FoldOp, along: Axis):
        self._body = body
        self._along = along
        ops = (op for op in fold.body.block.ops if isinstance(op, ReadOp) and op not in body.absent)
        self.reads = [op for op in ops if self._is_turned(op)] if self._is_whole else []

    @property
    def _is_whole(self) -> bool:
        """Whether there are whole vectors, and positions for one square at least."""
        tile, size = self._body.tile, self._along.size.static
        enough = size is None or size >= tile.width
        return enough and tile.lanes is not None and not any(tile.masks)

    def _is_turned(self, op: ReadOp) -> bool:
        body, access = self._body, self._body.analysis.accesses[op]
        lanes = access.at.terms.get(body.tile.lanes, ZERO) if body.tile.lanes else ZERO
        known = access.at.terms.keys() <= {*body.bases, self._along.value}
        is_along = access.stride(self._along.value) == ONE
        return op.condition is None and known and is_along and lanes not in (ZERO, ONE)

    def loop(
        self, low: Bound, high: Bound, unit: int, carried: Sequence[SSAValue], step: Step
    ) -> Sequence[SSAValue]:
        """All positions, of which `unit` divides the number; those behind the last square are read
        one by one."""
        body, writer, axis = self._body, self._body.writer, self._along.value
        width, whole = body.tile.width, high
        if unit % width:
            whole = writer.add(low, writer.round_down(writer.subtract(high, low), width))

        def square(first: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            body.bases[axis] = first
            columns = {op: self._columns(op) for op in self.reads}
            for number in range(width):
                body.bases[axis] = writer.add(first, number)
                body.known = {op: self._at(number, found) for op, found in columns.items()}
                carried = step(carried)
            body.known = {}
            return carried

        def single(index: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            body.bases[axis] = index
            return step(carried)

        carried = writer.loop(low, whole, width, carried, square)
        return carried if whole is high else writer.loop(whole, high, 1, carried, single)

    def _columns(self, op: ReadOp) -> Sequence[Spread]:
        """A square for each vector of the tile."""
        body, tile, found = self._body, self._body.tile, list[Spread]()
        lanes = tile.lanes
        assert lanes is not None
        first, ahead = body.bases[lanes], body.ahead
        body.tile = Tile(tile.width, lanes, (None,), self._along.value, tile.width)
        body.ahead = Ahead(lanes, tile.width * tile.vectors, apart=True)
        for column in range(tile.vectors):
            body.bases[lanes] = body.writer.add(first, column * tile.width)
            found.append(body.read(op))
        body.bases[lanes], body.ahead, body.tile = first, ahead, tile
        return found

    def _at(self, number: int, columns: Sequence[Spread]) -> Spread:
        vectors = (each.at(number, 0) for each in columns)
        return Spread(tuple(vectors), False, True, len(columns))
