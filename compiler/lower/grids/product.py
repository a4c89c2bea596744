"""A product of matrices by blocks: what each thread brings, multiplies, sums and writes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.types import Combine
from stepwell.compiler.lower.combine import join, take
from stepwell.compiler.lower.grids.blocked import LEFT, RIGHT, Blocked, Worker
from stepwell.compiler.lower.grids.blocks import share, wait
from stepwell.compiler.lower.grids.guarded import GuardedRows
from stepwell.compiler.lower.grids.staging import DEPTH, WIDTH, Source, Stages
from stepwell.compiler.lower.shuffles import shuffle
from stepwell.compiler.lower.writer import Bound, Writer

SIDE = 8
"""Rows, and lanes, of a thread."""
COUNT = SIDE * SIDE // WIDTH
"""Vectors of its sums."""
DOWN, ACROSS = 4, 8
"""How the threads of a warp stand."""


@final
@dataclass(frozen=True, eq=False)
class Product(Blocked):
    """With stages of both factors as the threads' registers take them."""

    width = WIDTH

    @property
    def asks_once(self) -> bool:
        return True

    @property
    def threads(self) -> int:
        return self.shape.rows * self.shape.lanes // (SIDE * SIDE)

    @cached_property
    def stages(self) -> tuple[Stages, Stages]:
        """Of the left factor and of the right one. Zeros of both signs behind the fold's end have a
        product that changes no sum."""
        product, shape = self.contraction, self.shape
        left = Source(product, product.left, product.left.value, self.rows, WIDTH, 0.0)
        right = Source(product, product.right, product.right.value, self.lanes, WIDTH, -0.0)
        return (
            Stages(left, shape.rows, self.threads),
            Stages(right, shape.lanes, self.threads),
        )

    def write(self, writer: Writer, block: Bound, thread: Bound) -> None:
        _Thread(writer, self, block, thread).write()


@final
class _Thread(Worker):
    """With eight by eight sums in registers."""

    def __init__(self, writer: Writer, product: Product, block: Bound, thread: Bound) -> None:
        super().__init__(writer, product, block, thread)
        self.product = product
        self.shared = [share(writer, 2 * each.size, f32) for each in product.stages]
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

    def sums(self) -> Sequence[SSAValue]:
        if self.product.runs:
            self._fill()
        else:
            self.writer.branch(self._has_products(), self._fill, lambda: None)
        wait(self.writer)
        return self._sums()

    def rows(
        self, sums: Sequence[SSAValue]
    ) -> Iterator[tuple[Bound, Sequence[tuple[Bound, SSAValue]]]]:
        across = COUNT // SIDE
        places = [(place, number) for place in self.own[LEFT] for number in range(WIDTH)]
        for row, place in enumerate(places):
            own = sums[row * across : (row + 1) * across]
            yield self.writer.add(*place), list(zip(self.own[RIGHT], own, strict=True))

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
                stages.read(writer, shared, writer.multiply(half, stages.size), at, position)
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
        return self.fetched(number, self.product.stages[number], first)

    def _put(self, number: int, half: Bound, fetched: Sequence[SSAValue]) -> None:
        stages, shared = self.product.stages[number], self.shared[number]
        begin = self.writer.multiply(half, stages.size)
        stages.put(self.writer, shared, begin, self.thread, fetched)

    def _ask(self, half: Bound, first: Bound) -> None:
        """Which rows of the stage that begins there count, if that is a question."""
        if self.guard is not None:
            self.guard.put(self.bases, self.begins[LEFT], first, half, self.thread)
