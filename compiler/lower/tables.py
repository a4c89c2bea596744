"""Accumulators in memory: 64 for each copy of a fold, when registers do not hold them."""

from collections.abc import Sequence
from typing import final

from stepwell.compiler.dialects.loop.types import Combine, buffer
from stepwell.compiler.lower.combine import Parts, pairwise
from stepwell.compiler.lower.writer import ONE, Bound, Writer, element
from stepwell.runtime.sizes import Size
from xdsl.dialects.builtin import VectorType
from xdsl.ir import Attribute, SSAValue

GROUP = 8
"""So many rows are joined at once when the table is summed up."""


@final
class Table:
    """A row for each accumulator, which holds one of every copy, in one buffer for each part."""

    def __init__(self, writer: Writer, types: Sequence[Attribute], copies: int, slots: int):
        first = types[0]
        self._writer = writer
        self._types = types
        self._width = first.get_shape()[0] if isinstance(first, VectorType) else 1
        self._copies = copies
        self._line = Size.of(copies * self._width)
        self._groups = -(-slots // GROUP)
        shape = (self._line * (self._groups * GROUP),)
        self._buffers = [writer.stack(buffer(shape, element(type))) for type in types]

    def fill(self, start: Parts) -> None:
        """Every accumulator becomes `start`."""

        def row(slot: Bound, _: Sequence[SSAValue]) -> Sequence[SSAValue]:
            self.store(slot, [start] * self._copies)
            return ()

        self._writer.loop(0, self._groups * GROUP, 1, (), row)

    def load(self, slot: Bound, shift: int = 0) -> Sequence[Parts]:
        """The accumulators of row `slot + shift`, one for each copy."""
        return [
            [
                self._writer.reload(source, place, type)
                for source, type in zip(self._buffers, self._types, strict=True)
            ]
            for place in self._places(slot, shift)
        ]

    def store(self, slot: Bound, accumulators: Sequence[Parts]) -> None:
        for parts, place in zip(accumulators, self._places(slot, 0), strict=True):
            for part, target in zip(parts, self._buffers, strict=True):
                self._writer.store(part, target, place)

    def _places(self, slot: Bound, shift: int) -> list[Bound]:
        terms = [(self._line, slot), (self._line, shift)]
        return [
            self._writer.affine([*terms, (ONE, copy * self._width)])
            for copy in range(self._copies)
        ]

    def reduce(self, kind: Combine) -> Sequence[Parts]:
        """`a[i] = a[i] + a[i + half]` for half = 32, 16, … 1: the upper three steps eight rows at
        a time, then the lower three."""
        if self._groups > 1:
            self._writer.loop(0, GROUP, 1, (), lambda slot, _: self._join_groups(kind, slot))
        return self._pairwise(kind, 0, range(GROUP))

    def _join_groups(self, kind: Combine, slot: Bound) -> Sequence[SSAValue]:
        shifts = range(0, self._groups * GROUP, GROUP)
        self.store(slot, self._pairwise(kind, slot, shifts))
        return ()

    def _pairwise(self, kind: Combine, slot: Bound, shifts: Sequence[int]) -> Sequence[Parts]:
        rows = [self.load(slot, shift) for shift in shifts]
        return [pairwise(self._writer, kind, copy) for copy in zip(*rows, strict=True)]
