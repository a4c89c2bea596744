"""Accumulators in memory: 64 for each copy of a fold, when registers do not hold them."""

from collections.abc import Callable, Sequence
from typing import final

from xdsl.ir import Attribute

from stepwell.compiler.dialects.llvm.types import element
from stepwell.compiler.dialects.llvm.types import lanes as width
from stepwell.compiler.dialects.loop.types import Combine, buffer
from stepwell.compiler.lower.combine import Parts, pairwise
from stepwell.compiler.lower.writer import ONE, Bound, Writer
from stepwell.runtime.sizes import Size

GROUP = 8
"""So many rows are joined at once when the table is summed up."""


@final
class Table:
    """A row for each accumulator, which holds one of every copy, in one buffer for each part."""

    def __init__(self, writer: Writer, types: Sequence[Attribute], copies: int, slots: int):
        first = types[0]
        self._writer = writer
        self._types = types
        self._width = width(first) or 1
        self._copies = copies
        self._line = Size.of(copies * self._width)
        self._groups = -(-slots // GROUP)
        shape = (self._line * (self._groups * GROUP),)
        self._buffers = [writer.stack(buffer(shape, element(type))) for type in types]

    def fill(self, start: Parts) -> None:
        """Every accumulator becomes `start`."""
        self._each(self._groups * GROUP, lambda place: self._put(start, place))

    def load(self, slot: Bound) -> Sequence[Parts]:
        """The accumulators of a row, one for each copy."""
        return [self._get(place) for place in self._places(slot)]

    def store(self, slot: Bound, accumulators: Sequence[Parts]) -> None:
        for parts, place in zip(accumulators, self._places(slot), strict=True):
            self._put(parts, place)

    def reduce(self, kind: Combine) -> Sequence[Parts]:
        """`a[i] = a[i] + a[i + half]` for half = 32, 16, … 1: the upper three steps eight rows at
        a time, then the lower three."""
        if self._groups > 1:
            self._each(GROUP, lambda place: self._join_groups(kind, place))
        rows = [self.load(slot) for slot in range(GROUP)]
        return [pairwise(self._writer, kind, copy) for copy in zip(*rows, strict=True)]

    def _join_groups(self, kind: Combine, place: Bound) -> None:
        shifts = [self._line * (group * GROUP) for group in range(self._groups)]
        rows = [self._get(self._writer.affine([(ONE, place)], shift)) for shift in shifts]
        self._put(pairwise(self._writer, kind, rows), place)

    def _each(self, rows: int, inside: Callable[[Bound], None]) -> None:
        """`inside` at every copy of the first rows."""
        self._writer.each(0, self._copies * self._width * rows, inside, self._width)

    def _places(self, slot: Bound) -> list[Bound]:
        return [
            self._writer.affine([(self._line, slot), (ONE, copy * self._width)])
            for copy in range(self._copies)
        ]

    def _get(self, place: Bound) -> Parts:
        return [
            self._writer.reload(source, place, type)
            for source, type in zip(self._buffers, self._types, strict=True)
        ]

    def _put(self, parts: Parts, place: Bound) -> None:
        for part, target in zip(parts, self._buffers, strict=True):
            self._writer.store(part, target, place)
