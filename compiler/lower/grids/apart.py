"""A kernel taken apart into nests of one fold each, where that is long."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.construct import construct
from stepwell.compiler.dialects.loop.nests import FoldOp, KernelOp, LocalOp, NestOp
from stepwell.compiler.dialects.loop.types import BufferType, buffer, buffer_type
from stepwell.compiler.dialects.sizes import Range
from stepwell.compiler.lower.analysis import Analysis
from stepwell.compiler.lower.grids.long_folds import LongFold, folds_of, long_fold, separated
from stepwell.compiler.lower.writer import ONE, Writer
from stepwell.runtime.sizes import Size

BUSY = 1 << 16
"""Threads, below which a card has not enough to do."""
TEAM = 16
"""Threads of a row that fold side by side."""


@final
@dataclass(frozen=True, eq=False)
class Part:
    """A nest; if its fold is long, that, and where the results of its chunks will be."""

    nest: Analysis
    fold: LongFold | None = None
    results: Sequence[SSAValue] = ()

    def chunks(self) -> Iterator[tuple[Analysis, Size]]:
        """Nests that fill the results, of the whole chunks and of what is behind those, with sizes
        that are zero if there is none."""
        assert self.fold is not None
        nests = self.fold.chunks(self.results), self.fold.remainder(self.results)
        for nest, size in zip(nests, (self.fold.whole, self.fold.rest), strict=True):
            yield Analysis(nest), size
            nest.erase(safe_erase=False)


@final
class Apart:
    """The parts in their order, and the memory that they need; erased after use. Few rows are taken
    apart; of a block's, which has so many `warps`, all folds, with memory for one position along
    the `outer` axes."""

    def __init__(self, kernel: KernelOp, outer: int = 0, warps: int = 0) -> None:
        self.ranges = kernel.symbols.ranges
        locals = kernel.locals.items()
        self.buffers = {local: row_of(type, outer) for local, type in locals}
        """What the parts leave to each other."""
        self._outer = outer
        self._warps = warps
        self._made: list[NestOp | LocalOp] = []
        self.parts = [part for nest in kernel.nests for part in self._parts(nest)]
        folds = [part.fold for part in self.parts if part.fold is not None]
        self._folds = [(fold, _pays(fold, self.ranges)) for fold in folds]

    @property
    def pays(self) -> bool | None:
        """Whether it is worth while; None where sizes decide that are not known yet. Several folds
        of such sizes, as of a softmax, are taken for those of many rows: each would have grids for
        its chunks, its rest and what joins them, in all versions."""
        found = [pays for _, pays in self._folds]
        return True if True in found else None if len(found) == 1 else False

    def asked(self, writer: Writer) -> Sequence[SSAValue]:
        """Whether it is worth while for the sizes of a call."""
        return [_asked(writer, fold) for fold, _ in self._folds]

    def erase(self) -> None:
        """The kernel's values are used as they were before."""
        for op in reversed(self._made):
            op.erase(safe_erase=False)

    def _parts(self, nest: NestOp) -> Iterator[Part]:
        rows = prod(nest.sizes.data[self._outer :], start=ONE)
        totals = {fold: self._places(fold, (rows,)) for fold in folds_of(nest)[:-1]}
        nests = separated(nest, totals)
        self._made.extend(each for each in nests if each is not nest)
        found = [Analysis(each) for each in nests]
        folds = [self._long(each) for each in found]
        if not any(folds):
            yield Part(Analysis(nest))
            return
        for total in totals.values():
            self._keep(total)
        for analysis, fold in zip(found, folds, strict=True):
            places = [] if fold is None else self._places(fold.fold, fold.shape(rows))
            self._keep(places)
            yield Part(analysis, fold, [place.result for place in places])

    def _places(self, fold: FoldOp, shape: Sequence[Size]) -> list[LocalOp]:
        """Memory for so many of each of a fold's results."""
        types = [buffer(tuple(shape), result.type) for result in fold.results]
        made = [construct(LocalOp, (), (type,)) for type in types]
        self._made.extend(made)
        return made

    def _keep(self, places: Sequence[LocalOp]) -> None:
        for each in places:
            self.buffers[each.result] = buffer_type(each.result)

    def _long(self, analysis: Analysis) -> LongFold | None:
        fold = long_fold(analysis, self._warps)
        if fold is None or (not self._warps and _pays(fold, self.ranges) is False):
            return None
        return fold


def row_of(type: BufferType, outer: int) -> BufferType:
    """A buffer for one position of the first `outer` axes."""
    return buffer(type.shape[outer:], type.element)


def _pays(fold: LongFold, ranges: Mapping[str, Range]) -> bool | None:
    """Whether there are few rows and several chunks; None if that is not known."""
    fewest, most = fold.rows.bounds(ranges)
    one, several = fold.count.bounds(ranges)
    if (fewest or 0) >= _few(fold) or (several is not None and several <= 1):
        return False
    return True if most is not None and most < _few(fold) and (one or 0) > 1 else None


def _asked(writer: Writer, fold: LongFold) -> SSAValue:
    rows, count = (writer.value(writer.extent(size)) for size in (fold.rows, fold.count))
    few = writer.compare("lt", rows, writer.value(_few(fold)))
    return writer.all_of([few, writer.compare("gt", count, writer.value(1))])


def _few(fold: LongFold) -> int:
    """Of so many rows each may as well be the work of those threads that go along a fold."""
    return BUSY // TEAM if fold.along else BUSY
