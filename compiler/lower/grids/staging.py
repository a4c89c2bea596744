"""Stages: a factor's elements for the next products of a block, brought into shared memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

from xdsl.dialects import arith
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import vector
from stepwell.compiler.lower.analysis import Axis, divisor
from stepwell.compiler.lower.bodies import Mask, Tile, masks
from stepwell.compiler.lower.contraction import Contraction, Factor
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.shuffles import extract
from stepwell.compiler.lower.writer import ONE, Bound, Writer

DEPTH = 16
"""Positions of the fold in a stage."""
WIDTH = 4
"""Elements that a thread moves at once: sixteen bytes."""
GROUP = 8
"""Neighbours that stay together where others change places."""


@final
@dataclass(frozen=True, eq=False)
class Stages:
    """Two halves of shared memory, one to read from while the other one is filled. In each, for
    every position of a stage, lie `length` elements of the factor along its axis.

    What a thread loads goes along the axis or, where only that lies side by side, along the fold:
    then it has four elements of one row to store in four places. So that those of a warp meet in no
    bank, groups of eight elements change places, as bits of the position tell. Behind the fold's
    end stands `outside`.
    """

    contraction: Contraction
    factor: Factor
    axis: Axis
    length: int
    threads: int
    outside: float

    @property
    def count(self) -> int:
        """Elements of shared memory."""
        return 2 * self.half

    @property
    def vectors(self) -> int:
        """That a thread brings of a stage."""
        return self.half // WIDTH // self.threads

    @property
    def half(self) -> int:
        return DEPTH * self.length

    @cached_property
    def _axes(self) -> Sequence[Axis]:
        return self.contraction.analysis.axes_of(self.factor.fold)

    @cached_property
    def _goes_along_fold(self) -> bool:
        last = self._axes[-1]
        if len(self._axes) > 1 and divisor(last.size) % WIDTH:
            return False
        strides = [
            (each.stride(self.axis.value), each.stride(last.value)) for each in self.factor.reads
        ]
        return all(inner == ONE != along for along, inner in strides)

    @property
    def is_cut(self) -> bool:
        """Whether a vector may lie across the end of the axis."""
        return not self._goes_along_fold and divisor(self.axis.size) % WIDTH != 0

    def fetch(
        self,
        writer: Writer,
        bases: Mapping[SSAValue, Bound],
        thread: Bound,
        first: Bound,
        whole: bool,
    ) -> list[SSAValue]:
        """What a thread has to bring of the stage that begins at a position of the fold. If that is
        not `whole`, some of it may lie behind an end."""
        return [
            self._vector(writer, bases, first, *place, whole=whole)
            for place in self._places(writer, thread)
        ]

    def put(
        self,
        writer: Writer,
        shared: SSAValue,
        half: Bound,
        thread: Bound,
        vectors: Sequence[SSAValue],
    ) -> None:
        """Store what was fetched in the half that begins at this element."""
        for value, (at, position) in zip(vectors, self._places(writer, thread), strict=True):
            if not self._goes_along_fold:
                writer.store(value, shared, writer.add(half, self._place(writer, at, position)))
                continue
            for lane in range(WIDTH):
                # The four positions of a vector have all but the last bits in common.
                place = writer.add(self._place(writer, at, position), lane * self.length)
                writer.store(extract(writer, value, lane), shared, writer.add(half, place))

    def read(
        self, writer: Writer, shared: SSAValue, half: Bound, at: Bound, position: int
    ) -> SSAValue:
        """Four elements from one along the axis, at a position of the stage."""
        place = writer.add(half, self._place(writer, at, position))
        return writer.reload(shared, place, vector(self.factor.value.type, WIDTH))

    def _places(self, writer: Writer, thread: Bound) -> list[tuple[Bound, Bound]]:
        """Along the axis and within the stage, where the vectors of a thread begin."""
        along = DEPTH if self._goes_along_fold else self.length
        side, rows = along // WIDTH, self.half // along
        first = writer.multiply(writer.remainder(thread, side), WIDTH)
        row, step = writer.quotient(thread, side), self.threads // side
        places = [(first, writer.add(row, number)) for number in range(0, rows, step)]
        return [each[::-1] for each in places] if self._goes_along_fold else places

    def _place(self, writer: Writer, at: Bound, position: Bound) -> Bound:
        bits = writer.remainder(writer.quotient(position, WIDTH), WIDTH)
        changed = writer.index_op(arith.XOrIOp, at, writer.multiply(bits, GROUP))
        return writer.add(changed, writer.multiply(position, self.length))

    def _vector(
        self,
        writer: Writer,
        bases: Mapping[SSAValue, Bound],
        first: Bound,
        at: Bound,
        position: Bound,
        *,
        whole: bool,
    ) -> SSAValue:
        """Four elements along the axis or the fold; where nothing is, they are read elsewhere."""
        index, place = writer.add(bases[self.axis.value], at), writer.add(first, position)
        size, count = writer.extent(self.axis.size), writer.extent(self.contraction.depth)
        inside: Mask = None
        if self._goes_along_fold:
            index = writer.smaller(index, writer.add(size, -1))
            if not whole:
                inside = masks(writer, place, count, WIDTH, 1)[0]
                if len(self._axes) > 1:
                    place = writer.smaller(place, writer.add(count, -WIDTH))
            value = self._value(writer, bases, index, place, self._axes[-1], inside)
            return value if inside is None else self._where(writer, inside, value)
        if not self.is_cut:
            index = writer.smaller(index, writer.add(size, -WIDTH))
        elif not whole:
            inside = masks(writer, index, size, WIDTH, 1)[0]
        if whole:
            return self._value(writer, bases, index, place, self.axis, inside)
        known = writer.compare("lt", writer.value(place), writer.value(count))
        place = writer.smaller(place, writer.add(count, -1))
        value = self._value(writer, bases, index, place, self.axis, inside)
        return self._where(writer, writer.splat(known, WIDTH), value)

    def _where(self, writer: Writer, inside: SSAValue, value: SSAValue) -> SSAValue:
        nothing = writer.constant(self.outside, self.factor.value.type)
        return writer.select(inside, value, writer.splat(nothing, WIDTH))

    def _value(
        self,
        writer: Writer,
        bases: Mapping[SSAValue, Bound],
        index: Bound,
        position: Bound,
        along: Axis,
        inside: Mask,
    ) -> SSAValue:
        """The factor there, read or computed."""
        fold, behind, nest = self.factor.fold, self.factor.behind, self.contraction.analysis
        body = NestWriter(writer, nest, Tile(WIDTH, along.value, (inside,)), bases, {})
        body.bases.update(dict.fromkeys(fold.axes, 0))
        places = writer.unravel(position, [axis.size for axis in self._axes])
        body.bases.update(zip((axis.value for axis in self._axes), places, strict=True))
        body.bases[self.axis.value] = index
        body.write(nest.nest.body.block, behind)
        body.write(fold.body.block, behind)
        return body.vector_at(body.value(self.factor.value), 0, 0)
