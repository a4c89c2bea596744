"""Folds along columns that read rows to their ends, a few at a time, with the sums in memory."""

from collections.abc import Callable
from itertools import chain
from typing import final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import size
from stepwell.compiler.dialects.loop.nests import FoldOp
from stepwell.compiler.dialects.loop.types import BufferType, buffer, buffer_type
from stepwell.compiler.lower.analysis import Analysis
from stepwell.compiler.lower.blocks import Blocks
from stepwell.compiler.lower.bodies import BodyWriter
from stepwell.compiler.lower.contraction import blocks_of, parts_of
from stepwell.compiler.lower.costs import TASKS, length
from stepwell.compiler.lower.folds import Block
from stepwell.compiler.lower.tiling import Tasks, Tiling
from stepwell.compiler.lower.writer import ONE, ZERO, Bound, Writer
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.sizes import Size

RUN = 8192
"""Bytes of each row that a task reads at least, where that leaves two of them."""


@final
class Columns:
    """A nest with a fold along columns, in such tiles, that takes `deep` positions at a time."""

    def __init__(self, nest: Analysis, fold: FoldOp, tiling: Tiling, deep: int):
        axes = nest.axes_of(fold)
        steps = blocks_of(fold, axes, deep)
        self.blocks = Blocks(steps, parts_of(fold, axes, steps))
        (self._lanes,) = nest.axes()
        self._tiling = tiling
        self._results, self._element = len(fold.results), fold.results[0].type
        width = tiling.width
        self._tiles = (self._lanes.size + (width - 1)) // width * (width * self._results)

    @property
    def sums(self) -> BufferType:
        """What lies in memory between blocks."""
        return buffer((self.blocks.elements(self._tiles),), self._element)

    @property
    def tasks(self) -> Tasks:
        """Long pieces of rows, of which there are two or a power of two; a thread takes several
        as one."""
        lanes = length(self._lanes.size)
        most = min(TASKS, lanes * size(self._element) // RUN)
        parts = 1 << max(1, most.bit_length() - 1)
        block = self._tiling.block
        return Tasks(((self._lanes, -(-lanes // (parts * block)) * block),))

    def write(self, writer: Writer, sums: SSAValue, inside: Callable[[Block], None]) -> None:
        self.blocks.write(writer, sums, self._tiles, self._place, inside)

    def _place(self, before: Size, body: BodyWriter) -> Bound:
        first = body.bases[self._lanes.value]
        return body.writer.affine([(Size.of(self._results), first)], before)


def columns_of(nest: Analysis, tiling: Tiling, deep: int) -> Columns | None:
    """The nest, if it is one and its fold is cut."""
    fold = fold_of_columns(nest) if deep and tiling.lanes is not None else None
    found = None if fold is None else Columns(nest, fold, tiling, deep)
    return found if found is not None and found.blocks.steps else None


def fold_of_columns(nest: Analysis) -> FoldOp | None:
    """The serial fold of a nest that has but one axis, along which it differs, if that is all."""
    if len(nest.axes()) != 1 or len(nest.inside) != 1 or nest.scans or nest.repeats:
        return None
    (axis,), (fold,) = nest.axes(), nest.inside
    alike = len({result.type for result in fold.results}) == 1
    chains = fold.order.data.kind == "serial" and fold not in nest.guards
    return fold if alike and chains and axis.value in nest.dependences(fold.results[0]) else None


def rows_together(nest: Analysis, machine: Machine) -> int:
    """Rows that are read to their ends at a time: as many as have room in the first cache when they
    are a power of two apart; 0 if all of them are read, some vectors of columns at a time."""
    fold = fold_of_columns(nest)
    if fold is None or not is_from_afar(nest, machine):
        return 0
    (lanes,), reads = nest.axes(), nest.inside[fold]
    in_rows = all(each.stride(lanes.value) in (ZERO, ONE) for each in reads)
    return 1 << machine.l1_ways.bit_length() - 1 if in_rows else 0


def is_from_afar(nest: Analysis, machine: Machine) -> bool:
    """Whether the second cache does not hold what is folded, but the first one all that rows
    share."""
    own, shared = folded(nest)
    return own > machine.l2 and 8 * shared <= 3 * machine.l1


def folded(nest: Analysis) -> tuple[int, int]:
    """Bytes of what is folded, and of all that rows share: a vector that is read again for each of
    them, if it does not stay in the first cache beside them."""
    own, shared = 0, 0
    for access in chain.from_iterable(nest.inside.values()):
        bytes = length(buffer_type(access.buffer).bytes)
        if access.at.terms.keys().isdisjoint(nest.nest.axes):
            shared += bytes
        else:
            own = max(own, bytes)
    return own, shared
