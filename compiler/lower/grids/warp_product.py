"""A product of matrices by blocks whose warps multiply matrices of 16 by 16 by instructions."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import final

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.gpu import ExchangeOp
from stepwell.compiler.dialects.gpu.copies import CommitOp, WaitOp
from stepwell.compiler.dialects.gpu.matrices import MmaOp
from stepwell.compiler.dialects.llvm.types import size as bytes_of
from stepwell.compiler.dialects.loop.scalar import Cast, CastOp
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.lower.contraction import Contraction, Factor
from stepwell.compiler.lower.grids.blocked import LEFT, RIGHT, Blocked, Worker
from stepwell.compiler.lower.grids.blocks import share, wait
from stepwell.compiler.lower.grids.rings import PIECE, ROWS, STAGE, Ring
from stepwell.compiler.lower.grids.staging import Side, Source
from stepwell.compiler.lower.shuffles import halved, shuffle
from stepwell.compiler.lower.writer import Bound, Writer
from stepwell.compiler.machines.gpu.matrices import MATRICES, WARP, MatrixProduct

ACROSS = 2
"""Warps of a block side by side, along either side: each has a quarter of its outputs."""
SIDE = 16
"""Rows, or lanes, of what a warp loads at once."""
VECTOR = 8
"""Neighbours that a thread has in the end."""
TURNED = 2
"""Bytes of elements of which a load can turn matrices."""
QUAD = 4
"""Threads that share a row of sums."""
ROOM = 48 << 10
"""Bytes of shared memory that a block has without asking for more."""
STAGES = 4
"""That are on their way or in use, where there is room."""


KINDS: Mapping[tuple[Cast, str, str], str] = {
    (Cast.EXTF, "f16", "f32"): "f16",
    (Cast.EXTF, "bf16", "f32"): "bf16",
    (Cast.EXTSI, "i8", "i32"): "s8",
    (Cast.EXTUI, "i8", "i32"): "u8",
}
"""What instructions multiply, by the conversions that extend it."""


def instruction_of(contraction: Contraction) -> MatrixProduct | None:
    """The instruction that multiplies what the factors are extended from."""
    kinds: list[str] = []
    for factor in (contraction.left, contraction.right):
        op = factor.value.owner
        if not isinstance(op, CastOp):
            return None
        kinds.append(KINDS.get((op.cast, str(op.operand.type), str(op.result.type)), ""))
    return MATRICES.get(".".join(dict.fromkeys(kinds)))


@final
class WarpProduct(Blocked):
    """Stages of both factors go round in a ring."""

    width = VECTOR

    @cached_property
    def instruction(self) -> MatrixProduct:
        found = instruction_of(self.contraction)
        assert found is not None
        return found

    @cached_property
    def rings(self) -> tuple[Ring, Ring]:
        """Of the left factor and of the right one."""
        left = self._ring(self.contraction.left, self.rows, self.shape.rows)
        return left, self._ring(self.contraction.right, self.lanes, self.shape.lanes)

    def _ring(self, factor: Factor, side: Side, length: int) -> Ring:
        cast = factor.value.owner
        assert isinstance(cast, CastOp)
        bytes = bytes_of(cast.operand.type)
        width, may_turn = PIECE // bytes, bytes == TURNED
        source = Source(self.contraction, factor, cast.operand, side, width, 0, may_turn)
        return Ring(source, length, self.threads)

    @property
    def threads(self) -> int:
        return ACROSS * ACROSS * WARP

    @property
    def asks_once(self) -> bool:
        """Only of known sizes: of others a thread has no registers left for two ways of writing."""
        return None not in (self.rows.size.static, self.lanes.size.static)

    @property
    def stages(self) -> int:
        return min(STAGES, ROOM // (STAGE * (self.shape.rows + self.shape.lanes)))

    def write(self, writer: Writer, block: Bound, thread: Bound) -> None:
        _Thread(writer, self, block, thread).write()


@final
class _Thread(Worker):
    """With its part of the warp's sums in registers: of each 8 by 8 two neighbours."""

    def __init__(self, writer: Writer, product: WarpProduct, block: Bound, thread: Bound) -> None:
        super().__init__(writer, product, block, thread)
        self.rings, self.stages = product.rings, product.stages
        self.known, self.depth = product.instruction, product.rings[LEFT].depth
        self.runs = product.runs
        self.shared = [
            share(writer, self.stages * ring.size, ring.source.value.type) for ring in self.rings
        ]
        self.lane = writer.low_bits(thread, WARP)
        warp, shape = writer.quotient(thread, WARP), product.shape
        self.lengths = shape.rows // ACROSS, shape.lanes // ACROSS
        places = writer.quotient(warp, ACROSS), writer.low_bits(warp, ACROSS)
        self.own = tuple(map(writer.multiply, places, self.lengths))

    def sums(self) -> Sequence[SSAValue]:
        writer, stages = self.writer, self.stages
        writer.each(0, stages - 1, self._fill, runs=True)
        sums = self.known.rows * self.known.lanes
        zero = writer.constant(0, self.fold.results[0].type)
        zeros = [writer.splat(zero, sums // WARP)] * (prod(self.lengths) // sums)
        start = [writer.value(0), writer.value(stages - 1), *zeros]
        high = writer.extent(self.contraction.depth)
        _, _, *sums = writer.loop(0, high, self.depth, start, self._stage, runs=self.runs)
        return sums

    def _fill(self, stage: Bound) -> None:
        self._end(self._begin(self.writer.multiply(stage, self.depth), stage), stage)

    def _stage(self, first: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """After the products of one stage. Meanwhile others are on their way: the last of them is
        asked for here, and comes to where the one before this was."""
        writer = self.writer
        here, free, *sums = carried
        if self._copied:
            writer.effect(WaitOp, (), (), {"pending": NumberAttr(self.stages - 2)})
        wait(writer)
        pieces = self._begin(writer.add(first, (self.stages - 1) * self.depth), free)
        for position in range(0, self.depth, self.known.depth):
            sums = self._products(here, position, sums)
        self._end(pieces, free)
        next = writer.value(writer.add(here, 1))
        is_last = writer.compare("eq", next, writer.value(self.stages))
        return [writer.select(is_last, writer.value(0), next), here, *sums]

    def _products(
        self, stage: SSAValue, position: int, sums: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """The sums after the products of an instruction's positions."""
        left, right = (
            [self._matrices(number, stage, at, position) for at in range(0, length, SIDE)]
            for number, length in enumerate(self.lengths)
        )
        parts = [half for each in right for half in halved(self.writer, each)]
        pairs = [(a, b) for a in left for b in parts]
        kind = {"kind": StringAttr(self.known.name)}
        return [
            self.writer.pure(MmaOp, (*pair, each), each.type, kind)
            for pair, each in zip(pairs, sums, strict=True)
        ]

    def _matrices(self, number: int, stage: SSAValue, at: int, position: int) -> SSAValue:
        ring = self.rings[number]
        begin = self.writer.multiply(stage, ring.size)
        return ring.load(
            self.writer,
            self.shared[number],
            begin,
            self.own[number],
            at,
            position,
            self.lane,
            sides_first=number == LEFT,
        )

    # Factors.

    @cached_property
    def _copied(self) -> list[int]:
        """Those that can be copied, at least where rows are aligned."""
        return [number for number, ring in enumerate(self.rings) if ring.aligned is not None]

    def _begin(self, first: Bound, stage: Bound) -> Sequence[Sequence[SSAValue]]:
        """Let the stage that begins there come, and give what is in registers on its way."""
        writer, depth = self.writer, self.writer.extent(self.contraction.depth)
        pieces = [
            () if ring.aligned is not None else self.fetched(number, ring, first)
            for number, ring in enumerate(self.rings)
        ]
        if not self._copied:
            return pieces

        def bring() -> None:
            for number in self._copied:
                self._bring(number, first, stage)

        if isinstance(first, int) and isinstance(depth, int) and first < depth:
            bring()
        else:
            is_due = writer.compare("lt", writer.value(first), writer.value(depth))
            writer.branch(is_due, bring, lambda: None)
        writer.effect(CommitOp, ())
        return pieces

    def _bring(self, number: int, first: Bound, stage: Bound) -> None:
        """Copy a factor's elements; where rows are not aligned, they go through registers."""
        writer, ring, shared = self.writer, self.rings[number], self.shared[number]
        place, begin = writer.multiply(stage, ring.size), self.begins[number]

        def copy() -> None:
            ring.copy(writer, self.bases, begin, first, self.thread, shared, place)

        def move() -> None:
            ring.put(writer, shared, place, self.thread, self.fetched(number, ring, first))

        sizes = [
            writer.low_bits(writer.extent(size), ring.source.width) for size in ring.aligned or ()
        ]
        aligned = [writer.compare("eq", writer.value(size), writer.value(0)) for size in sizes]
        if aligned:
            writer.branch(writer.all_of(aligned), copy, move)
        else:
            copy()

    def _end(self, pieces: Sequence[Sequence[SSAValue]], stage: Bound) -> None:
        for number, (ring, values) in enumerate(zip(self.rings, pieces, strict=True)):
            if values:
                place = self.writer.multiply(stage, ring.size)
                ring.put(self.writer, self.shared[number], place, self.thread, values)

    # Results.

    def rows(
        self, sums: Sequence[SSAValue]
    ) -> Iterator[tuple[Bound, Sequence[tuple[Bound, SSAValue]]]]:
        """Four threads that share a row give each other what they have, so that each has eight
        neighbours."""
        writer, beside = self.writer, QUAD * VECTOR
        quad = writer.low_bits(self.lane, QUAD)
        row = writer.add(self.own[LEFT], writer.quotient(self.lane, QUAD))
        lane = writer.add(self.own[RIGHT], writer.multiply(quad, VECTOR))
        lanes = [writer.add(lane, at) for at in range(0, self.lengths[RIGHT], beside)]
        for at in range(0, self.lengths[LEFT], SIDE):
            own, sums = sums[: QUAD * len(lanes)], sums[QUAD * len(lanes) :]
            for half in range(2):
                pairs = [shuffle(writer, each, each, (2 * half, 2 * half + 1)) for each in own]
                groups = [pairs[n : n + QUAD] for n in range(0, len(pairs), QUAD)]
                vectors = [self._turned(group, quad) for group in groups]
                place = writer.add(row, at + half * ROWS)
                yield place, list(zip(lanes, vectors, strict=True))

    def _turned(self, pairs: list[SSAValue], quad: Bound) -> SSAValue:
        """Thread t gets pair t of each of the four: blocks off the diagonal change places."""
        writer, zero = self.writer, self.writer.value(0)
        for distance in (2, 1):
            bit = writer.value(writer.low_bits(writer.quotient(quad, distance), 2))
            is_low = writer.compare("eq", bit, zero)
            for low in (number for number in range(QUAD) if not number & distance):
                high = low + distance
                given = writer.select(is_low, pairs[high], pairs[low])
                properties = {"distance": NumberAttr(distance), "group": NumberAttr(WARP)}
                taken = writer.effect(ExchangeOp, (given,), (given.type,), properties).results[0]
                pairs[low], pairs[high] = (
                    writer.select(is_low, pairs[low], taken),
                    writer.select(is_low, taken, pairs[high]),
                )
        first, second = (shuffle(writer, pairs[n], pairs[n + 1], range(QUAD)) for n in (0, 2))
        return shuffle(writer, first, second, range(VECTOR))
