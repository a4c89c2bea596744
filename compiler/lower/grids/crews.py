"""The strategy `crews`: rows of which each is the work of a block of threads, in shared memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from math import prod
from typing import ClassVar, Self, final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.host import WhileOp
from stepwell.compiler.dialects.loop.nests import KernelOp, ScanOp, SortOp
from stepwell.compiler.dialects.loop.types import LANE_COUNT
from stepwell.compiler.lower.analysis import Analysis, lanes_of
from stepwell.compiler.lower.bodies import Tile
from stepwell.compiler.lower.costs import best_lanes
from stepwell.compiler.lower.folds import NestWriter
from stepwell.compiler.lower.grids.apart import BUSY, TEAM, Apart, Part
from stepwell.compiler.lower.grids.blocks import in_blocks, share_rest, wait
from stepwell.compiler.lower.grids.chunks import indices_of, join
from stepwell.compiler.lower.grids.multiples import multiples_in, substitute
from stepwell.compiler.lower.grids.near import bring_near
from stepwell.compiler.lower.grids.team import UNROLLED, Threads
from stepwell.compiler.lower.grids.versions import Ask, Sometimes, are_multiples
from stepwell.compiler.lower.grids.warps import Row, Rows, Warps, folds_together, outer_of, point
from stepwell.compiler.lower.strategies.base import Refusal, expanding, place, total_bytes
from stepwell.compiler.lower.tiling import unless_empty
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.compiler.machines.gpu.matrices import WARP
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size, largest

SHORT, LONG = LANE_COUNT * UNROLLED, 1 << 17
"""Positions of a fold that a team has in its registers, and that one block is soon done with."""
THREADS = (128, 256, 512)
"""Of a block, by a row's length. A thread of the largest may take 128 registers; of what has eight
bytes there are half as many."""
EACH = 16
"""Positions of a row that each of so many has, if there are enough."""
WIDTH = 4
"""Lanes of a vector of what has four bytes."""


@final
@dataclass(frozen=True)
class Crews(Sometimes):
    """Rows too long for the registers of a few threads: each is the work of a block of `threads`.
    What its nests leave to each other, and inputs that are read again, lie in up to `room` bytes
    that the block shares. A warp folds a chunk, and one thread joins the chunks."""

    name: ClassVar[str] = "crews"
    IN_PLACE: ClassVar[bool] = True
    bytes: int = 16
    threads: int = THREADS[1]
    room: int = 99 << 10

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        if any(isinstance(op, SortOp | ScanOp | WhileOp) for op in kernel.walk()):
            return Refusal("it sorts, or is a loop for each element")
        nests = [Analysis(nest) for nest in kernel.nests]
        outer = outer_of(nests)
        if not all(_is_one_thing(nest, outer, machine.vector_bytes) for nest in nests):
            return Refusal("there is a fold not along what lies side by side, or for each element")
        longest, count = _longest(nests), prod(nests[0].nest.sizes.data[:outer], start=ONE)
        most = longest.bounds(kernel.symbols.ranges)[1] or LONG
        if most <= SHORT and (outer or len(nests) == 1):
            return Refusal("a row stays in the registers of a team")
        few = (count.static or BUSY) < BUSY // TEAM
        once = len(nests) == 1 and len(nests[0].inside) == 1
        work = _work(nests, outer).static
        much = (once or outer == 0) if work is None else work > LONG
        if much if few else once:
            return Refusal("a row would be too much for a block, or too little")
        rows = _Rows(kernel.clone(), cls.choose(kernel, machine))
        return Refusal("a row takes more memory than there is") if rows.fits is False else None

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        nests = [Analysis(nest) for nest in kernel.nests]
        width = lanes_of({type for nest in nests for type in nest.types}, machine.vector_bytes)
        length = _longest(nests).static or EACH * cls.threads
        threads = next((count for count in THREADS if count * EACH >= length), THREADS[-1])
        return cls(machine.vector_bytes, threads * width // WIDTH, machine.l1)

    def workspace(self, kernel: KernelOp) -> Size:
        need, other = total_bytes(_Rows(kernel.clone(), self).far.values()), self.otherwise(kernel)
        return need if other is None else largest(need, other[1].workspace(kernel))

    def otherwise(self, kernel: KernelOp) -> tuple[Ask, Warps] | None:
        rows, multiples = _Rows(kernel.clone(), self), multiples_in(kernel)
        if rows.fits and not multiples:
            return None
        return partial(rows.asked, multiples), Warps(self.bytes)

    def expand(self, kernel: KernelOp) -> None:
        substitute(kernel, multiples_in(kernel))
        rows = _Rows(kernel, self)
        with expanding(kernel) as writer:
            writer.location = kernel.location
            far = place(writer, kernel.arguments[-1], rows.far) if rows.far else {}

            def block(writer: Writer, number: Bound, thread: Bound) -> None:
                rest = share_rest(writer, rows.bytes, rows.most)
                near = place(writer, rest, rows.near)
                _Block(writer, rows, number, thread, {**far, **near}).write()

            in_blocks(writer, writer.extent(rows.rows.count), self.threads, block)
        rows.apart.erase()


def _is_one_thing(nest: Analysis, outer: int, bytes: int) -> bool:
    """Whether threads go along a nest's elements, or warps along its folds."""
    lanes = best_lanes(nest, nest.axes(outer), bytes)
    return folds_together(nest, outer, bytes) and (lanes is None or not nest.inside)


def _longest(nests: Sequence[Analysis]) -> Size:
    """Positions of the longest fold, if there is one."""
    folds = (prod(fold.sizes.data, start=ONE) for nest in nests for fold in nest.inside)
    return reduce(largest, folds, ONE)


def _work(nests: Sequence[Analysis], outer: int) -> Size:
    """Positions of a row that the nest with most of them goes through."""
    every = (prod(nest.nest.sizes.data[outer:], start=_longest([nest])) for nest in nests)
    return reduce(largest, every)


@final
class _Rows:
    """What is done for a row, and the memory that takes. The kernel is changed: its inputs are read
    from where they are brought."""

    def __init__(self, kernel: KernelOp, plan: Crews) -> None:
        nests = [Analysis(nest) for nest in kernel.nests]
        self.plan = plan
        self.rows = Rows(nests, plan.bytes, kernel.symbols.ranges, {})
        self.outer = self.rows.outer
        self.longest = _longest(nests)
        self.far = bring_near(kernel, nests, self.outer, plan.room)
        self.apart = Apart(kernel, self.outer, plan.threads // WARP)
        every = self.apart.buffers.items()
        self.near = {each: type for each, type in every if each not in self.far}
        self.bytes = total_bytes(self.near.values())

    @property
    def most(self) -> int:
        """Bytes that sizes may ask for where this plan is taken."""
        room, most = self.plan.room, self.bytes.bounds(self.rows.ranges)[1]
        static = self.bytes.static
        return min(room, most or room) if static is None else static

    @property
    def fits(self) -> bool | None:
        """None if sizes decide that are not known yet."""
        bytes, longest = self.bytes.static, self.longest.static
        return None if bytes is None or longest is None else bytes <= self.plan.room

    def asked(self, multiples: Mapping[str, int], writer: Writer) -> Sequence[SSAValue]:
        """Whether rows are long and aligned, and there is room for one."""
        longest, bytes = (writer.value(writer.extent(x)) for x in (self.longest, self.bytes))
        short, room = map(writer.value, (SHORT, self.plan.room))
        size = [writer.compare("gt", longest, short), writer.compare("le", bytes, room)]
        return [*size, *are_multiples(multiples, writer)]


@final
@dataclass(frozen=True, eq=False)
class _Block:
    """One thread at work on the row that is its block's."""

    writer: Writer
    rows: _Rows
    index: Bound
    thread: Bound
    buffers: Mapping[SSAValue, SSAValue]

    def write(self) -> None:
        for number, part in enumerate(self.rows.apart.parts):
            self.writer.location = part.nest.nest.location
            if number:
                wait(self.writer)
            part.nest.privatise(self.rows.near, self.rows.outer)
            if part.fold is not None:
                self._fold(part)
            elif part.nest.inside:
                self._points(part.nest, *part.nest.nest.sizes.data[self.rows.outer :])
            else:
                self._walk(part.nest)

    def _walk(self, nest: Analysis) -> None:
        """Elements side by side, a vector for each thread."""
        rows = self.rows.rows
        crew = Threads(self.writer, self.thread, rows.width, self.rows.plan.threads)
        with self.writer.memory():
            Row(self.writer, rows, crew, self.index, {}).walk(nest, self.buffers)

    def _fold(self, part: Part) -> None:
        """The warps fold chunks, and what is behind those; then threads join what these come to."""
        writer, outer = self.writer, self.rows.outer
        for nest, size in part.chunks():
            nest.privatise(self.rows.near, outer)
            self._points(nest, size)
        wait(writer)

        def at(index: Bound) -> None:
            bases = self._bases(part.nest, index)
            join(writer, part, index, bases, self.buffers, self.rows.plan.bytes)

        count = writer.extent(prod(part.nest.nest.sizes.data[outer:], start=ONE))
        writer.each(self.thread, count, at, self.rows.plan.threads)

    def _points(self, nest: Analysis, *sizes: Size) -> None:
        """Positions, each a warp's, unless one of the sizes is zero."""
        writer, warps = self.writer, self.rows.plan.threads // WARP
        warp, lane = writer.quotient(self.thread, WARP), writer.low_bits(self.thread, WARP)
        width = LANE_COUNT // WARP

        def at(index: Bound) -> None:
            bases = self._bases(nest, index)
            with writer.memory():
                body = NestWriter(writer, nest, Tile(width), bases, self.buffers)
                point(body, Threads(writer, lane, width))

        count = writer.extent(prod(nest.nest.sizes.data[self.rows.outer :], start=ONE))
        each = partial(writer.each, warp, count, at, warps)
        unless_empty(writer, sizes, self.rows.rows.ranges, each)

    def _bases(self, nest: Analysis, index: Bound) -> dict[SSAValue, Bound]:
        """The indices of the row, and of a position in it."""
        bases = indices_of(self.writer, nest, index, self.rows.outer)
        rows = self.writer.unravel(self.index, self.rows.rows.shape)
        bases.update(zip(nest.nest.axes[: self.rows.outer], rows, strict=True))
        return bases
