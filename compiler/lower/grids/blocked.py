"""Products of matrices by blocks of threads: which outputs are whose, and how they are written."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from math import prod
from typing import ClassVar, Self, final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import Parameter
from stepwell.compiler.lower.analysis import Analysis, Axis, divisor
from stepwell.compiler.lower.bodies import BodyWriter, Mask, Ready, Spread, Tile, masks
from stepwell.compiler.lower.contraction import Contraction, contraction_of
from stepwell.compiler.lower.costs import length
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.grids.blocks import in_blocks
from stepwell.compiler.lower.grids.staging import Side, Staged, rows_of
from stepwell.compiler.lower.strategies.base import Refusal, Strategy, expanding
from stepwell.compiler.lower.strategies.gemm import contraction_in
from stepwell.compiler.lower.tiling import unless_empty
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

LEFT, RIGHT = 0, 1
"""The factors, whose sides are the rows and the lanes."""
ENOUGH = 128
"""Blocks that keep a card busy: about as many as it has multiprocessors."""
BAND = 8
"""Rows of blocks that run one after the other, before the next lanes."""
FEW = 16
"""Products of a sum for which a block is not worth while."""


@final
@dataclass(frozen=True)
class Shape:
    """Rows and lanes of a block."""

    rows: int
    lanes: int


SHAPES = (Shape(128, 128), Shape(64, 128), Shape(64, 64))
"""Of blocks. Of smaller ones a thread would have to keep more that is on its way than its registers
hold."""


@dataclass(frozen=True, eq=False)
class Blocked(ABC):
    """A contraction, and the shape of its blocks. It `runs` if there are products, whatever the
    sizes."""

    width: ClassVar[int]
    """Neighbours that a thread brings, and writes, at once."""
    contraction: Contraction
    shape: Shape
    runs: bool

    @cached_property
    def rows(self) -> Side:
        return rows_of(self.contraction, self.width)

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

    def place(self, writer: Writer, block: Bound) -> list[Bound]:
        """Where a block stands among the counts. Blocks that run at the same time are neighbours in
        both ways, so that they read what others have just read: BAND rows of them, lane by lane."""
        *others, rows, lanes = self.counts
        *outer, number = writer.unravel(block, [*others, rows * lanes])
        if rows.static is not None and rows.static <= BAND:
            band, height = 0, rows.static
        else:
            area = writer.extent(lanes * BAND)
            first = writer.multiply(writer.quotient(number, area), BAND)
            band, number = first, writer.remainder(number, area)
            rest = writer.subtract(writer.extent(rows), first)
            height = BAND if divisor(rows) % BAND == 0 else writer.smaller(rest, BAND)
        row = writer.add(band, writer.remainder(number, height))
        return [*outer, row, writer.quotient(number, height)]

    @property
    @abstractmethod
    def threads(self) -> int:
        """Of a block."""

    @property
    @abstractmethod
    def asks_once(self) -> bool:
        """Whether a block asks if all of it lies inside, or for each vector of results."""

    @abstractmethod
    def write(self, writer: Writer, block: Bound, thread: Bound) -> None:
        """What a thread of a block does, by their numbers."""


class Worker(ABC):
    """A thread at work on its block."""

    def __init__(self, writer: Writer, product: Blocked, block: Bound, thread: Bound) -> None:
        self.writer, self.thread, self._product = writer, thread, product
        self.contraction, self.fold = product.contraction, product.contraction.fold
        self.nest = self.contraction.analysis
        *others, row, lane = product.place(writer, block)
        self.bases: dict[SSAValue, Bound] = dict.fromkeys(self.nest.nest.axes, 0)
        self.bases.update(zip((axis.value for axis in product.others), others, strict=True))
        shape = product.shape
        self.begins = writer.multiply(row, shape.rows), writer.multiply(lane, shape.lanes)

    @abstractmethod
    def sums(self) -> Sequence[SSAValue]:
        """All of the thread's."""

    @abstractmethod
    def rows(
        self, sums: Sequence[SSAValue]
    ) -> Iterator[tuple[Bound, Sequence[tuple[Bound, SSAValue]]]]:
        """For each row of the thread its place in the block, and vectors of sums with the places
        of their first lanes. All threads of the block go from one to the next together."""

    def write(self) -> None:
        writer, product = self.writer, self._product
        with writer.memory():
            sums = self.sums()
            sides = (product.rows, product.shape.rows), (product.lanes, product.shape.lanes)
            ends = [n for n, (side, step) in enumerate(sides) if divisor(side.size) % step]
            whole, cut = (partial(self._results, sums, cut=each) for each in (False, True))
            if not ends:
                whole()
            elif product.asks_once:
                writer.branch(writer.all_of(self.inside(ends)), whole, cut)
            else:
                cut()

    def inside(self, sides: Sequence[int]) -> list[SSAValue]:
        """Whether all of the block lies inside along some sides."""
        writer, product = self.writer, self._product
        lengths = product.shape.rows, product.shape.lanes
        sizes = product.rows.size, product.lanes.size
        ends = [writer.add(self.begins[side], lengths[side]) for side in sides]
        highs = [writer.extent(sizes[side]) for side in sides]
        pairs = zip(map(writer.value, ends), map(writer.value, highs), strict=True)
        return [writer.compare("le", *pair) for pair in pairs]

    def fetched(self, number: int, staged: Staged, first: Bound) -> Sequence[SSAValue]:
        """The thread's vectors of a factor for the stage that begins there, which may lie behind
        the last."""
        writer, depth, source = self.writer, self.contraction.depth, staged.source

        def given(whole: bool) -> Sequence[SSAValue]:
            begin = self.begins[number]
            return staged.fetch(writer, self.bases, begin, first, self.thread, whole=whole)

        end, high = writer.add(first, staged.depth), writer.extent(depth)
        conditions = self.inside([number] if source.is_cut else [])
        if not (isinstance(end, int) and isinstance(high, int) and end <= high):
            conditions.append(writer.compare("le", writer.value(end), writer.value(high)))
        if not conditions:
            return given(True)
        zero = writer.constant(0, source.value.type)
        nothing = [writer.splat(zero, source.width)] * staged.vectors
        is_needed = source.is_cut or divisor(depth) % staged.depth
        cut = partial(given, False) if is_needed else lambda: nothing
        return writer.branch(writer.all_of(conditions), partial(given, True), cut)

    def _results(self, sums: Sequence[SSAValue], cut: bool) -> None:
        """What follows the sums, row by row; of a block that is `cut`, some may lie outside."""
        writer = self.writer
        for place, own in self.rows(sums):
            row = writer.add(self.begins[LEFT], place)
            write = partial(self._row, row, own, cut)
            if cut:
                high = writer.value(writer.extent(self._product.rows.size))
                inside = writer.compare("lt", writer.value(row), high)
                writer.branch(inside, write, lambda: None)
            else:
                write()

    def _row(self, row: Bound, sums: Sequence[tuple[Bound, SSAValue]], cut: bool) -> None:
        writer, lanes, width = self.writer, self._product.lanes, self._product.width
        bases = dict(self.bases)
        self._product.rows.stand(writer, bases, row)
        for place, value in sums:
            lane = bases[lanes.last.value] = writer.add(self.begins[RIGHT], place)
            write = partial(self._vector, dict(bases), value)
            high = writer.extent(lanes.size)
            if not cut:
                write(None)
            elif lanes.has_whole(width):
                inside = writer.compare("lt", writer.value(lane), writer.value(high))
                writer.branch(inside, partial(write, None), lambda: None)
            else:
                write(*masks(writer, lane, high, width, 1))

    def _vector(self, bases: dict[SSAValue, Bound], sums: SSAValue, inside: Mask) -> None:
        lanes = self.contraction.lanes.value
        ready = Ready(self.fold.results[0], frozenset((self.fold,)), partial(_spread, sums))
        tile = Tile(self._product.width, lanes, (inside,))
        body = NestWriter(self.writer, self.nest, tile, bases, {}, [ready])
        body.write(self.nest.nest.body.block)


def _spread(value: SSAValue, body: BodyWriter) -> Spread:
    return body.spread([value], False, True)


@dataclass(frozen=True)
class BlockedStrategy(Strategy):
    """A block of threads computes `rows` by `lanes` outputs."""

    product: ClassVar[type[Blocked]]
    FEWEST: ClassVar[int] = 16
    """Rows, and lanes, for which a block is worth while, though most of it lies outside."""
    rows: int = 128
    lanes: int = 128

    @classmethod
    def candidate(cls, kernel: KernelOp) -> Contraction | Refusal:
        """The contraction of a kernel that is large enough for blocks."""
        nests = kernel.nests
        if len(nests) != 1 or kernel.locals:
            return Refusal("it is not one nest")
        found = contraction_of(Analysis(nests[0]))
        if isinstance(found, str):
            return Refusal(found)
        if found.rows is None:
            return Refusal("it has no rows")
        few = length(found.depth) < FEW or length(found.lanes.size) < cls.FEWEST
        if few or length(rows_of(found, cls.product.width).size) < cls.FEWEST:
            return Refusal("it is small along some axis")
        return found

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        contraction = contraction_in(kernel)
        plans = [cls(shape.rows, shape.lanes) for shape in SHAPES]
        return next((plan for plan in plans if plan._blocks(contraction) >= ENOUGH), plans[-1])

    @classmethod
    def allows(cls, name: str, value: Parameter) -> bool:
        """Those of the known shapes."""
        return value in {getattr(shape, name, None) for shape in SHAPES}

    def _blocks(self, contraction: Contraction) -> int:
        counts = self.product(contraction, Shape(self.rows, self.lanes), runs=True).counts
        return length(prod(counts, start=ONE))

    def workspace(self, kernel: KernelOp) -> Size:
        return ZERO

    def expand(self, kernel: KernelOp) -> None:
        contraction, shape = contraction_in(kernel), Shape(self.rows, self.lanes)
        runs = (contraction.depth.bounds(kernel.symbols.ranges)[0] or 0) > 0
        product = self.product(contraction, shape, runs)
        nest = contraction.analysis.nest
        with expanding(kernel) as writer:
            writer.location = nest.location

            def launch() -> None:
                count = reduce(writer.product, map(writer.extent, product.counts))
                in_blocks(writer, count, product.threads, product.write)

            unless_empty(writer, nest.sizes.data, kernel.symbols.ranges, launch)
