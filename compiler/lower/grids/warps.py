"""The strategy `warps`: rows shared among threads of a warp, which fold along them together."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import ClassVar, Self, final

from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.loop.host import WhileOp
from stepwell.compiler.dialects.loop.nests import FoldOp, KernelOp, ReadOp, ScanOp, SortOp, WriteOp
from stepwell.compiler.dialects.loop.types import LANE_COUNT, BufferType, buffer
from stepwell.compiler.dialects.sizes import Range
from stepwell.compiler.lower.analysis import Access, Analysis, Axis, collapse, divisor, lanes_of
from stepwell.compiler.lower.bodies import BodyWriter, Mask, Ready, Spread, Tile
from stepwell.compiler.lower.costs import best_lanes, length
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.grids.team import UNROLLED, Threads
from stepwell.compiler.lower.strategies.base import Refusal, Strategy, expanding, place, total_bytes
from stepwell.compiler.lower.strategies.rows import handed_on, shared_axes
from stepwell.compiler.lower.tiling import unless_empty
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

FEW = 32
"""Positions of a fold for which a thread of its own is enough."""


@final
@dataclass(frozen=True)
class Warps(Strategy):
    """Reductions of rows, softmax, norms: a row is the work of as many threads as have the 64
    accumulators in vectors of `bytes`. What nests leave to each other of a row stays in registers,
    if it is a number or so short that the steps are written out."""

    name: ClassVar[str] = "warps"
    IN_PLACE: ClassVar[bool] = True
    bytes: int = 16

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        if any(isinstance(op, SortOp | ScanOp | WhileOp) for op in kernel.walk()):
            return Refusal("it sorts, or is a loop for each element")
        return refusal_of([Analysis(nest) for nest in kernel.nests], machine.vector_bytes)

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        return cls(machine.vector_bytes)

    def workspace(self, kernel: KernelOp) -> Size:
        return total_bytes(_rows_of(kernel, self.bytes).shared.values())

    def expand(self, kernel: KernelOp) -> None:
        rows = _rows_of(kernel, self.bytes)
        with expanding(kernel) as writer:
            writer.location = rows.nests[0].nest.location
            shared = place(writer, kernel.arguments[-1], rows.shared) if rows.shared else {}
            rows.write(writer, shared)


def refusal_of(nests: Sequence[Analysis], bytes: int) -> Refusal | None:
    """Why nests without scans and loops are not walked by rows."""
    outer = outer_of(nests)
    if len(nests) > 1 and outer == 0:
        return Refusal("what one nest leaves to another is not read along the same rows")
    folds = [folds_together(nest, outer, bytes) for nest in nests]
    if not any(nest.inside for nest in nests) or not all(folds):
        return Refusal("there is no fold along what lies side by side, or another one, too")
    return None


def outer_of(nests: Sequence[Analysis]) -> int:
    """How many axes are those of rows."""
    return shared_axes(nests) if len(nests) > 1 else len(nests[0].nest.axes)


def folds_together(nest: Analysis, outer: int, bytes: int) -> bool:
    """Whether all folds of a nest go along rows, whose elements lie side by side; a short one may
    stand in a nest of elements."""
    for fold, accesses in nest.inside.items():
        axes = nest.axes_of(fold)
        count = length(prod((axis.size for axis in axes), start=ONE))
        if fold.order.data.kind == "serial" or count < FEW:
            return False
        if fold.order.data.kind == "lanes" and len(axes) > 1:
            aligned = axes[-1].size.static
            chunk = fold.order.data.chunk
            if aligned is None or aligned % LANE_COUNT or (chunk and chunk % aligned):
                return False
        if any(access.stride(axes[-1].value) not in (ZERO, ONE) for access in accesses):
            return False
    lanes = best_lanes(nest, nest.axes(outer), bytes)
    varies = [nest.dependences(fold.results[0]) for fold in nest.inside]
    return lanes is None or not any(lanes.value in each for each in varies)


@final
class Rows:
    """Nests of the same rows, each of which a team of threads takes through all of them. `locals`
    are the buffers that nobody else sees."""

    def __init__(
        self,
        nests: Sequence[Analysis],
        bytes: int,
        ranges: Mapping[str, Range],
        locals: Mapping[SSAValue, BufferType],
    ) -> None:
        self.nests = nests
        self.bytes = bytes
        self.ranges = ranges
        self.locals = locals
        self.outer = outer_of(self.nests)
        self.shape = self.nests[0].nest.sizes.data[: self.outer]
        self.count = prod(self.shape, start=ONE)
        types = {type for nest in self.nests for type in nest.types}
        self.width = lanes_of(types, bytes)
        inner = {local: type.shape[self.outer :] for local, type in self.locals.items()}
        self.numbers = {
            local: buffer((ONE,), type.element)
            for local, type in self.locals.items()
            if prod(inner[local], start=ONE) == ONE
        }
        """Of which a row has one, in memory of each thread that LLVM makes a register."""
        self.kept = {local for local in self.locals if self._is_kept(local)}
        """Whose vectors stay in the registers of the threads that computed them."""
        self.shared = {
            local: type
            for local, type in self.locals.items()
            if local not in self.numbers and local not in self.kept
        }
        self.hands_on = bool(
            (handed_on(self.nests) - self.numbers.keys() - self.kept) | self.shared.keys()
        )
        """Whether a thread may read what another one wrote."""
        for nest in self.nests:
            nest.privatise(self.numbers, self.outer)

    def _is_kept(self, local: SSAValue) -> bool:
        """Whether all that is done with a row's vectors is done at the places where they are
        written, in steps that are written out."""
        shape = self.locals[local].shape[self.outer :]
        count = shape[0].static if len(shape) == 1 else None
        if count is None or not 1 < count <= LANE_COUNT * UNROLLED:
            return False
        accesses = [
            (nest, access)
            for nest in self.nests
            for access in nest.accesses.values()
            if access.buffer is local
        ]
        return all(self._walks_along(*each, count) for each in accesses)

    def lanes(self, nest: Analysis) -> Axis | None:
        """The axis of a row that the threads go along together."""
        return best_lanes(nest, nest.axes(self.outer), self.bytes)

    def _walks_along(self, nest: Analysis, access: Access, count: int) -> bool:
        """Whether an access is at the position of a row that a nest, or a fold in it, stands at."""
        op = access.op
        (last,) = op.access.data[self.outer :]
        if len(last.terms) != 1 or last.offset != ZERO or last.terms[0][0] != ONE:
            return False
        along = op.indices[last.terms[0][1]]
        if isinstance(op, ReadOp) and op.condition is not None:
            return False
        match nest.around.get(op, ()):
            case ():
                lanes = self.lanes(nest)
                return lanes is not None and lanes.value is along
            case (FoldOp() as fold,):
                return tuple(fold.axes) == (along,) and fold.sizes.data[0].static == count
            case _:
                return False

    def write(self, writer: Writer, buffers: Mapping[SSAValue, SSAValue]) -> None:
        """A grid of teams, with buffers in the places of some."""
        threads = LANE_COUNT // self.width

        def thread(number: Bound) -> None:
            row, lane = writer.quotient(number, threads), writer.low_bits(number, threads)
            team = Threads(writer, lane, self.width)
            Row(writer, self, team, row, buffers).write()

        writer.parallel(writer.extent(self.count * threads), thread)


def point(body: NestWriter, team: Threads, own: Container[SSAValue] = ()) -> None:
    """One position, at which all threads compute the same; the first one writes it, but for buffers
    that each has as its own."""
    writer, block, body.team = body.writer, body.analysis.nest.body.block, team
    ops = list(block.ops)
    seen = [op for op in ops if isinstance(op, WriteOp) and op.target not in own]
    body.write(block, set(ops).difference(seen))
    if seen:
        first = writer.compare("eq", writer.value(team.lane), writer.value(0))
        writer.branch(first, lambda: body.write(block, seen), lambda: None)


def _rows_of(kernel: KernelOp, bytes: int) -> Rows:
    nests = [Analysis(nest) for nest in kernel.nests]
    return Rows(nests, bytes, kernel.symbols.ranges, kernel.locals)


@final
@dataclass(frozen=True, eq=False)
class Row:
    """One row, as its threads walk through it."""

    writer: Writer
    rows: Rows
    team: Threads
    index: Bound
    shared: Mapping[SSAValue, SSAValue]
    vectors: dict[tuple[SSAValue, Bound], SSAValue] = field(
        default_factory=dict[tuple[SSAValue, Bound], SSAValue]
    )
    """What the thread keeps of locals, by where it stands."""

    def write(self) -> None:
        stacks = {local: self.writer.stack(type) for local, type in self.rows.numbers.items()}
        buffers = {**self.shared, **stacks}
        if not self.rows.hands_on:
            with self.writer.memory():
                for nest in self.rows.nests:
                    self.walk(nest, buffers)
            return
        for number, nest in enumerate(self.rows.nests):
            if number:
                self.team.sync()
            with self.writer.memory():
                self.walk(nest, buffers)

    def walk(self, nest: Analysis, buffers: Mapping[SSAValue, SSAValue]) -> None:
        """All that the threads do for one of the nests."""
        self.writer.location = nest.nest.location
        sizes = nest.nest.sizes.data[self.rows.outer :]
        unless_empty(self.writer, sizes, self.rows.ranges, partial(self._nest, nest, buffers))

    def _nest(self, nest: Analysis, buffers: Mapping[SSAValue, SSAValue]) -> None:
        axes = nest.axes(self.rows.outer)
        lanes = self.rows.lanes(nest)
        bases = self._indices(nest)

        def each(axes: Sequence[Axis]) -> None:
            if axes:
                self._along(axes[0], bases, lambda: each(axes[1:]))
            elif lanes is None:
                self._point(nest, bases, buffers)
            else:
                self._vectors(nest, lanes, bases, buffers)

        each([axis for axis in axes if lanes is None or axis.value is not lanes.value])

    def _along(self, axis: Axis, bases: dict[SSAValue, Bound], inside: Callable[[], None]) -> None:
        def at(index: Bound) -> None:
            bases[axis.value] = index
            inside()

        self.writer.each(0, self.writer.extent(axis.size), at, runs=True)

    def _indices(self, nest: Analysis) -> dict[SSAValue, Bound]:
        """The indices of the row along the axes of rows."""
        bases: dict[SSAValue, Bound] = dict.fromkeys(nest.nest.axes, 0)
        values = nest.nest.axes[: self.rows.outer]
        axes = collapse(values, self.rows.shape, nest.accesses.values(), nest.computed_with)
        found = self.writer.unravel(self.index, [axis.size for axis in axes])
        bases.update((axis.value, index) for axis, index in zip(axes, found, strict=True))
        return bases

    def _point(
        self, nest: Analysis, bases: dict[SSAValue, Bound], buffers: Mapping[SSAValue, SSAValue]
    ) -> None:
        body = self._body(nest, Tile(self.team.width), bases, buffers)
        point(body, self.team, self.rows.numbers)

    def _vectors(
        self,
        nest: Analysis,
        lanes: Axis,
        bases: dict[SSAValue, Bound],
        buffers: Mapping[SSAValue, SSAValue],
    ) -> None:
        """Positions side by side, a vector for each thread."""

        def at(inside: Mask, index: Bound, _: Sequence[SSAValue]) -> Sequence[SSAValue]:
            bases[lanes.value] = index
            tile = Tile(self.team.width, lanes.value, (inside,))
            body = self._body(nest, tile, bases, buffers)
            ops = set[Operation](nest.nest.body.block.ops)
            kept = [op for op in ops if isinstance(op, WriteOp) and op.target in self.rows.kept]
            body.write(nest.nest.body.block, ops.difference(kept))
            for op in kept:
                self.vectors[op.target, index] = body.vector_at(body.value(op.value), 0, 0)
            return ()

        high = self.writer.extent(lanes.size)
        self.team.walk(0, high, divisor(lanes.size), (), at)

    def _body(
        self,
        nest: Analysis,
        tile: Tile,
        bases: dict[SSAValue, Bound],
        buffers: Mapping[SSAValue, SSAValue],
    ) -> NestWriter:
        ready = [
            Ready(op.result, frozenset((op,)), partial(self._found, access))
            for op, access in nest.accesses.items()
            if isinstance(op, ReadOp) and access.buffer in self.rows.kept
        ]
        body = NestWriter(self.writer, nest, tile, bases, buffers, ready)
        body.team = self.team
        return body

    def _found(self, access: Access, body: BodyWriter) -> Spread:
        """What the thread keeps where it stands."""
        ((_, number),) = access.op.access.data[-1].terms
        index = body.bases[access.op.indices[number]]
        return body.spread([self.vectors[access.buffer, index]], False, True)
