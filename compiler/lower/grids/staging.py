"""Stages: a factor's elements for the next products of a block, brought into shared memory."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import final

from xdsl.dialects import arith
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import vector
from stepwell.compiler.lower.analysis import Axis, divisor
from stepwell.compiler.lower.bodies import Guard, Mask, Tile, masks
from stepwell.compiler.lower.contraction import Contraction, Factor, slice_of
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.shuffles import extract
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.runtime.sizes import Size

DEPTH = 16
"""Positions of the fold in a stage."""
WIDTH = 4
"""Elements that a thread moves at once: sixteen bytes."""
GROUP = 8
"""Neighbours that stay together where others change places."""


@final
@dataclass(frozen=True, eq=False)
class Side:
    """Axes that are walked as if they were one: those of the rows, of the lanes or of the fold."""

    axes: Sequence[Axis]

    @cached_property
    def size(self) -> Size:
        return prod((axis.size for axis in self.axes), start=ONE)

    @property
    def last(self) -> Axis:
        return self.axes[-1]

    def has_whole(self, width: int) -> bool:
        """Whether no vector along the last axis lies across its end."""
        return divisor(self.last.size) % width == 0

    def stand(self, writer: Writer, bases: dict[SSAValue, Bound], index: Bound) -> None:
        """Make this the position along the axes."""
        places = writer.unravel(index, [axis.size for axis in self.axes])
        bases.update(zip((axis.value for axis in self.axes), places, strict=True))


def fold_of(contraction: Contraction) -> Side:
    return Side(contraction.analysis.axes_of(contraction.fold))


def rows_of(contraction: Contraction, width: int) -> Side:
    """All axes along which the right factor does not vary, unless vectors would lie across ends."""
    rows = contraction.rows
    assert rows is not None
    every = Side((*contraction.middle, rows))
    along_fold = lies_along_fold(contraction.left, fold_of(contraction), width)
    return every if along_fold or every.has_whole(width) else Side((rows,))


def lies_along_fold(factor: Factor, fold: Side, width: int) -> bool:
    """Whether a factor's elements lie side by side along the fold, but not along its own axis."""
    own, last = factor.axis, fold.last
    if own is None or (len(fold.axes) > 1 and not fold.has_whole(width)):
        return False
    return all(each.stride(last.value) == ONE != each.stride(own.value) for each in factor.reads)


@final
@dataclass(frozen=True, eq=False)
class Source:
    """Where a factor's elements come from, as vectors of `width`: along its side or, where only
    that lies side by side in memory, along the fold. Behind the fold's end stands `outside`."""

    contraction: Contraction
    factor: Factor
    value: SSAValue
    """What is brought of the factor: all of it, or what it is converted from."""
    side: Side
    width: int
    outside: float
    may_turn: bool = True
    """Whether vectors may go along the side."""

    @cached_property
    def fold(self) -> Side:
        return fold_of(self.contraction)

    @cached_property
    def is_along_fold(self) -> bool:
        return not self.may_turn or lies_along_fold(self.factor, self.fold, self.width)

    @property
    def along(self) -> Side:
        return self.fold if self.is_along_fold else self.side

    @property
    def is_cut(self) -> bool:
        """Whether a vector may lie across the end of the side."""
        return not self.is_along_fold and not self.side.has_whole(self.width)

    def vector(
        self,
        writer: Writer,
        bases: Mapping[SSAValue, Bound],
        index: Bound,
        position: Bound,
        *,
        whole: bool,
    ) -> SSAValue:
        """The one that begins at these positions along the side and the fold. If the stage is not
        `whole`, some of it may lie behind an end."""
        reader = _Reader(self, writer, bases)
        read = reader.along_fold if self.is_along_fold else reader.along_side
        return read(index, position, whole=whole)


@dataclass(frozen=True, eq=False)
class Staged(ABC):
    """Shared memory for the elements that a factor has for `depth` positions of the fold, of which
    `length` lie along its side; `threads` bring them together."""

    source: Source
    length: int
    threads: int

    @property
    @abstractmethod
    def depth(self) -> int:
        """Positions of a stage."""

    @property
    def size(self) -> int:
        """Elements of a stage."""
        return self.depth * self.length

    @property
    def vectors(self) -> int:
        """That a thread brings of a stage."""
        return self.size // self.source.width // self.threads

    @property
    def row(self) -> int:
        """How many elements of a stage lie side by side in the factor's memory."""
        return self.depth if self.source.is_along_fold else self.length

    def places(self, writer: Writer, thread: Bound) -> list[tuple[Bound, Bound]]:
        """Along the side and within the stage, where the vectors of a thread begin."""
        width = self.source.width
        beside = self.row // width
        first = writer.multiply(writer.remainder(thread, beside), width)
        own = writer.quotient(thread, beside)
        rows = range(0, self.size // self.row, self.threads // beside)
        places = [(first, writer.add(own, number)) for number in rows]
        return [(b, a) for a, b in places] if self.source.is_along_fold else places

    def fetch(
        self,
        writer: Writer,
        bases: Mapping[SSAValue, Bound],
        begin: Bound,
        first: Bound,
        thread: Bound,
        *,
        whole: bool,
    ) -> list[SSAValue]:
        """What a thread has to bring of the block that begins at these positions along the side and
        the fold. If that is not `whole`, some of it may lie behind an end."""
        return [
            self.source.vector(
                writer, bases, writer.add(begin, at), writer.add(first, position), whole=whole
            )
            for at, position in self.places(writer, thread)
        ]

    def put(
        self,
        writer: Writer,
        shared: SSAValue,
        stage: Bound,
        thread: Bound,
        vectors: Sequence[SSAValue],
    ) -> None:
        """Store what was fetched in the part of shared memory that begins at this element."""
        for value, (at, position) in zip(vectors, self.places(writer, thread), strict=True):
            place = writer.add(stage, self.place(writer, at, position))
            self.store(writer, value, shared, place)

    @abstractmethod
    def place(self, writer: Writer, at: Bound, position: Bound) -> Bound:
        """Where in a stage the vector lies that begins there."""

    def store(self, writer: Writer, value: SSAValue, shared: SSAValue, place: Bound) -> None:
        """One of the vectors, side by side."""
        writer.store(value, shared, place)


@final
class Stages(Staged):
    """Two halves of shared memory, one to read from while the other one is filled. In each, for
    every position of a stage, lie the elements along the side.

    Of a vector along the fold a thread has four elements of one row to store in four places. So
    that those of a warp meet in no bank, groups of eight elements change places, as bits of the
    position tell.
    """

    @property
    def depth(self) -> int:
        return DEPTH

    def store(self, writer: Writer, value: SSAValue, shared: SSAValue, place: Bound) -> None:
        if not self.source.is_along_fold:
            writer.store(value, shared, place)
            return
        for lane in range(WIDTH):
            # Where groups stand is the same at all four positions.
            one = writer.add(place, lane * self.length)
            writer.store(extract(writer, value, lane), shared, one)

    def read(
        self, writer: Writer, shared: SSAValue, stage: Bound, at: Bound, position: Bound
    ) -> SSAValue:
        """Four elements from one along the side, at a position of the stage."""
        place = writer.add(stage, self.place(writer, at, position))
        return writer.reload(shared, place, vector(self.source.value.type, WIDTH))

    def place(self, writer: Writer, at: Bound, position: Bound) -> Bound:
        bits = writer.remainder(writer.quotient(position, WIDTH), WIDTH)
        changed = writer.index_op(arith.XOrIOp, at, writer.multiply(bits, GROUP))
        return writer.add(changed, writer.multiply(position, self.length))


@final
class _Reader:
    """Vectors of a factor. A place behind an end is not read; what then stands for it counts only
    along the fold."""

    def __init__(self, source: Source, writer: Writer, bases: Mapping[SSAValue, Bound]) -> None:
        self._writer = writer
        self._source = source
        self._width = source.width
        self._bases = bases
        self._size = writer.extent(source.side.size)
        self._depth = writer.extent(source.fold.size)

    def along_fold(self, index: Bound, position: Bound, *, whole: bool) -> SSAValue:
        writer, fold = self._writer, self._source.fold
        index = writer.smaller(index, writer.add(self._size, -1))
        if whole:
            return self._value(index, position, fold, None)
        inside = writer.mask(position, self._depth, self._width)
        if len(fold.axes) > 1:
            position = writer.smaller(position, writer.add(self._depth, -self._width))
        return self._where(inside, self._value(index, position, fold, inside))

    def along_side(self, index: Bound, position: Bound, *, whole: bool) -> SSAValue:
        writer, side = self._writer, self._source.side
        inside: Mask = None
        if not self._source.is_cut:
            index = writer.smaller(index, writer.add(self._size, -self._width))
        elif not whole:
            (inside,) = masks(writer, index, self._size, self._width, 1)
        if whole:
            return self._value(index, position, side, inside)
        known = writer.compare("lt", writer.value(position), writer.value(self._depth))
        position = writer.smaller(position, writer.add(self._depth, -1))
        value = self._value(index, position, side, inside)
        return self._where(writer.splat(known, self._width), value)

    def _where(self, inside: SSAValue, value: SSAValue) -> SSAValue:
        writer = self._writer
        nothing = writer.constant(self._source.outside, self._source.value.type)
        return writer.select(inside, value, writer.splat(nothing, self._width))

    def _value(self, index: Bound, position: Bound, along: Side, inside: Mask) -> SSAValue:
        """The factor there, read or computed. The fold's guard is the left factor's business."""
        writer, source = self._writer, self._source
        factor, nest = source.factor, source.contraction.analysis
        tile = Tile(self._width, along.last.value, (inside,))
        body = NestWriter(writer, nest, tile, self._bases, {})
        body.bases.update(dict.fromkeys(factor.fold.axes, 0))
        source.fold.stand(writer, body.bases, position)
        source.side.stand(writer, body.bases, index)
        guard = nest.guards.get(factor.fold)
        behind = slice_of([source.value], (guard,))
        if guard is not None and factor is source.contraction.right:
            body.guards[guard] = Guard(holds=True)
        elif guard is not None:
            behind = slice_of([source.value])
        body.write(nest.nest.body.block, behind)
        body.write(factor.fold.body.block, behind)
        return body.vector_at(body.value(source.value), 0, 0)
