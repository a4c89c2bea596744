"""Panels: a factor of a contraction copied so that the tiles read it in a row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import vector
from stepwell.compiler.lower.analysis import Analysis, Axis
from stepwell.compiler.lower.bodies import Ahead, BodyWriter, Guard, Mask, Spread, Tile
from stepwell.compiler.lower.contraction import Factor
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.intervals import Intervals, interval_of, row_major
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.runtime.sizes import Size

AHEAD = 16
"""Positions of a fold, of which each may lie on another page, between asking for and copying."""


@final
@dataclass(frozen=True, eq=False)
class Panels:
    """For each position of the fold, `length` elements of the factor along its axis: what one tile
    takes. A panel holds the positions for one tile: `depth`, which are all or those of a block."""

    analysis: Analysis
    factor: Factor
    width: int
    length: int
    depth: Size

    @property
    def size(self) -> Size:
        """Elements of a panel."""
        return self.depth * self.length

    def fill(
        self,
        writer: Writer,
        bases: Mapping[SSAValue, Bound],
        masks: Sequence[Mask],
        target: SSAValue,
        part: Intervals,
        first: Bound = 0,
    ) -> None:
        """Copy the panel of the tile at `bases` to `target`, from element `first` on: of the fold a
        part, or all.

        A mask for each vector leaves out what is behind the last element of the axis: 0 stands
        there. If there are more vectors than one panel has, they are those of the next panels.
        """
        one = partial(_Vector, self, writer, bases, target, part, first)
        vectors = [one(*each) for each in enumerate(masks)]
        axes = self.analysis.axes_of(self.factor.fold)
        with writer.memory():
            if axes and self._is_turned(axes[-1]):
                whole = masks.count(None)
                self._turn(writer, axes, one(), whole)
                vectors = vectors[whole:]
            if vectors:
                self._along(writer, axes, vectors)

    def place(self, body: BodyWriter, part: Intervals, *before: Bound) -> Bound:
        """Where the element with so many before it lies at the position where the body stands."""
        axes = [(axis, axis.size) for axis in self.analysis.axes_of(self.factor.fold)]
        terms = row_major(axes, body.bases, Size.of(self.length), part)
        return body.writer.affine([*((ONE, each) for each in before), *terms])

    def vectors(
        self, source: SSAValue, part: Intervals, first: Bound, body: BodyWriter, ahead: int = 0
    ) -> Spread:
        """Those of a panel at the position where the body stands: as many as the tile has. So many
        positions ahead they are asked for, and a part of what the next panel is copied from."""
        for each in self.factor.reads:
            body.ask_for_next(each)
        type = vector(self.factor.value.type, self.width)
        columns = (column * self.width for column in range(body.tile.vectors))
        places = [self.place(body, part, first, column) for column in columns]
        for at in places if ahead else ():
            body.writer.prefetch(source, body.writer.add(at, ahead * self.length))
        return body.spread([body.writer.load(source, at, type) for at in places], False, True)

    def _is_turned(self, last: Axis) -> bool:
        """Whether the factor is contiguous along the fold rather than along its axis."""
        axis = self.factor.axis
        assert axis is not None
        strides = [(each.stride(axis.value), each.stride(last.value)) for each in self.factor.reads]
        turned = any(along not in (ZERO, ONE) and inner == ONE for along, inner in strides)
        return turned and (last.size.static or self.width) >= self.width

    def _along(self, writer: Writer, axes: Sequence[Axis], vectors: Sequence["_Vector"]) -> None:
        """Position by position."""
        ahead = Ahead(axes[-1].value, AHEAD) if axes else None

        def inside() -> None:
            for each in vectors:
                each.copy(ahead)

        self._loops(writer, axes, vectors, inside)

    def _turn(self, writer: Writer, axes: Sequence[Axis], vector: "_Vector", count: int) -> None:
        """The first vectors, as many positions at once as they have lanes: square tiles, turned.

        The positions left over are copied.
        """
        *outer, last = axes
        low, high = vector.limits(last)
        whole = writer.add(low, writer.round_down(writer.subtract(high, low), self.width))

        def along(copy: Callable[[], None], index: Bound) -> None:
            def column(number: Bound) -> None:
                vector.move(number)
                copy()

            vector.stand(last, index)
            writer.each(0, count * self.width, column, self.width)

        def inside() -> None:
            writer.each(low, whole, partial(along, partial(vector.turn, last)), self.width)
            writer.each(whole, high, partial(along, vector.copy))

        self._loops(writer, outer, [vector], inside)

    def _loops(
        self,
        writer: Writer,
        axes: Sequence[Axis],
        vectors: Sequence["_Vector"],
        inside: Callable[[], None],
    ) -> None:
        if not axes:
            return inside()

        def body(index: Bound) -> None:
            for each in vectors:
                each.stand(axes[0], index)
            self._loops(writer, axes[1:], vectors, inside)

        return writer.each(*vectors[0].limits(axes[0]), body)


@final
@dataclass(eq=False)
class _Vector:
    """One of the vectors that a tile takes at a position, and the panel's place in the target."""

    panels: Panels
    writer: Writer
    bases: Mapping[SSAValue, Bound]
    target: SSAValue
    part: Intervals
    begin: Bound
    number: int = 0
    mask: Mask = None

    def __post_init__(self) -> None:
        writer, panels, factor = self.writer, self.panels, self.panels.factor
        axis = factor.axis
        assert axis is not None
        panel, column = divmod(self.number, -(-panels.length // panels.width))
        tile = Tile(panels.width, axis.value, (self.mask,))
        body = self._body = NestWriter(writer, panels.analysis, tile, self.bases, {})
        body.bases.update(dict.fromkeys(factor.fold.axes, 0))
        if (guard := panels.analysis.guards.get(factor.fold)) is not None:
            body.guards[guard] = Guard(holds=True)
        start = self.bases[axis.value]
        self._axis, self._start = axis.value, writer.add(start, panel * panels.length)
        self._before = writer.extent(panels.size * panel)
        self._first: Bound = 0
        self.move(column * panels.width)

    def move(self, first: Bound) -> None:
        """Be the vector that begins with this element of those that a tile takes."""
        self._first = first
        self._body.bases[self._axis] = self.writer.add(self._start, first)
        self._body.write(self.panels.analysis.nest.body.block, self.panels.factor.behind)

    def stand(self, axis: Axis, index: Bound) -> None:
        self._body.bases[axis.value] = index

    def limits(self, axis: Axis) -> tuple[Bound, Bound]:
        """The positions to take along an axis of the fold."""
        interval = interval_of(self.part, axis, self.writer)
        return interval.low, interval.high

    def copy(self, ahead: Ahead | None = None) -> None:
        """The vector at this position."""
        self._body.ahead = ahead
        self._compute()
        value = self._body.vector_at(self._body.value(self.panels.factor.value), 0, 0)
        self._store(value, self._before, self._first)

    def turn(self, last: Axis) -> None:
        """The vectors at this position and behind it along the fold's last axis."""
        body, width = self._body, self.panels.width
        body.tile = Tile(width, body.tile.lanes, (None,), last.value, width)
        self._compute()
        value = body.value(self.panels.factor.value)
        for row in range(width):
            self._store(body.vector_at(value, row, 0), self._first, row * self.panels.length)
        body.tile = Tile(width, body.tile.lanes, (None,))

    def _compute(self) -> None:
        factor = self.panels.factor
        self._body.write(factor.fold.body.block, factor.behind)

    def _store(self, value: SSAValue, *before: Bound) -> None:
        """Behind so much of the panels; the last vector may be longer than what is left of the
        tile's elements."""
        width, inside = self.panels.width, None
        if self.panels.length % width and isinstance(self._first, int):
            left = self.panels.length - self._first
            inside = self.writer.mask(0, left, width) if left < width else None
        place = self.panels.place(self._body, self.part, self.begin, *before)
        self.writer.store(value, self.target, place, inside)
