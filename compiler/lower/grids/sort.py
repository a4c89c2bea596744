"""The strategy `grid_sort`: a thread for each element of short rows, or for each long row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

from xdsl.dialects import arith
from xdsl.dialects.builtin import i64
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.scalar import Cast
from stepwell.compiler.dialects.loop.syntax import INDEX
from stepwell.compiler.lower.codes import cast, code_of, integer_op
from stepwell.compiler.lower.grids.grid import sorts
from stepwell.compiler.lower.strategies.base import Refusal, Strategy, expanding
from stepwell.compiler.lower.strategies.sort import Sort, SortedRows
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

ROWS = 1 << 12
"""So many threads sort long rows, each with a room of its own in the workspace."""

Carried = Sequence[SSAValue]


@final
@dataclass(frozen=True)
class GridSort(Strategy):
    """In rows of up to `short` positions a thread for each counts the keys that come before its
    own, and moves what stands there to its place. A longer row is one thread's, digit by digit."""

    name: ClassVar[str] = "grid_sort"
    bytes: int = 16
    short: int = 2048

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        return None if sorts(kernel) else Refusal("it does not sort")

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        return cls(machine.vector_bytes)

    def workspace(self, kernel: KernelOp) -> Size:
        return ZERO if self._are_short(self._rows(kernel)) else self._digits.workspace(kernel)

    def expand(self, kernel: KernelOp) -> None:
        rows = self._rows(kernel)
        with expanding(kernel) as writer:
            writer.location = rows.location
            short = self._are_short(rows)
            if short is not None:
                _rank(writer, rows) if short else rows.write(writer)
                return
            length = writer.value(writer.extent(rows.length))
            condition = writer.compare("le", length, writer.value(self.short))
            writer.branch(condition, lambda: _rank(writer, rows), lambda: rows.write(writer))

    @property
    def _digits(self) -> Sort:
        return Sort(self.bytes, 0, ROWS)

    def _rows(self, kernel: KernelOp) -> SortedRows:
        return SortedRows(self._digits, kernel)

    def _are_short(self, rows: SortedRows) -> bool | None:
        """None if that is not known."""
        length = rows.length.static
        return None if length is None else length <= self.short


def _rank(writer: Writer, rows: SortedRows) -> None:
    def thread(number: Bound) -> None:
        length = writer.extent(rows.length)
        place, row = writer.remainder(number, length), writer.quotient(number, length)
        stride = writer.extent(rows.stride)
        outer, inner = writer.quotient(row, stride), writer.remainder(row, stride)
        first = writer.affine([(rows.length * rows.stride, outer), (ONE, inner)])
        _Element(writer, rows, first, place).write()

    writer.parallel(writer.extent(rows.count * rows.length), thread)


@final
@dataclass(frozen=True, eq=False)
class _Element:
    """One position of a row that begins at `first`."""

    writer: Writer
    rows: SortedRows
    first: Bound
    place: Bound

    def write(self) -> None:
        """Equal keys at lower places come before this one, too."""
        writer, start = self.writer, [self.writer.constant(0, i64)]
        behind = writer.add(self.place, 1)
        before = writer.loop(0, self.place, 1, start, self._counted("ule"))
        rank = writer.loop(behind, writer.extent(self.rows.length), 1, before, self._counted("ult"))
        target = self._offset(cast(writer, Cast.INDEX, rank[0], INDEX))
        rows, source = self.rows, self._offset(self.place)
        for given, made, type in zip(rows.inputs, rows.outputs, rows.elements, strict=True):
            writer.store(writer.reload(given, source, type), made, target)

    def _counted(self, predicate: str):
        mine = self._code(self.place)

        def step(other: Bound, counts: Carried) -> Carried:
            writer = self.writer
            comes = writer.compare(predicate, self._code(other), mine)
            one, zero = writer.constant(1, i64), writer.constant(0, i64)
            return [integer_op(writer, arith.AddiOp, counts[0], writer.select(comes, one, zero))]

        return step

    def _code(self, place: Bound) -> SSAValue:
        rows = self.rows
        key = self.writer.reload(rows.inputs[0], self._offset(place), rows.elements[0])
        return code_of(self.writer, key, rows.signed)

    def _offset(self, place: Bound) -> Bound:
        return self.writer.affine([(ONE, self.first), (self.rows.stride, place)])
