"""What a long fold's chunks come to, joined by a thread in ascending order as fast as it adds."""

from collections.abc import Sequence
from typing import final

from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import Attribute, SSAValue

from stepwell.compiler.dialects.gpu import SyncOp
from stepwell.compiler.dialects.llvm.types import size as bytes_of
from stepwell.compiler.dialects.llvm.types import vector
from stepwell.compiler.dialects.loop.types import Combine
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.lower.combine import Parts, identity, join, tree
from stepwell.compiler.lower.grids.long_folds import EVEN, LongFold
from stepwell.compiler.lower.shuffles import extract
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.runtime.sizes import Size

WORDS = 96
"""Of 32 bits that a thread adds while it waits for as many: an addition takes four cycles, and an
answer of the second cache less than 300."""
APART = 32
"""The same of results that do not lie side by side: each has an address in registers, too."""
LEAST = 4
"""Bytes of the elements that are loaded in vectors."""
TAIL = 32
"""Results that are loaded at once behind those."""


@final
class Chain:
    """One thread's way through the results of a row's chunks: it adds some, which lie in registers,
    while the next are on their way, unless these are near. Where the order is free, vectors are
    joined as such."""

    def __init__(
        self, writer: Writer, fold: LongFold, results: Sequence[SSAValue], row: Bound, bytes: int
    ) -> None:
        self._writer = writer
        self._kind = fold.fold.kind
        self._free = fold.fold.order.data.kind == "any"
        self._results = results
        self._types = [result.type for result in fold.fold.results]
        self._first = writer.multiply(row, fold.pitch)
        self._stride = fold.stride
        self._count = writer.extent(fold.count)
        sizes = [bytes_of(type) for type in self._types]
        self._near = fold.near
        beside = fold.stride == ONE
        self._width = bytes // max(sizes) if beside and min(sizes) >= LEAST else 1
        words = sum(max(size, LEAST) // LEAST for size in sizes)
        self._room = (WORDS if beside else APART) // words // EVEN * EVEN

    def totals(self) -> Parts:
        writer, room = self._writer, self._room
        whole = 0 if self._near else writer.round_down(self._count, 2 * room)
        totals = self._start()
        if isinstance(whole, int):
            totals = self._ahead(whole, totals) if whole else totals
        else:
            some = writer.compare("gt", whole, writer.value(0))
            totals = writer.branch(some, lambda: self._ahead(whole, totals), lambda: totals)
        return writer.loop(whole, self._count, TAIL, totals, self._behind)

    def _start(self) -> Parts:
        """What leaves the first result as it is, and is the result of none: only a sum of products
        may be -0."""
        writer, numbers = self._writer, identity(self._kind, self._types)
        start = [writer.constant(*each) for each in numbers]
        if self._kind != Combine.FMA or not isinstance(self._types[0], AnyFloat):
            return start
        minus = writer.constant(-0.0, self._types[0])
        if isinstance(self._count, int):
            return [minus] if self._count else start
        some = writer.compare("gt", self._count, writer.value(0))
        return [writer.select(some, minus, start[0])]

    # As many at once as there are registers for.

    def _ahead(self, whole: Bound, totals: Parts) -> Parts:
        writer, parts, room = self._writer, len(totals), self._room
        last = writer.subtract(whole, room)
        free = self._free and self._width > 1
        if free:
            totals = [writer.splat(each, self._width) for each in totals]

        def step(index: Bound, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            totals, here = carried[:parts], carried[parts:]
            # By two, so that nothing has to move from where it comes to where it is expected.
            for begin in (
                writer.add(index, room),
                writer.smaller(writer.add(index, 2 * room), last),
            ):
                following = self._load(begin)
                # Without a barrier LLVM and the assembler would load them where they are needed.
                writer.effect(SyncOp, (), (), {"group": NumberAttr(1)})
                for first in range(0, len(here), parts):
                    totals = self._taken(totals, here[first : first + parts], free)
                here = following
            return [*totals, *here]

        start = [*totals, *self._load(0)]
        found = writer.loop(0, whole, 2 * room, start, step, runs=True)[:parts]
        return tree(writer, self._kind, [found]) if free else found

    def _taken(self, totals: Parts, vectors: Parts, free: bool) -> Parts:
        if free or self._width == 1:
            return join(self._writer, self._kind, totals, vectors)
        for lane in range(self._width):
            numbers = [extract(self._writer, each, lane) for each in vectors]
            totals = join(self._writer, self._kind, totals, numbers)
        return totals

    def _load(self, begin: Bound) -> list[SSAValue]:
        width = self._width
        return [
            self._read(
                source, self._writer.add(begin, n), vector(type, width) if width > 1 else type
            )
            for n in range(0, self._room, width)
            for source, type in zip(self._results, self._types, strict=True)
        ]

    # What is left.

    def _behind(self, index: Bound, totals: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """The next few results, of which those behind the end are the last one again."""
        writer, last = self._writer, self._writer.subtract(self._count, 1)
        places = [writer.add(index, number) for number in range(TAIL)]
        if isinstance(index, int) and isinstance(self._count, int):
            places = places[: self._count - index]
        found = [
            [
                self._read(source, writer.smaller(place, last), type)
                for source, type in zip(self._results, self._types, strict=True)
            ]
            for place in places
        ]
        for place, each in zip(places, found, strict=True):
            joined = join(writer, self._kind, totals, each)
            totals = self._where_inside(place, joined, totals)
        return totals

    def _where_inside(self, place: Bound, new: Parts, old: Parts) -> Parts:
        known = isinstance(place, int) and isinstance(self._count, int)
        if known or self._free:
            return new
        inside = self._writer.compare(
            "lt", self._writer.value(place), self._writer.value(self._count)
        )
        return [self._writer.select(inside, *pair) for pair in zip(new, old, strict=True)]

    def _read(self, source: SSAValue, place: Bound, type: Attribute) -> SSAValue:
        """A result, which a grid before has left."""
        writer = self._writer
        offset = writer.affine([(self._stride, place), (Size.of(1), self._first)])
        return writer.reload(source, offset, type)
