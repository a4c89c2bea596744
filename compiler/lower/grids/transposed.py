"""The strategy `transposed`: what is read along other axes than it is written, by shared memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import ClassVar, Self, final

from xdsl.dialects import arith
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import size as bytes_of
from stepwell.compiler.dialects.llvm.types import vector
from stepwell.compiler.dialects.loop.nests import KernelOp, ReadOp, WriteOp
from stepwell.compiler.lower.analysis import Analysis, Axis, divisor, lanes_of
from stepwell.compiler.lower.bodies import BodyWriter, Ready, Spread, Tile, masks
from stepwell.compiler.lower.contraction import slice_of
from stepwell.compiler.lower.costs import length, turned_axis
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.grids.blocks import SHARED_BYTES, in_blocks, share, wait
from stepwell.compiler.lower.grids.grid import bytes_for
from stepwell.compiler.lower.loop_to_llvm.types import in_memory
from stepwell.compiler.lower.shuffles import extract
from stepwell.compiler.lower.strategies.base import Refusal, Strategy, expanding
from stepwell.compiler.lower.tiling import unless_empty
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

SIDE, THREADS = 64, 256
"""Rows and lanes of a square, and threads of a block."""
BESIDE, GROUP = 4, 8
"""Threads side by side along what is read, and elements that stay together in shared memory."""
FEW = 32
"""Rows or lanes for which a square is not worth while."""


@final
@dataclass(frozen=True)
class Transposed(Strategy):
    """Maps that read along another axis than they write: a block of threads for each square. What
    lies side by side along the rows, they bring into shared memory, in vectors of `bytes`, and read
    it there along the lanes."""

    name: ClassVar[str] = "transposed"
    bytes: int = 16

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        squares = cls.choose(kernel, machine)._squares(kernel)
        if squares is None:
            return Refusal("it is not one map, or it reads all as it writes")
        if min(length(squares.rows.size), length(squares.lanes.size)) < FEW:
            return Refusal("it is small along some axis")
        return Refusal("shared memory is too small") if squares.bytes > SHARED_BYTES else None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        return cls(bytes_for(kernel, machine))

    def workspace(self, kernel: KernelOp) -> Size:
        return ZERO

    def expand(self, kernel: KernelOp) -> None:
        squares = self._squares(kernel)
        assert squares is not None
        nest = squares.nest.nest

        def block(writer: Writer, number: Bound, thread: Bound) -> None:
            _Block(writer, squares, number, thread).write()

        with expanding(kernel) as writer:
            writer.location = nest.location

            def launch() -> None:
                count = reduce(writer.product, map(writer.extent, squares.counts))
                in_blocks(writer, count, THREADS, block)

            unless_empty(writer, nest.sizes.data, kernel.symbols.ranges, launch)

    def _squares(self, kernel: KernelOp) -> "_Squares | None":
        nests = [Analysis(nest) for nest in kernel.nests]
        if len(nests) != 1 or nests[0].inside or nests[0].scans or nests[0].repeats:
            return None
        (nest,), accesses = nests, nests[0].accesses
        writes = [each for op, each in accesses.items() if isinstance(op, WriteOp)]
        for lanes in nest.axes():
            if any(each.stride(lanes.value) != ONE for each in writes):
                continue
            turned = [(op, turned_axis(nest, each, lanes)) for op, each in accesses.items()]
            reads = {op: axis for op, axis in turned if axis is not None and isinstance(op, ReadOp)}
            rows = [axis for axis in nest.axes() if {axis.value} == {*reads.values()}]
            if rows and not any(op.condition for op in reads):
                return _Squares(
                    nest, rows[0], lanes, tuple(reads), lanes_of(nest.types, self.bytes)
                )
        return None


@final
@dataclass(frozen=True, eq=False)
class _Squares:
    """A nest that writes along the lanes what lies side by side, and what of it is read so along
    the rows, in vectors of a width."""

    nest: Analysis
    rows: Axis
    lanes: Axis
    turned: Sequence[ReadOp]
    width: int

    @property
    def outer(self) -> Sequence[Axis]:
        return [
            axis
            for axis in self.nest.axes()
            if axis.value not in (self.rows.value, self.lanes.value)
        ]

    @property
    def bytes(self) -> int:
        """Of shared memory."""
        return sum(SIDE * SIDE * bytes_of(in_memory(op.result.type)) for op in self.turned)

    @property
    def counts(self) -> list[Size]:
        """Blocks along the other axes, the rows and the lanes."""
        sides = [(axis.size + (SIDE - 1)) // SIDE for axis in (self.rows, self.lanes)]
        return [*(axis.size for axis in self.outer), *sides]


@final
class _Block:
    """A thread at work on its block's square, of which some may lie behind the ends."""

    def __init__(self, writer: Writer, squares: _Squares, number: Bound, thread: Bound) -> None:
        self.writer, self.squares, self.thread = writer, squares, thread
        *others, row, lane = writer.unravel(number, squares.counts)
        self.bases: dict[SSAValue, Bound] = dict.fromkeys(squares.nest.nest.axes, 0)
        outer = (axis.value for axis in squares.outer)
        self.bases.update(zip(outer, others, strict=True))
        self.row, self.lane = (writer.multiply(each, SIDE) for each in (row, lane))
        self.shared = {op: share(writer, SIDE * SIDE, op.result.type) for op in squares.turned}

    def write(self) -> None:
        with self.writer.memory():
            self._fill()
        wait(self.writer)
        with self.writer.memory():
            self._compute()

    def _fill(self) -> None:
        """Brings what is turned; all loads come before the first store that waits for one."""
        writer, width, turned = self.writer, self.squares.width, self.squares.turned
        first = writer.multiply(writer.remainder(self.thread, BESIDE), width)
        lane = writer.quotient(self.thread, BESIDE)
        rows = [writer.add(first, number) for number in range(0, SIDE, BESIDE * width)]
        found = [(op, row, self._read(op, row, lane)) for op in turned for row in rows]
        for op, row, value in found:
            place = self._place(row, lane)
            for number in range(width):
                one = writer.add(place, number * SIDE)
                writer.store(extract(writer, value, number), self.shared[op], one)

    def _read(self, op: ReadOp, row: Bound, lane: Bound) -> SSAValue:
        """A vector along the rows; in a lane behind the last one, that one's."""
        writer, block = self.writer, self.squares.nest.nest.body.block
        row, lane = writer.add(self.row, row), writer.add(self.lane, lane)
        if _is_cut(self.squares.lanes):
            lane = writer.smaller(lane, writer.extent(self.squares.lanes.size - 1))
        body = self._body(self.squares.rows, row, lane)
        body.write(block, slice_of([op.result]))
        return body.vector_at(body.value(op.result), 0, 0)

    def _body(
        self, along: Axis, row: Bound, lane: Bound, ready: Sequence[Ready] = ()
    ) -> NestWriter:
        """The nest's body at a vector along the rows or the lanes."""
        writer, squares = self.writer, self.squares
        bases = {**self.bases, squares.rows.value: row, squares.lanes.value: lane}
        high = writer.extent(along.size)
        inside = masks(writer, bases[along.value], high, squares.width, 1)
        tile = Tile(squares.width, along.value, inside if _is_cut(along) else (None,))
        return NestWriter(writer, squares.nest, tile, bases, {}, ready)

    def _compute(self) -> None:
        writer, squares = self.writer, self.squares
        beside, high = SIDE // squares.width, writer.value(writer.extent(squares.rows.size))
        lane = writer.multiply(writer.remainder(self.thread, beside), squares.width)
        first = writer.quotient(self.thread, beside)
        for number in range(0, SIDE, THREADS // beside):
            row = writer.add(first, number)
            write = partial(self._vector, row, lane)
            if _is_cut(squares.rows):
                index = writer.value(writer.add(self.row, row))
                writer.branch(writer.compare("lt", index, high), write, lambda: None)
            else:
                write()

    def _vector(self, row: Bound, lane: Bound) -> None:
        """What the nest writes to a vector along the lanes."""
        writer, place = self.writer, self._place(row, lane)
        ready = [
            Ready(op.result, frozenset((op,)), partial(self._shared, op, place))
            for op in self.squares.turned
        ]
        row, lane = writer.add(self.row, row), writer.add(self.lane, lane)
        self._body(self.squares.lanes, row, lane, ready).write_nest()

    def _shared(self, op: ReadOp, place: Bound, body: BodyWriter) -> Spread:
        type = vector(op.result.type, self.squares.width)
        return body.spread([self.writer.reload(self.shared[op], place, type)], False, True)

    def _place(self, row: Bound, lane: Bound) -> Bound:
        """In shared memory, so that a warp's stores of single elements, along the rows, go to as
        many banks as its loads of vectors, along the lanes: groups change places."""
        writer, width = self.writer, self.squares.width
        bits = writer.remainder(writer.quotient(row, width), BESIDE)
        group = writer.multiply(bits, max(GROUP, width))
        changed = writer.index_op(arith.XOrIOp, lane, group)
        return writer.add(changed, writer.multiply(row, SIDE))


def _is_cut(axis: Axis) -> bool:
    """Whether a square may lie across the axis' end."""
    return divisor(axis.size) % SIDE != 0
