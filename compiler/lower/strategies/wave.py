"""The strategy `wave`: nests that each read what the one before wrote, a few rows behind it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from math import gcd, prod
from typing import ClassVar, Self, final

from xdsl.dialects.builtin import i1
from xdsl.ir import Block, IRNode, SSAValue

from stepwell.compiler.dialects.llvm.types import size, vector
from stepwell.compiler.dialects.loop.nests import KernelOp, NestOp, ReadOp, WriteOp
from stepwell.compiler.dialects.loop.scalar import SelectOp
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.dialects.loop.types import buffer, buffer_type, row_major
from stepwell.compiler.lower.analysis import Analysis, Axis, lanes_of
from stepwell.compiler.lower.bodies import Guard, Spread, Tile
from stepwell.compiler.lower.contraction import slice_of
from stepwell.compiler.lower.costs import TASKS
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.guards import is_bound
from stepwell.compiler.lower.strategies import base
from stepwell.compiler.lower.strategies.base import Refusal, Strategy
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

Bases = Mapping[SSAValue, Bound]


@final
@dataclass(frozen=True)
class Wave(Strategy):
    """Steps of a stencil: each follows the one before a few rows behind, whose last rows lie in the
    cache (D. Wonnacott, "Using time skewing to eliminate idle time due to memory bandwidth and
    network limitations", 2000; J. Ragan-Kelley et al., "Halide", 2013, on folding storage).

    `bytes` is the width of a vector. Each step in turn takes `rows`, positions of the first axis. A
    thread takes a `band` of the last step's rows, and of the other steps' what these need, so that
    neighbours compute some rows both.
    """

    name: ClassVar[str] = "wave"
    bytes: int = 64
    rows: int = ROWS
    band: int = 64

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        found = _reach(kernel)
        return found if isinstance(found, Refusal) else None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        waves = _Waves(cls(), kernel)
        row = waves.stride * size(waves.type)
        rows = max(ROWS, 1 << (machine.l1 // 4 // row).bit_length() >> 1)
        shared = len(waves.locals) * waves.halo
        bands = max(1, min(TASKS, waves.count // max(rows, OVERLAP * shared)))
        band = -(-waves.count // (1 << bands.bit_length() - 1))
        return cls(machine.vector_bytes, rows, band)

    def workspace(self, kernel: KernelOp) -> Size:
        waves = _Waves(self, kernel)
        return base.buffer_bytes(waves.memory) * waves.bands

    def expand(self, kernel: KernelOp) -> None:
        waves = _Waves(self, kernel)
        with base.expanding(kernel) as writer:
            writer.parallel(waves.bands, partial(waves.write, writer))

    def between(self, kernel: KernelOp) -> int:
        """Bytes that lie between two steps, for each thread."""
        waves = _Waves(self, kernel)
        return waves.ring * size(waves.type)


def _reach(kernel: KernelOp) -> tuple[int, int] | Refusal:
    """How many rows before and behind its own a row of a step needs of the step before."""
    nests, locals, output = kernel.nests, kernel.locals, kernel.results_written[0]
    if not locals or len(nests) != len(locals) + 1:
        return Refusal("its nests do not each leave one array to the next")
    shape, needed = nests[0].sizes.data, {0}
    if not shape or None in {each.static for each in shape} or (shape[0].static or 0) < 2:
        return Refusal("it has no rows, or sizes that are not known")
    types = {*locals.values(), buffer_type(output)}
    types |= {buffer(nest.sizes.data, each.element) for nest in nests for each in types}
    if len(types) > 1:
        return Refusal("the arrays that nests leave are not alike")
    for nest, source, target in zip(nests, (None, *locals), (*locals, output), strict=True):
        ops = [*nest.body.block.ops]
        if any(op.regions for op in ops):
            return Refusal("an element takes a loop")
        reads = [op for op in ops if isinstance(op, ReadOp)]
        if not {op.source for op in reads} <= {*kernel.inputs, source}:
            return Refusal("a nest reads what the one before it did not write")
        writes = [(op.target, _shifts(op, nest)) for op in ops if isinstance(op, WriteOp)]
        if writes != [(target, [0] * len(shape))]:
            return Refusal("a nest does not write each element of one array")
        read = [_shifts(op, nest) for op in reads if op.source is source]
        if not all(read):
            return Refusal("an array is not read at constant shifts")
        needed.update(rows for rows, *_ in read)
    return -min(needed), max(needed)


def _shifts(op: ReadOp | WriteOp, nest: NestOp) -> list[int]:
    """What the indices add to the nest's axes; nothing if they are anything else."""
    found = [
        affine.offset.static
        for affine, axis in zip(op.access.data, nest.axes, strict=False)
        if [(factor, op.indices[number]) for factor, number in affine.terms] == [(ONE, axis)]
    ]
    known = [each for each in found if each is not None]
    return known if len(known) == len(nest.axes) else []


@final
class _Waves:
    """A kernel that fits, taken apart.

    Between two steps lies a ring: the rows of the round before that are read again, then those of
    this round. Its rows are a vector longer than those of the arrays, as at distances of 4 KB all
    would have the same few places in the first cache.
    """

    def __init__(self, plan: Wave, kernel: KernelOp):
        self.plan, self.kernel = plan, kernel
        self.nests, self.locals = kernel.nests, [*kernel.locals]
        reach = _reach(kernel)
        assert not isinstance(reach, Refusal)
        self.before, self.after = reach
        self.halo, self.type = sum(reach), buffer_type(self.locals[0]).element
        self.count, *inner = (each.static or 0 for each in self.nests[0].sizes.data)
        self.bands = -(-self.count // plan.band)
        pad = plan.bytes // size(self.type)
        padded = [*inner[:-1], inner[-1] + pad] if inner else []
        self.strides, self.stride = row_major((ONE, *map(Size.of, padded))), prod(padded)
        self.ring = (self.halo + plan.rows) * self.stride + pad
        self.memory = buffer((Size.of(len(self.locals) * self.ring),), self.type)
        self.source, self.target = Block(arg_types=[INDEX] * 2).args
        """They stand for where row 0 would lie if all rows had a place in a step's rings."""

    def write(self, writer: Writer, number: Bound) -> None:
        """A band of the last step's rows, and of the others what these need."""
        writer.location, last = self.kernel.location, len(self.locals)
        place = writer.multiply(number, base.buffer_bytes(self.memory))
        ring = writer.view(self.kernel.arguments[-1], place, self.memory)
        low = writer.multiply(number, self.plan.band)
        high = writer.smaller(writer.add(low, self.plan.band), self.count)
        steps = {kind: _Step(self, writer, kind, ring) for kind in self._kinds()}

        def turns(row: Bound) -> None:
            for kind, following in pairwise((*steps, last + 1)):
                writer.each(kind, following, partial(steps[kind].write, row, low, high))

        first = writer.larger(writer.add(low, -last * self.before), 0)
        writer.each(first, writer.add(high, last * self.after), turns, self.plan.rows)

    def _kinds(self) -> Iterator[int]:
        """The nests that are not like the one before, but for their rings."""
        home = self.kernel.body.block
        for number, nest in enumerate(self.nests):
            rings = dict(pairwise(self.locals[max(0, number - 2) : number + 1]))
            alike: dict[IRNode | SSAValue, IRNode | SSAValue] = {home: home, **rings}
            if number < 2 or not self.nests[number - 1].is_structurally_equivalent(nest, alike):
                yield number


@final
class _Step:
    """One step, or several that are alike, from the first of them on."""

    def __init__(self, waves: _Waves, writer: Writer, number: int, ring: SSAValue):
        self.waves, self.writer, self.ring = waves, writer, ring
        self.turn, nest = waves.plan.rows, waves.nests[number]
        self.nest, self.block = Analysis(nest), nest.body.block
        self.nest.computed_with.add(nest.axes[0])
        self.rings = dict.fromkeys(waves.locals, ring)
        if number > 0:
            self.nest.relocate(waves.locals[number - 1], waves.strides, waves.source)
        if number < len(waves.locals):
            self.nest.relocate(waves.locals[number], waves.strides, waves.target)
        _, *self.inner = self.nest.axes()
        self.axes = dict.fromkeys(nest.axes, 0)
        self.rows, self.lanes = (self.nest.axes()[number].value for number in (0, -1))
        asked = [op.condition for op in self.block.ops if isinstance(op, ReadOp | SelectOp)]
        is_known = partial(self.nest.is_known, self.axes.keys())
        self.conditions = [x for x in dict.fromkeys(asked) if x and is_bound(x, is_known)]
        self.width = lanes_of(self.nest.types, waves.plan.bytes)
        if not self.inner:
            self.width = gcd(self.turn, self.width)

    def write(self, row: Bound, low: Bound, high: Bound, number: Bound) -> None:
        """The next rows of step `number`, where the first one goes on at `row`, as far as the band
        needs them; then what the step has read of its ring and reads again goes to its front."""
        waves, writer = self.waves, self.writer
        writer.location = self.nest.nest.location
        left = writer.subtract(len(waves.locals), number)
        begin = writer.subtract(row, writer.multiply(number, waves.after))
        low = writer.subtract(low, writer.multiply(left, waves.before))
        high = writer.add(high, writer.multiply(left, waves.after))
        first = writer.larger(begin, writer.larger(low, 0))
        last = writer.smaller(writer.add(begin, self.turn), writer.smaller(high, waves.count))
        ring, place = writer.multiply(number, waves.ring), writer.multiply(begin, waves.stride)
        target = writer.add(writer.subtract(ring, place), waves.halo * waves.stride)
        source = writer.add(target, -waves.ring - waves.after * waves.stride)
        self._along(self.inner, {waves.source: source, waves.target: target}, first, last)
        if number != 0:
            self._keep(writer.add(ring, -waves.ring))

    def _keep(self, ring: Bound) -> None:
        width, stride = self.width, self.waves.stride

        def some(place: Bound) -> None:
            old = self.writer.add(place, self.turn * stride)
            value = self.writer.reload(self.ring, old, vector(self.waves.type, width))
            self.writer.store(value, self.ring, place)

        self.writer.each(ring, self.writer.add(ring, self.waves.halo * stride), some, width)

    def _along(self, axes: Sequence[Axis], bases: Bases, first: Bound, last: Bound) -> None:
        """The rows at each position of the other axes, of the last one at each vector."""
        if not axes:
            return self._write(bases, first, last)

        def inside(index: Bound) -> None:
            self._along(axes[1:], {**bases, axes[0].value: index}, first, last)

        step = 1 if axes[1:] else self.width
        return self.writer.each(0, axes[0].size.static or 0, inside, step, runs=True)

    def _write(self, bases: Bases, first: Bound, last: Bound) -> None:
        """Rows of a vector; or, where a row is an element, these elements. If they are all of a
        round, and all conditions hold at the corners, that goes in tiles that do not ask them."""
        writer, width, conditions = self.writer, self.width, self.conditions
        end = writer.add(first, self.turn)
        low, past, bound, step = first, end, last, width
        tiled = Tile(width, self.lanes, (None,) * gcd(self.turn // width, VECTORS))
        if self.inner:
            low, bound = bases[self.lanes], self.inner[-1].size.static or 0
            past, step = writer.add(low, width), 1
            tiled = Tile(width, self.lanes, (None,), self.rows, gcd(self.turn, HEIGHT))
        holds = [writer.compare("eq", last, end), writer.compare("le", past, bound)]
        for corner in product((low, writer.add(past, -1)), (first, writer.add(end, -1))):
            at = dict(zip((self.lanes, self.rows), corner, strict=True))
            body = self._body(Tile(), {**bases, **at})
            body.write(self.block, slice_of(conditions))
            holds += [body.value(each).at(0, 0) for each in conditions]

        def tile(row: Bound) -> None:
            body = self._body(tiled, {**bases, self.rows: row})
            for each in conditions:
                body.guards[each] = Guard(holds=True)
                body.define(each, Spread((writer.constant(1, i1),)))
            writes = [op for op in self.block.ops if isinstance(op, WriteOp)]
            behind = slice_of((op.value for op in writes), conditions)
            body.write(self.block, {*writes, *behind})

        def single(row: Bound) -> None:
            mask = writer.mask(low if self.inner else row, bound, width)
            body = self._body(Tile(width, self.lanes, (mask,)), {**bases, self.rows: row})
            body.write(self.block)

        forth = step * tiled.height * tiled.vectors
        tiles = partial(writer.each, first, end, tile, forth, runs=True)
        writer.branch(writer.all_of(holds), tiles, partial(writer.each, first, last, single, step))

    def _body(self, tile: Tile, bases: Bases) -> NestWriter:
        return NestWriter(self.writer, self.nest, tile, {**self.axes, **bases}, self.rings)
