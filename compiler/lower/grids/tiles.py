"""The strategy `tiles`: matrix products by blocks of threads, which share what they read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import islice
from math import prod
from typing import ClassVar, Self, final

from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import Combine, Parameter
from stepwell.compiler.lower.analysis import Analysis, Axis, divisor
from stepwell.compiler.lower.bodies import BodyWriter, Ready, Spread, Tile, masks
from stepwell.compiler.lower.combine import identity, join, take
from stepwell.compiler.lower.contraction import Contraction, contraction_of
from stepwell.compiler.lower.costs import length
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.grids.blocks import in_blocks, share, wait
from stepwell.compiler.lower.grids.staging import DEPTH, WIDTH, Stages
from stepwell.compiler.lower.shuffles import shuffle
from stepwell.compiler.lower.strategies.base import (
    Refusal,
    Strategy,
    expanding,
    locals_of,
    nests_of,
)
from stepwell.compiler.lower.strategies.gemm import contraction_in
from stepwell.compiler.lower.tiling import unless_empty
from stepwell.compiler.lower.writer import ZERO, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

SIDE = 8
"""Rows and lanes of the outputs of a thread."""
DOWN, ACROSS = 4, 8
"""How the threads of a warp stand."""
SHAPES = ((128, 128), (64, 128), (64, 64), (32, 64))
"""Rows and lanes of blocks: whole warps."""
ENOUGH = 128
"""Blocks that keep a card busy: about as many as it has multiprocessors."""
FEW = 16
"""Rows, lanes and products for which a block is not worth while."""


@final
@dataclass(frozen=True)
class Tiles(Strategy):
    """A block of threads computes `rows` by `lanes` outputs, each thread eight by eight in
    registers. What both factors have for the next products, the threads bring into shared memory
    together, while they work on what they have brought before."""

    name: ClassVar[str] = "tiles"
    rows: int = 128
    lanes: int = 128

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        nests = nests_of(kernel)
        if len(nests) != 1 or locals_of(kernel):
            return Refusal("it is not one nest")
        found = contraction_of(Analysis(nests[0]))
        if isinstance(found, str):
            return Refusal(found)
        fold = found.fold
        if fold.order.data.kind != "serial" or fold.results[0].type != f32:
            return Refusal("its products are not summed in f32")
        if fold.order.data.chunk % DEPTH:
            return Refusal(f"its chunks are not multiples of {DEPTH}")
        if fold in found.analysis.guards or not (found.left.may_pack and found.right.may_pack):
            return Refusal("there are rows or products that are left out")
        if not (found.depth.bounds(kernel.symbols.ranges)[0] or 0) > 0:
            return Refusal("there may be no products")
        sizes = [found.depth, found.lanes.size, *([found.rows.size] if found.rows else [])]
        if len(sizes) < 3 or min(map(length, sizes)) < FEW:
            return Refusal("it is not a product of matrices of some size")
        return None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        contraction = contraction_in(kernel)
        plans = [cls(*shape) for shape in SHAPES]
        return next((plan for plan in plans if plan.blocks(contraction) >= ENOUGH), plans[-1])

    @classmethod
    def allows(cls, name: str, value: Parameter) -> bool:
        """Rows and lanes are those of one of the known shapes."""
        names = {"rows": {shape[0] for shape in SHAPES}, "lanes": {shape[1] for shape in SHAPES}}
        return value in names.get(name, set())

    def blocks(self, contraction: Contraction) -> int:
        return length(prod(self.counts(contraction), start=Size.of(1)))

    def step(self, contraction: Contraction, axis: Axis) -> int:
        """How far a block goes along an axis."""
        return {contraction.rows: self.rows, contraction.lanes: self.lanes}.get(axis, 1)

    def counts(self, contraction: Contraction) -> list[Size]:
        """Blocks along each axis."""
        steps = [(axis.size, self.step(contraction, axis)) for axis in contraction.axes]
        return [(size + (step - 1)) // step for size, step in steps]

    def workspace(self, kernel: KernelOp) -> Size:
        return ZERO

    def expand(self, kernel: KernelOp) -> None:
        contraction = contraction_in(kernel)
        nest, threads = contraction.analysis.nest, self.rows * self.lanes // (SIDE * SIDE)

        def block(writer: Writer, block: Bound, thread: Bound) -> None:
            _Block(writer, self, contraction, block, thread).write()

        with expanding(kernel) as writer:
            writer.location = nest.location

            def launch() -> None:
                counts = map(writer.extent, self.counts(contraction))
                in_blocks(writer, reduce(writer.product, counts), threads, block)

            unless_empty(writer, nest.sizes.data, kernel.symbols.ranges, launch)


@final
class _Block:
    """What a thread does with its block."""

    def __init__(
        self, writer: Writer, plan: Tiles, contraction: Contraction, block: Bound, thread: Bound
    ) -> None:
        self.writer, self.contraction, self.thread = writer, contraction, thread
        self.nest, self.fold = contraction.analysis, contraction.fold
        assert contraction.rows is not None
        self.rows, self.lanes = contraction.rows, contraction.lanes
        places = writer.unravel(block, plan.counts(contraction))
        self.bases: dict[SSAValue, Bound] = dict.fromkeys(self.nest.nest.axes, 0)
        for axis, place in zip(contraction.axes, places, strict=True):
            self.bases[axis.value] = writer.multiply(place, plan.step(contraction, axis))
        self.shape = {self.rows: plan.rows, self.lanes: plan.lanes}
        threads = plan.rows * plan.lanes // (SIDE * SIDE)
        both = (self.rows, contraction.left, 0.0), (self.lanes, contraction.right, -0.0)
        self.stages = [
            Stages(contraction, factor, axis, self.shape[axis], threads, outside)
            for axis, factor, outside in both
        ]
        self.shared = [share(writer, each.count, f32) for each in self.stages]
        self.own = self._own(plan.lanes)

    def _own(self, lanes: int) -> Mapping[Axis, Sequence[Bound]]:
        """Where in the block the thread's rows and lanes begin: four at each place, so that the
        threads of a warp read what lies side by side."""
        writer, warp = self.writer, DOWN * ACROSS
        lane, number = (f(self.thread, warp) for f in (writer.remainder, writer.quotient))
        beside = lanes // (ACROSS * SIDE)
        down = writer.affine([(Size.of(DOWN), writer.quotient(number, beside))])
        across = writer.affine([(Size.of(ACROSS), writer.remainder(number, beside))])
        row = writer.add(down, writer.quotient(lane, ACROSS))
        column = writer.add(across, writer.remainder(lane, ACROSS))
        return {
            axis: [
                writer.add(writer.multiply(place, WIDTH), first)
                for first in range(0, self.shape[axis], self.shape[axis] * WIDTH // SIDE)
            ]
            for axis, place in ((self.rows, row), (self.lanes, column))
        }

    def write(self) -> None:
        with self.writer.memory():
            self._put(self._fetched(0), 0)
            wait(self.writer)
            sums = self._sums()
            ends = [axis for axis in self.shape if divisor(axis.size) % self.shape[axis]]
            whole, cut = (partial(self._results, sums, cut=each) for each in (False, True))
            if ends:
                self.writer.branch(self._inside(ends), whole, cut)
            else:
                whole()

    def _inside(self, ends: Sequence[Axis]) -> SSAValue:
        """Whether all of the block lies inside along some axes."""
        writer = self.writer
        firsts = [writer.add(self.bases[axis.value], self.shape[axis]) for axis in ends]
        pairs = zip(firsts, (writer.extent(axis.size) for axis in ends), strict=True)
        return writer.all_of([writer.compare("le", *map(writer.value, pair)) for pair in pairs])

    # Sums.

    def _sums(self) -> Sequence[SSAValue]:
        """For each row of the thread, its lanes in vectors, summed in the order of the fold."""
        writer, chunk, depth = self.writer, self.fold.order.data.chunk, self.contraction.depth
        high, type = writer.extent(depth), self.fold.results[0].type
        count = SIDE * SIDE // WIDTH
        ((neutral, _),) = identity(Combine.FMA, [type])
        start = [writer.splat(writer.constant(neutral, type), WIDTH)] * count
        if chunk == 0 or (depth.static is not None and depth.static <= chunk):
            return writer.loop(0, high, DEPTH, start, self._stage, runs=True)

        def part(low: Bound, totals: Sequence[SSAValue]) -> Sequence[SSAValue]:
            end = writer.smaller(writer.add(low, chunk), high)
            sums = writer.loop(low, end, DEPTH, start, self._stage, runs=True)
            pairs = zip(totals, sums, strict=True)
            return [join(writer, Combine.FMA, [total], [each])[0] for total, each in pairs]

        nothing = [writer.splat(writer.constant(-0.0, type), WIDTH)] * count
        return writer.loop(0, high, chunk, nothing, part, runs=True)

    def _stage(self, first: Bound, sums: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """The sums after the products of a stage, the next one's factors on their way."""
        writer = self.writer
        next = writer.add(first, DEPTH)
        parity = writer.quotient(first, DEPTH)
        half = writer.low_bits(parity, 2)
        fetched = self._fetched(next)
        for position in range(DEPTH):
            sums = self._products(half, position, sums)
        self._put(fetched, writer.subtract(1, half))
        wait(writer)
        return sums

    def _products(self, half: Bound, position: int, sums: Sequence[SSAValue]) -> Sequence[SSAValue]:
        writer = self.writer
        left, right = (
            [
                stages.read(writer, shared, writer.multiply(half, stages.half), at, position)
                for at in self.own[stages.axis]
            ]
            for stages, shared in zip(self.stages, self.shared, strict=True)
        )
        rows = [
            shuffle(writer, each, each, [lane] * WIDTH) for each in left for lane in range(WIDTH)
        ]
        pairs = [(row, lanes) for row in rows for lanes in right]
        return [
            take(writer, Combine.FMA, [total], pair)[0]
            for total, pair in zip(sums, pairs, strict=True)
        ]

    # Factors.

    def _fetched(self, first: Bound) -> Sequence[SSAValue]:
        """The thread's vectors of the stage that begins there, which may lie behind the last."""
        writer, depth = self.writer, self.contraction.depth

        def given(whole: bool) -> Sequence[SSAValue]:
            return [
                vector
                for stages in self.stages
                for vector in stages.fetch(writer, self.bases, self.thread, first, whole)
            ]

        if isinstance(first, int) and depth.static is not None and first + DEPTH <= depth.static:
            conditions = []
        else:
            end, high = writer.add(first, DEPTH), writer.extent(depth)
            conditions = [writer.compare("le", writer.value(end), writer.value(high))]
        if ends := [each.axis for each in self.stages if each.is_cut]:
            conditions.append(self._inside(ends))
        if not conditions:
            return given(True)
        inside = writer.all_of(conditions)
        return writer.branch(inside, partial(given, True), partial(given, False))

    def _put(self, fetched: Sequence[SSAValue], half: Bound) -> None:
        vectors = iter(fetched)
        for stages, shared in zip(self.stages, self.shared, strict=True):
            begin, own = self.writer.multiply(half, stages.half), islice(vectors, stages.vectors)
            stages.put(self.writer, shared, begin, self.thread, list(own))

    # Results.

    def _results(self, sums: Sequence[SSAValue], cut: bool) -> None:
        """What follows the sums, at the thread's places one after the other; in a block that is
        `cut`, some of them may lie outside."""
        writer, bases = self.writer, dict(self.bases)
        last = writer.extent(self.rows.size - 1) if cut else None
        for i, row in enumerate(self.own[self.rows]):
            for j, column in enumerate(self.own[self.lanes]):
                bases[self.rows.value] = writer.add(self.bases[self.rows.value], row)
                lane = bases[self.lanes.value] = writer.add(self.bases[self.lanes.value], column)
                high = writer.extent(self.lanes.size)
                inside = masks(writer, lane, high, WIDTH, 1) if cut else (None,)
                tile = Tile(WIDTH, self.lanes.value, inside, self.rows.value, WIDTH, last)
                across = len(self.own[self.lanes])
                found = sums[i * WIDTH * across + j : (i + 1) * WIDTH * across : across]
                ready = Ready(
                    self.fold.results[0], frozenset((self.fold,)), partial(_rows, tuple(found))
                )
                body = NestWriter(writer, self.nest, tile, bases, {}, [ready])
                write = partial(body.write, self.nest.nest.body.block)
                if last is None:
                    write()
                else:
                    first = writer.value(bases[self.rows.value])
                    begun = writer.compare("le", first, writer.value(last))
                    writer.branch(begun, write, lambda: None)


def _rows(values: tuple[SSAValue, ...], body: BodyWriter) -> Spread:
    return body.spread(values, True, True)
