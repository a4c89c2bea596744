"""A product of matrices by blocks: what each thread brings, multiplies, sums and writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import final

from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.types import Combine
from stepwell.compiler.lower.analysis import Axis, divisor
from stepwell.compiler.lower.bodies import BodyWriter, Ready, Spread, Tile, masks
from stepwell.compiler.lower.combine import join, take
from stepwell.compiler.lower.contraction import Contraction
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.grids.blocks import share, wait
from stepwell.compiler.lower.grids.guarded import GuardedRows
from stepwell.compiler.lower.grids.staging import DEPTH, WIDTH, Side, Stages, rows_of
from stepwell.compiler.lower.shuffles import shuffle
from stepwell.compiler.lower.writer import Bound, Writer
from stepwell.runtime.sizes import Size

SIDE = 8
"""Rows, and lanes, of a thread."""
COUNT = SIDE * SIDE // WIDTH
"""Vectors of its sums."""
LEFT, RIGHT = 0, 1
"""The factors, whose sides are the rows and the lanes."""
DOWN, ACROSS = 4, 8
"""How the threads of a warp stand."""


@final
@dataclass(frozen=True)
class Shape:
    """Rows and lanes of a block."""

    rows: int
    lanes: int

    @property
    def threads(self) -> int:
        return self.rows * self.lanes // (SIDE * SIDE)


@final
@dataclass(frozen=True, eq=False)
class Product:
    """A contraction, and the shape of its blocks. It `runs` if there are products, whatever the
    sizes."""

    contraction: Contraction
    shape: Shape
    runs: bool

    @cached_property
    def rows(self) -> Side:
        return rows_of(self.contraction)

    @cached_property
    def lanes(self) -> Side:
        return Side((self.contraction.lanes,))

    @cached_property
    def others(self) -> Sequence[Axis]:
        """The axes along which a block has one position."""
        own = (*self.rows.axes, *self.lanes.axes)
        return [axis for axis in self.contraction.axes if axis not in own]

    @cached_property
    def counts(self) -> list[Size]:
        """Blocks along the other axes, the rows and the lanes."""
        steps = (self.rows.size, self.shape.rows), (self.lanes.size, self.shape.lanes)
        blocks = [(size + (step - 1)) // step for size, step in steps]
        return [*(axis.size for axis in self.others), *blocks]

    @cached_property
    def stages(self) -> tuple[Stages, Stages]:
        """Of the left factor and of the right one. Zeros of both signs behind the fold's end have a
        product that changes no sum."""
        product, shape = self.contraction, self.shape
        return (
            Stages(product, product.left, self.rows, shape.rows, shape.threads, 0.0),
            Stages(product, product.right, self.lanes, shape.lanes, shape.threads, -0.0),
        )

    def write(self, writer: Writer, block: Bound, thread: Bound) -> None:
        """What a thread of a block does, by their numbers."""
        _Thread(writer, self, block, thread).write()


@final
class _Thread:
    """A thread at work on its block."""

    def __init__(self, writer: Writer, product: Product, block: Bound, thread: Bound) -> None:
        self.writer, self.product, self.thread = writer, product, thread
        self.contraction, self.fold = product.contraction, product.contraction.fold
        self.nest = self.contraction.analysis
        *others, row, lane = writer.unravel(block, product.counts)
        self.bases: dict[SSAValue, Bound] = dict.fromkeys(self.nest.nest.axes, 0)
        self.bases.update(zip((axis.value for axis in product.others), others, strict=True))
        shape = product.shape
        self.begins = writer.multiply(row, shape.rows), writer.multiply(lane, shape.lanes)
        self.shared = [share(writer, 2 * each.half, f32) for each in product.stages]
        guard = self.nest.guards.get(self.fold)
        self.guard = guard and GuardedRows(writer, product.stages[0], guard)
        self.own = self._own()

    def _own(self) -> tuple[Sequence[Bound], Sequence[Bound]]:
        """Where in the block the thread's rows and lanes begin: four at a place, so that the
        threads of a warp read what lies side by side."""
        writer, shape = self.writer, self.product.shape
        lane = writer.remainder(self.thread, DOWN * ACROSS)
        warp = writer.quotient(self.thread, DOWN * ACROSS)
        beside = shape.lanes // (ACROSS * SIDE)
        down = writer.multiply(writer.quotient(warp, beside), DOWN)
        across = writer.multiply(writer.remainder(warp, beside), ACROSS)
        row = writer.add(down, writer.quotient(lane, ACROSS))
        column = writer.add(across, writer.remainder(lane, ACROSS))
        return self._places(row, shape.rows), self._places(column, shape.lanes)

    def _places(self, number: Bound, length: int) -> Sequence[Bound]:
        first = self.writer.multiply(number, WIDTH)
        return [self.writer.add(first, n) for n in range(0, length, length * WIDTH // SIDE)]

    def write(self) -> None:
        writer, shape = self.writer, self.product.shape
        with writer.memory():
            if self.product.runs:
                self._fill()
            else:
                writer.branch(self._has_products(), self._fill, lambda: None)
            wait(writer)
            sums = self._sums()
            sides = (self.product.rows, shape.rows), (self.product.lanes, shape.lanes)
            ends = [n for n, (side, step) in enumerate(sides) if divisor(side.size) % step]
            whole, cut = (partial(self._results, sums, cut=each) for each in (False, True))
            if ends:
                writer.branch(writer.all_of(self._inside(ends)), whole, cut)
            else:
                whole()

    def _inside(self, sides: Sequence[int]) -> list[SSAValue]:
        """Whether all of the block lies inside along some sides."""
        writer, product = self.writer, self.product
        lengths = product.shape.rows, product.shape.lanes
        sizes = product.rows.size, product.lanes.size
        ends = [writer.add(self.begins[side], lengths[side]) for side in sides]
        highs = [writer.extent(sizes[side]) for side in sides]
        pairs = zip(map(writer.value, ends), map(writer.value, highs), strict=True)
        return [writer.compare("le", *pair) for pair in pairs]

    # Sums.

    def _sums(self) -> Sequence[SSAValue]:
        """For each row of the thread, its lanes in vectors, summed in the order of the fold."""
        writer, chunk, depth = self.writer, self.fold.order.data.chunk, self.contraction.depth
        high, start = writer.extent(depth), self._vectors(0.0)
        if chunk == 0 or (depth.static is not None and depth.static <= chunk):
            return writer.loop(0, high, DEPTH, start, self._stage, runs=self.product.runs)

        def part(low: Bound, totals: Sequence[SSAValue]) -> Sequence[SSAValue]:
            end = writer.smaller(writer.add(low, chunk), high)
            sums = writer.loop(low, end, DEPTH, start, self._stage, runs=True)
            pairs = zip(totals, sums, strict=True)
            return [join(writer, Combine.FMA, [total], [each])[0] for total, each in pairs]

        neutral = self._vectors(-0.0)
        if not self.product.runs:
            neutral = [writer.select(self._has_products(), neutral[0], start[0])] * COUNT
        return writer.loop(0, high, chunk, neutral, part, runs=self.product.runs)

    def _has_products(self) -> SSAValue:
        depth = self.writer.extent(self.contraction.depth)
        return self.writer.compare("gt", self.writer.value(depth), self.writer.value(0))

    def _vectors(self, number: float, count: int = COUNT) -> list[SSAValue]:
        return [self.writer.splat(self.writer.constant(number, f32), WIDTH)] * count

    def _stage(self, first: Bound, sums: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """The sums after the products of a stage. While one half of them is computed, the left
        factor for the next stage is on its way, and the right one in the other half."""
        writer, next = self.writer, self.writer.add(first, DEPTH)
        half = writer.low_bits(writer.quotient(first, DEPTH), 2)
        for number in (LEFT, RIGHT):
            fetched = self._fetched(number, next)
            begin = number * DEPTH // 2
            sums = self._multiplied(half, begin, begin + DEPTH // 2, sums)
            self._put(number, writer.subtract(1, half), fetched)
        self._ask(writer.subtract(1, half), next)
        wait(writer)
        return sums

    def _multiplied(
        self, half: Bound, low: int, high: int, sums: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """The sums after some positions of a stage; without the products of rows that are left
        out."""
        writer = self.writer

        def every() -> Sequence[SSAValue]:
            found = sums
            for position in range(low, high):
                found = self._products(half, position, found)
            return found

        if self.guard is None:
            return every()
        rows = self.guard.read(half, self.own[LEFT])
        where = [writer.splat(row, WIDTH) for row in rows for _ in range(COUNT // SIDE)]

        def some(position: Bound, sums: Sequence[SSAValue]) -> Sequence[SSAValue]:
            found = self._products(half, position, sums)
            return [writer.select(*each) for each in zip(where, found, sums, strict=True)]

        return writer.branch(
            writer.all_of(rows), every, lambda: writer.loop(low, high, 1, sums, some, runs=True)
        )

    def _products(
        self, half: Bound, position: Bound, sums: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """The sums after those of one position: each row's element times all the lanes'."""
        writer = self.writer
        left, right = (
            [
                stages.read(writer, shared, writer.multiply(half, stages.half), at, position)
                for at in own
            ]
            for stages, shared, own in zip(self.product.stages, self.shared, self.own, strict=True)
        )
        numbers = [[lane] * WIDTH for lane in range(WIDTH)]
        rows = [shuffle(writer, each, each, number) for each in left for number in numbers]
        terms = [(row, lanes) for row in rows for lanes in right]
        pairs = zip(sums, terms, strict=True)
        return [take(writer, Combine.FMA, [total], pair)[0] for total, pair in pairs]

    # Factors.

    def _fill(self) -> None:
        """Bring the first stage."""
        for number in (LEFT, RIGHT):
            self._put(number, 0, self._fetched(number, 0))
        self._ask(0, 0)

    def _fetched(self, number: int, first: Bound) -> Sequence[SSAValue]:
        """The thread's vectors of a factor for the stage that begins there, which may lie behind
        the last."""
        writer, stages, depth = self.writer, self.product.stages[number], self.contraction.depth

        def given(whole: bool) -> Sequence[SSAValue]:
            begin = self.begins[number]
            return stages.fetch(writer, self.bases, begin, first, self.thread, whole=whole)

        end, high = writer.add(first, DEPTH), writer.extent(depth)
        conditions = self._inside([number] if stages.is_cut else [])
        if not (isinstance(end, int) and isinstance(high, int) and end <= high):
            conditions.append(writer.compare("le", writer.value(end), writer.value(high)))
        if not conditions:
            return given(True)
        whole, is_needed = partial(given, True), stages.is_cut or divisor(depth) % DEPTH
        nothing = self._vectors(0.0, stages.vectors)
        cut = partial(given, False) if is_needed else lambda: nothing
        return writer.branch(writer.all_of(conditions), whole, cut)

    def _put(self, number: int, half: Bound, fetched: Sequence[SSAValue]) -> None:
        stages, shared = self.product.stages[number], self.shared[number]
        begin = self.writer.multiply(half, stages.half)
        stages.put(self.writer, shared, begin, self.thread, fetched)

    def _ask(self, half: Bound, first: Bound) -> None:
        """Which rows of the stage that begins there count, if that is a question."""
        if self.guard is not None:
            self.guard.put(self.bases, self.begins[LEFT], first, half, self.thread)

    # Results.

    def _results(self, sums: Sequence[SSAValue], cut: bool) -> None:
        """What follows the sums, row by row; of a block that is `cut`, some may lie outside."""
        writer = self.writer
        rows = [writer.add(place, number) for place in self.own[LEFT] for number in range(WIDTH)]
        across = COUNT // SIDE
        for number, place in enumerate(rows):
            row = writer.add(self.begins[LEFT], place)
            own = sums[number * across : (number + 1) * across]
            write = partial(self._row, row, own, cut)
            if cut:
                high = writer.value(writer.extent(self.product.rows.size))
                inside = writer.compare("lt", writer.value(row), high)
                writer.branch(inside, write, lambda: None)
            else:
                write()

    def _row(self, row: Bound, sums: Sequence[SSAValue], cut: bool) -> None:
        writer, lanes = self.writer, self.contraction.lanes
        bases = dict(self.bases)
        self.product.rows.stand(writer, bases, row)
        for place, value in zip(self.own[RIGHT], sums, strict=True):
            lane = bases[lanes.value] = writer.add(self.begins[RIGHT], place)
            inside = masks(writer, lane, writer.extent(lanes.size), WIDTH, 1) if cut else (None,)
            ready = Ready(self.fold.results[0], frozenset((self.fold,)), partial(_spread, value))
            tile = Tile(WIDTH, lanes.value, inside)
            body = NestWriter(writer, self.nest, tile, bases, {}, [ready])
            body.write(self.nest.nest.body.block)


def _spread(value: SSAValue, body: BodyWriter) -> Spread:
    return body.spread([value], False, True)
