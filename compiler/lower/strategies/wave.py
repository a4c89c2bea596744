"""The strategy `wave`: nests that each read what the one before wrote, a few rows behind it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from math import gcd, prod
from typing import ClassVar, Self, final

from xdsl.dialects import arith
from xdsl.ir import Block, IRNode, SSAValue

from stepwell.compiler.dialects.llvm.types import size, vector
from stepwell.compiler.dialects.loop.nests import KernelOp, NestOp, ReadOp, WriteOp
from stepwell.compiler.dialects.loop.scalar import SelectOp
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import buffer, buffer_type, row_major
from stepwell.compiler.lower.analysis import Analysis, Axis, lanes_of
from stepwell.compiler.lower.bodies import Tile
from stepwell.compiler.lower.contraction import slice_of
from stepwell.compiler.lower.costs import TASKS
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.guards import is_bound
from stepwell.compiler.lower.intervals import Interval
from stepwell.compiler.lower.strategies import base
from stepwell.compiler.lower.strategies.base import Refusal, Strategy
from stepwell.compiler.lower.tiling import NestLoops, Tiling
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

VECTORS, HEIGHT = 4, 4
"""Vectors of a tile where a row is an element; rows of one where it is longer, of which a vector is
loaded once for all that read it."""
ROWS = 8
"""Rows that a step takes in turn, or more if they are short: what is read of the ring for each of
them gets less, and so does what is kept."""
OVERLAP = 16
"""A band has so many times the rows that its neighbours compute, too."""
SOME = Size.of("some")
"""The length of an interval of which nothing is known."""

Bases = Mapping[SSAValue, Bound]


@final
@dataclass(frozen=True)
class Wave(Strategy):
    """Steps of a stencil: each follows the one before a few rows behind, whose last rows lie in the
    cache (D. Wonnacott, "Using time skewing to eliminate idle time due to memory bandwidth and
    network limitations", 2000; J. Ragan-Kelley et al., "Halide", 2013, on folding storage).

    `bytes` is the width of a vector. Each step in turn takes `rows`, positions of the first axis. A
    thread takes one of `bands` of the last step's rows, and of the other steps' what these need, so
    that neighbours compute some rows both.
    """

    name: ClassVar[str] = "wave"
    bytes: int = 64
    rows: int = ROWS
    bands: int = 1

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        locals = base.locals_of(kernel)
        if not locals or len(base.nests_of(kernel)) != len(locals) + 1 or kernel.outputs.data != 1:
            return Refusal("its nests do not each leave one array to the next")
        return next((each for each in _reaches(kernel) if isinstance(each, Refusal)), None)

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        waves = _Waves(cls(), kernel)
        rows = rows_at_once(waves.stride * size(waves.type), machine)
        bands = waves.count // max(rows, OVERLAP * len(waves.locals) * waves.halo)
        return cls(machine.vector_bytes, rows, 1 << min(TASKS, max(1, bands)).bit_length() - 1)

    def workspace(self, kernel: KernelOp) -> Size:
        waves = _Waves(self, kernel)
        return base.buffer_bytes(waves.memory) * waves.bands

    def expand(self, kernel: KernelOp) -> None:
        waves = _Waves(self, kernel)
        with base.expanding(kernel) as writer:
            writer.parallel(waves.bands, partial(waves.write, writer))


def rows_at_once(row: int, machine: Machine) -> int:
    """Of so many bytes: what a quarter of the first cache holds, or some."""
    return max(ROWS, 1 << (machine.l1 // 4 // row).bit_length() >> 1)


def reach(nest: NestOp, source: SSAValue | None, target: SSAValue) -> tuple[int, int] | Refusal:
    """How many rows before and behind its own each row of a nest reads of `source`, apart from
    which it reads what no nest writes."""
    ops, shape, kernel = [*nest.body.block.ops], nest.sizes.data, nest.parent_op()
    reads = [op for op in ops if isinstance(op, ReadOp)]
    writes = [op for op in ops if isinstance(op, WriteOp)]
    if any(op.regions for op in ops):
        return Refusal("an element takes a loop")
    if any(each.static is None for each in shape) or not shape or (shape[0].static or 0) < 2:
        return Refusal("it has no rows, or sizes that are not known")
    assert isinstance(kernel, KernelOp)
    if not {op.source for op in reads} <= {*kernel.inputs, source}:
        return Refusal("a nest reads what the one before it did not write")
    type = buffer(shape, buffer_type(target).element)
    if {buffer_type(source or target), buffer_type(target)} != {type}:
        return Refusal("the arrays that nests leave are not alike")
    written = [_shifts(op, nest) for op in writes]
    if [op.target for op in writes] != [target] or written != [[0] * len(shape)]:
        return Refusal("a nest does not write each element of one array")
    read = [_shifts(op, nest) for op in reads if op.source is source]
    if not all(read):
        return Refusal("an array is not read at constant shifts")
    rows = [0, *(each[0] for each in read)]
    return -min(rows), max(rows)


def _shifts(op: ReadOp | WriteOp, nest: NestOp) -> list[int]:
    """What the indices add to the nest's axes; nothing if they are anything else."""
    found = [
        affine.offset.static
        for affine, axis in zip(op.access.data, nest.axes, strict=False)
        if [(factor, op.indices[number]) for factor, number in affine.terms] == [(ONE, axis)]
    ]
    known = [each for each in found if each is not None]
    return known if len(known) == len(nest.axes) else []


def _reaches(kernel: KernelOp) -> list[tuple[int, int] | Refusal]:
    locals = list(base.locals_of(kernel))
    ends = zip((None, *locals), (*locals, kernel.results_written[0]), strict=True)
    return [reach(nest, *each) for nest, each in zip(base.nests_of(kernel), ends, strict=True)]


@final
class _Waves:
    """A kernel that fits, taken apart.

    Between two steps lies a ring: the rows of the round before that are read again, then those of
    this round. Its rows are a vector longer than those of the arrays, as at distances of 4 KB all
    would have the same few places in the first cache.
    """

    def __init__(self, plan: Wave, kernel: KernelOp):
        self.plan, self.kernel, self.rows = plan, kernel, plan.rows
        self.nests, self.locals = base.nests_of(kernel), [*base.locals_of(kernel)]
        self.count, *inner = (each.static or 0 for each in self.nests[0].sizes.data)
        reaches = [each for each in _reaches(kernel) if not isinstance(each, Refusal)]
        self.before, self.after = (max(each) for each in zip(*reaches, strict=True))
        self.halo, self.type = self.before + self.after, buffer_type(self.locals[0]).element
        self.band = -(-self.count // max(1, plan.bands))
        self.bands = -(-self.count // self.band)
        pad = plan.bytes // size(self.type)
        padded = [*inner[:-1], inner[-1] + pad] if inner else []
        self.strides, self.stride = row_major((ONE, *map(Size.of, padded))), prod(padded)
        self.ring = (self.halo + self.rows) * self.stride + pad
        self.memory = buffer((Size.of(len(self.locals) * self.ring),), self.type)
        block = Block(arg_types=[INDEX] * 3)
        self.first, self.source, self.target = block.args
        """They stand for the row from which on a step counts, and for where its rings begin."""

    def write(self, writer: Writer, band: Bound) -> None:
        """The rows of the last step that a thread takes, and of the others what these need."""
        writer.location = self.kernel.location
        place = writer.multiply(band, base.buffer_bytes(self.memory))
        ring = base.view(writer, self.kernel.arguments[-1], place, self.memory)
        low = writer.multiply(band, self.band)
        high = writer.smaller(writer.add(low, self.band), self.count)
        first = writer.larger(writer.add(low, -len(self.locals) * self.before), 0)
        steps = {kind: _Step(self, writer, kind, ring) for kind in self._kinds()}

        def turns(row: Bound) -> None:
            for kind, following in pairwise((*steps, len(self.nests))):
                writer.each(kind, following, partial(steps[kind].write, row, low, high))

        writer.each(first, writer.add(high, len(self.locals) * self.after), turns, self.rows)

    def _kinds(self) -> Iterator[int]:
        """The nests that are not like the one before, but for their rings."""
        home = self.kernel.body.block
        for number, nest in enumerate(self.nests):
            rings = dict(pairwise(self.locals[max(0, number - 2) : number + 1]))
            alike: dict[IRNode | SSAValue, IRNode | SSAValue] = {home: home, **rings}
            ends = number in (0, 1, len(self.locals))
            if ends or not self.nests[number - 1].is_structurally_equivalent(nest, alike):
                yield number


@final
class _Step:
    """One step, or several that are alike, from the first of them on."""

    def __init__(self, waves: _Waves, writer: Writer, number: int, ring: SSAValue):
        self.waves, self.writer, self.ring, nest = waves, writer, ring, waves.nests[number]
        self.nest = Analysis(nest, {nest.axes[0]: waves.first})
        self.nest.computed_with.add(nest.axes[0])
        self.rings: dict[SSAValue, SSAValue] = {local: ring for local in waves.locals}
        places = (None, *waves.locals, None)[number : number + 2]
        for local, place in zip(places, (waves.source, waves.target), strict=True):
            if local is not None:
                self.nest.relocate(local, waves.strides, place)
        self.axes = self.nest.axes()
        self.rows, self.lanes = self.axes[0], self.axes[-1]
        self.width = lanes_of(self.nest.types, waves.plan.bytes)
        self.length = self.lanes.size.static or 0
        self.low, self.high = self.width, (self.length - 1) // self.width * self.width
        if self.rows is self.lanes:
            self.low, self.high = 0, waves.rows
        self.conditions = list(dict.fromkeys(_bounds(self.nest)))

    def write(self, row: Bound, low: Bound, high: Bound, number: Bound) -> None:
        """The next rows of step `number`, where the first one goes on at `row`, as far as the band
        needs them; then what the step has read of its ring and reads again goes to its front."""
        waves, writer = self.waves, self.writer
        writer.location = self.nest.nest.location
        left = writer.subtract(len(waves.locals), number)
        begin = writer.subtract(row, writer.multiply(number, waves.after))
        first = writer.subtract(low, writer.multiply(left, waves.before))
        first = writer.larger(begin, writer.larger(first, 0))
        last = writer.smaller(writer.add(high, writer.multiply(left, waves.after)), waves.count)
        last = writer.smaller(writer.add(begin, waves.rows), last)
        count = writer.larger(writer.subtract(last, first), 0)
        ring, place = writer.multiply(number, waves.ring), writer.multiply(begin, waves.stride)
        target = writer.add(writer.subtract(ring, place), waves.halo * waves.stride)
        source = writer.add(target, -waves.ring - waves.after * waves.stride)
        bases: Bases = {waves.first: first, waves.source: source, waves.target: target}
        self._along(self.axes[1:-1], bases, count)
        if number != 0:
            self._keep(writer.add(ring, -waves.ring))

    def _keep(self, ring: Bound) -> None:
        width, kept = self.width, self.waves.halo * self.waves.stride

        def some(place: Bound) -> None:
            old = self.writer.add(place, self.waves.rows * self.waves.stride)
            value = self.writer.reload(self.ring, old, vector(self.waves.type, width))
            self.writer.store(value, self.ring, place)

        self.writer.each(ring, self.writer.add(ring, kept), some, width)

    def _along(self, axes: Sequence[Axis], bases: Bases, count: Bound) -> None:
        """The rows at each position of the axes between them and their elements."""
        if not axes:
            return self._write(bases, count)

        def inside(index: Bound) -> None:
            self._along(axes[1:], {**bases, axes[0].value: index}, count)

        return self.writer.each(0, axes[0].size.static or 0, inside, runs=True)

    def _write(self, bases: Bases, count: Bound) -> None:
        """So many rows: all of a round in tiles, apart from both ends, where at their corners all
        conditions hold."""
        writer, length, high = self.writer, self.length, self.high
        if high <= self.low:
            return self._singly(bases, count, 0, length)
        inside = self._is_inside(bases, count)
        writer.branch(inside, partial(self._tiles, bases), lambda: None)

        def either(first: Bound, second: Bound) -> Bound:
            return writer.select(inside, writer.value(first), writer.value(second))

        if self.rows is self.lanes:
            return self._singly(bases, count, 0, either(0, count))

        def end(side: Bound) -> None:
            most = writer.add(writer.multiply(side, length - self.low), self.low)
            none = writer.subtract(length, writer.multiply(side, length))
            low = either(writer.multiply(side, high), 0)
            self._singly(bases, count, low, either(most, none))

        return writer.each(0, 2, end)

    def _is_inside(self, bases: Bases, count: Bound) -> SSAValue:
        holds = [self.writer.compare("eq", count, self.waves.rows)]
        block, needed = self.nest.nest.body.block, slice_of(self.conditions)
        for row, lane in product({0, self.waves.rows - 1}, {self.low, self.high - 1}):
            at = {**dict.fromkeys(self.nest.nest.axes, 0), **bases}
            at |= {self.rows.value: row, self.lanes.value: lane}
            body = NestWriter(self.writer, self.nest, Tile(), at, self.rings)
            body.write(block, needed)
            holds += [body.value(each).at(0, 0) for each in self.conditions]
        return self.writer.all_of(holds)

    def _tiles(self, bases: Bases) -> None:
        rows, lanes, count = self.rows, self.lanes, self.waves.rows
        tiling = Tiling((rows, lanes), self.width, lanes, 1, rows, gcd(count, HEIGHT))
        if rows is lanes:
            tiling = Tiling((lanes,), self.width, lanes, VECTORS)
        intervals = {lanes.value: Interval(self.low, self.high, self.width, Size.of(self.high))}
        intervals[rows.value] = Interval(0, count, count, Size.of(count))
        self._loops(tiling, bases, self.conditions).write(intervals)

    def _singly(self, bases: Bases, count: Bound, low: Bound, high: Bound) -> None:
        """Vector by vector, and each asks the conditions."""
        rows, lanes, alone = self.rows, self.lanes, self.rows is self.lanes
        tiling = Tiling(tuple(dict.fromkeys((rows, lanes))), self.width, lanes)
        unit, length = (1, SOME) if alone else (gcd(self.length, self.width), lanes.size)
        intervals = {rows.value: Interval(0, count, 1, SOME)}
        intervals[lanes.value] = Interval(low, high, unit, length)
        self._loops(tiling, bases).write(intervals)

    def _loops(self, tiling: Tiling, bases: Bases, holds: Sequence[SSAValue] = ()) -> NestLoops:
        return NestLoops(self.writer, self.nest, tiling, self.rings, bases, holds=holds)


def _bounds(nest: Analysis) -> Iterator[SSAValue]:
    """The conditions of a body that bound its axes."""
    axes = {*nest.nest.axes, *nest.starts.values()}

    def is_affine(value: SSAValue) -> bool:
        index = nest.affines.get(value)
        return index.terms.keys() <= axes if index else isinstance(value.owner, arith.ConstantOp)

    for op in nest.nest.body.block.ops:
        condition = op.condition if isinstance(op, ReadOp | SelectOp) else None
        if condition is not None and is_bound(condition, is_affine):
            yield condition
