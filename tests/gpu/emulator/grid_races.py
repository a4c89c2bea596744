"""Races between the blocks of a launch, which only a fence and an atomic operation put in order."""

from typing import final

import numpy as np

from emulator.errors import RaceError
from emulator.memory import Region
from emulator.races import Access, Kind
from emulator.threads import Threads
from emulator.types import Array

LINES = 32
"""Bits of a mark for the line of the instruction; above stands the block's number and 1."""

MANY = -1
"""The mark of what more than one block read."""


@final
class GridOrder:
    """What blocks publish by a fence and an atomic operation, and others see by another one."""

    def __init__(self) -> None:
        self._published: dict[int, set[int]] = {}
        self.seen: set[int] = set()
        self.fenced = False
        self.before = -1
        """How many blocks ran before this one."""

    def begin(self) -> None:
        self.seen, self.fenced, self.before = set(), False, self.before + 1

    def fence(self) -> None:
        self.fenced = True

    def meet(self, block: int, address: int) -> None:
        """An atomic operation at an address."""
        earlier = self._published.setdefault(address, set())
        self.seen |= earlier
        if self.fenced:
            earlier |= self.seen | {block}


@final
class GridRaces:
    """Who touched the bytes of each buffer in one launch; blocks come one after another."""

    def __init__(self, threads: Threads) -> None:
        self.threads = threads
        self.order = GridOrder()
        self._marks: dict[Region, _Marks] = {}

    def add(self, accesses: dict[Region, list[Access]]) -> None:
        """What the block did in an interval."""
        for region, each in accesses.items():
            if region.base:
                marks = self._marks.setdefault(region, _Marks(region))
                for access in each:
                    marks.refine(access.size)
                    self._add(region, access, marks)

    def _add(self, region: Region, access: Access, marks: "_Marks") -> None:
        granules, kind = access.granules(marks.size), access.kind
        against = [marks.writers]
        if kind <= Kind.WRITE:
            against.append(marks.strong_writers)
        if kind.writes:
            against += [marks.readers, marks.cached_readers]
        for each in against:
            found = each[granules]
            cached = kind is Kind.CACHED_READ or each is marks.cached_readers
            disputed = found != 0 if cached else self._unordered(found)
            if np.count_nonzero(disputed):
                thread, part = np.argwhere(disputed)[0]
                offset = int(granules[thread, part]) * marks.size
                reads = each is marks.readers or each is marks.cached_readers
                mark = int(found[thread, part])
                self._report(region, access, int(access.threads[thread]), offset, mark, reads)
        marks.add(kind, granules, self.threads.number + 1 << LINES | access.instruction.line)

    def _unordered(self, marks: Array) -> Array:
        """Where a mark is of a block that nothing orders before this one."""
        if not np.count_nonzero(marks):
            return np.zeros(marks.shape, np.bool_)
        known = {self.threads.number, *self.order.seen}
        everyone = len(known) > self.order.before
        blocks = (marks >> LINES) - 1
        ordered = np.isin(blocks, list(known)) | (marks == 0)
        return np.where(marks == MANY, not everyone, ~ordered)

    def _report(
        self, region: Region, access: Access, thread: int, offset: int, mark: int, reads: bool
    ) -> None:
        verb = "read" if reads else "write"
        who = f"block {self.threads.block_at((mark >> LINES) - 1)} {verb}s it"
        other = f"{who} in line {mark & (1 << LINES) - 1}" if mark != MANY else f"others {verb} it"
        raise RaceError(
            f"{access.instruction}: {self.threads.name(thread)} {access.kind.verb} byte {offset} "
            f"of {region.name}, and {other}, in one launch"
        )


@final
class _Marks:
    """For each granule of a buffer who touched it last in each way; 0 for nobody."""

    def __init__(self, region: Region) -> None:
        self.size = 16
        count = region.data.size // self.size
        self.writers, self.strong_writers, self.readers, self.cached_readers = (
            np.zeros(count, np.int64) for _ in range(4)
        )

    def refine(self, size: int) -> None:
        """Makes granules no larger than this."""
        if size >= self.size:
            return
        parts, self.size = self.size // size, size
        self.writers = np.repeat(self.writers, parts)
        self.strong_writers = np.repeat(self.strong_writers, parts)
        self.readers = np.repeat(self.readers, parts)
        self.cached_readers = np.repeat(self.cached_readers, parts)

    def add(self, kind: Kind, granules: Array, mark: int) -> None:
        if kind is Kind.WRITE:
            self.writers[granules] = mark
        elif kind is Kind.STRONG_WRITE:
            self.strong_writers[granules] = mark
        elif kind is Kind.CACHED_READ:
            self.cached_readers[granules] = mark
        elif kind is Kind.READ:
            before = self.readers[granules]
            same = (before == 0) | (before >> LINES == mark >> LINES)
            self.readers[granules] = np.where(same, mark, MANY)
