"""Rings of stages: a factor's elements in shared memory, from where a warp loads its matrices."""

from collections.abc import Mapping
from functools import cached_property
from typing import final

from xdsl.dialects import arith
from xdsl.dialects.builtin import UnitAttr, i1
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.gpu.copies import AsyncCopyOp
from stepwell.compiler.dialects.gpu.matrices import LoadMatricesOp
from stepwell.compiler.dialects.llvm.types import size as bytes_of
from stepwell.compiler.dialects.llvm.types import vector
from stepwell.compiler.dialects.loop.nests import ReadOp
from stepwell.compiler.lower.analysis import Access, divisor
from stepwell.compiler.lower.bodies import Tile
from stepwell.compiler.lower.contraction import slice_of
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.grids.staging import Staged
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.runtime.sizes import Size

STAGE = 64
"""Bytes that a stage has of each row."""
PIECE = 16
"""Bytes that stay together: a row of a matrix."""
ROWS = 8
"""Of a matrix."""


@final
class Ring(Staged):
    """Several parts of shared memory, which take turns. In each lie the elements of a stage, in
    rows of those that also lie side by side in the factor's memory.

    The pieces of a row change places, as bits of the row's number tell, so that the eight pieces
    of a matrix, in eight rows, lie in different banks, and those that threads bring side by side.
    """

    @property
    def depth(self) -> int:
        return STAGE // bytes_of(self.source.value.type)

    def place(self, writer: Writer, at: Bound, position: Bound) -> Bound:
        """Where in a stage the piece lies that begins there."""
        row, inner = (at, position) if self.source.is_along_fold else (position, at)
        return writer.affine([(Size.of(self.row), row), (ONE, self._moved(writer, inner, row))])

    def _moved(self, writer: Writer, inner: Bound, row: Bound) -> SSAValue:
        """Where in its row a piece lies: two rows of four pieces have all banks, or one of more."""
        bits = writer.low_bits(row, ROWS)
        if self.row == self.depth:
            bits = writer.quotient(bits, 2)
        return writer.index_op(arith.XOrIOp, inner, writer.multiply(bits, self.source.width))

    def load(
        self,
        writer: Writer,
        shared: SSAValue,
        stage: Bound,
        begin: Bound,
        at: int,
        first: int,
        lane: Bound,
        *,
        sides_first: bool,
    ) -> SSAValue:
        """Four matrices, two by two: those from `at` along the warp's side, which begins at
        `begin`, and from a position of the stage; the second one lies behind the first along the
        side, or else along the fold."""
        low, high = (writer.low_bits(writer.quotient(lane, ROWS << bit), 2) for bit in (0, 1))
        side, fold = (low, high) if sides_first else (high, low)
        row, width = writer.low_bits(lane, ROWS), self.source.width
        side, fold = writer.multiply(side, ROWS), writer.multiply(fold, width)
        if self.source.is_along_fold:
            inner, outer, rows = writer.add(fold, first), side, [begin, at]
        else:
            inner, outer, rows = (
                writer.affine([(ONE, side), (ONE, begin)], Size.of(at)),
                fold,
                [first],
            )
        terms = [(Size.of(self.row), each) for each in (row, outer, *rows)]
        place = writer.affine([*terms, (ONE, self._moved(writer, inner, row)), (ONE, stage)])
        type = vector(self.source.value.type, width)
        turned = {} if self.source.is_along_fold else {"turned": UnitAttr()}
        operands = (shared, writer.value(place))
        return writer.effect(LoadMatricesOp, operands, (type,), turned).results[0]

    @cached_property
    def _read(self) -> Access | None:
        """What reads the elements, if a piece of them is one of memory, all of it or nothing."""
        source, op = self.source, self.source.value.owner
        if not isinstance(op, ReadOp):
            return None
        nest, along = source.contraction.analysis, source.along.last.value
        access, axes = nest.accesses[op], {*source.contraction.fold.axes, *nest.nest.axes}
        asks = op.condition is not None and along in nest.dependences(op.condition)
        is_one = access.stride(along) == ONE and axes.issuperset(access.at.terms) and not asks
        return access if is_one else None

    @cached_property
    def aligned(self) -> list[Size] | None:
        """Sizes that are multiples of a piece where pieces can be copied; None if none ever can."""
        source = self.source
        if self._read is None:
            return None
        along = source.along.last
        strides = [size for axis, size in self._read.at.terms.items() if axis is not along.value]
        sizes = [
            each
            for each in (along.size, self._read.at.offset, *strides)
            if divisor(each) % source.width
        ]
        return None if any(each.static is not None for each in sizes) else sizes

    def copy(
        self,
        writer: Writer,
        bases: Mapping[SSAValue, Bound],
        begin: Bound,
        first: Bound,
        thread: Bound,
        shared: SSAValue,
        stage: Bound,
    ) -> None:
        """Lets the thread's pieces of the stage that begins there come to a part of the ring.
        Behind the side's end come any, behind the fold's zeros."""
        source, read = self.source, self._read
        assert read is not None
        size, depth = (writer.extent(each.size) for each in (source.side, source.fold))
        across, along = (1, source.width) if source.is_along_fold else (source.width, 1)
        for at, position in self.places(writer, thread):
            place = writer.add(stage, self.place(writer, at, position))
            index = writer.smaller(writer.add(begin, at), writer.add(size, -across))
            position, inside = writer.add(first, position), None
            if divisor(source.fold.size) % self.depth:
                inside = writer.compare("lt", writer.value(position), writer.value(depth))
                position = writer.smaller(position, writer.add(depth, -along))
            body = NestWriter(writer, source.contraction.analysis, Tile(), bases, {})
            body.bases.update(dict.fromkeys(source.factor.fold.axes, 0))
            source.fold.stand(writer, body.bases, position)
            source.side.stand(writer, body.bases, index)
            inside = writer.both(inside, self._condition(body))
            terms = [(size, body.bases[axis]) for axis, size in read.at.terms.items()]
            offset = writer.value(writer.affine(terms, read.at.offset))
            if inside is None:
                inside = writer.constant(1, i1)
            operands = (read.buffer, offset, shared, writer.value(place), inside)
            writer.effect(AsyncCopyOp, operands)

    def _condition(self, body: NestWriter) -> SSAValue | None:
        """Where the elements are read."""
        assert self._read is not None
        assert isinstance(self._read.op, ReadOp)
        condition, nest = self._read.op.condition, self.source.contraction.analysis.nest
        if condition is None:
            return None
        ops = slice_of([condition])
        body.write(nest.body.block, ops)
        body.write(self.source.factor.fold.body.block, ops)
        return body.value(condition).at(0, 0)
