"""Races in a block: accesses to one byte by two threads that nothing orders, of which one writes.

Accesses are kept from one barrier of all threads to the next and compared there, so that what is
found does not depend on the order in which the emulator ran the threads. Barriers of fewer threads
order what came before, for those who arrived, with what comes after, for those who waited.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import final

import numpy as np

from emulator.errors import RaceError
from emulator.memory import Region
from emulator.syntax import Instruction
from emulator.threads import Threads
from emulator.types import Array


class Kind(IntEnum):
    """Strong accesses (atomic, volatile, relaxed, acquire, release) do not race with each other."""

    READ = 0
    CACHED_READ = 1
    WRITE = 2
    STRONG_READ = 3
    STRONG_WRITE = 4

    @property
    def writes(self) -> bool:
        return self in (Kind.WRITE, Kind.STRONG_WRITE)

    @property
    def verb(self) -> str:
        return "writes" if self.writes else "reads"


@final
@dataclass(frozen=True)
class Access:
    """What threads did with `size` bytes each; `time` counts the partial barriers before it."""

    instruction: Instruction
    kind: Kind
    threads: Array
    offsets: Array
    size: int
    time: int

    def granules(self, size: int) -> Array:
        """The groups of `size` bytes that each thread touched."""
        return (self.offsets // size)[:, None] + np.arange(self.size // size)


@final
@dataclass(frozen=True)
class Meeting:
    """A barrier of some threads: who came, and who waited for them."""

    came: Array
    waited: Array


@final
class Interval:
    """What one block did since its last barrier."""

    def __init__(self, threads: Threads) -> None:
        self.threads = threads
        self.accesses: dict[Region, list[Access]] = {}
        self.meetings: list[Meeting] = []

    def note(
        self,
        region: Region,
        instruction: Instruction,
        kind: Kind,
        threads: Array,
        offsets: Array,
        size: int,
    ) -> None:
        found = Access(instruction, kind, threads, offsets, size, len(self.meetings))
        self.accesses.setdefault(region, []).append(found)

    def meet(self, came: Array, waited: Array) -> None:
        if self.accesses:
            self.meetings.append(Meeting(came.copy(), waited.copy()))

    def finish(self) -> dict[Region, list[Access]]:
        """Checks what was noted, gives it, and forgets it."""
        for region, accesses in self.accesses.items():
            if any(each.kind.writes for each in accesses):
                self._check(region, _Touches(accesses))
        found, self.accesses, self.meetings = self.accesses, {}, []
        return found

    def _check(self, region: Region, touches: "_Touches") -> None:
        ordered = _Order(self.meetings, self.threads.count).ordered
        for granule in touches.disputed():
            for one, two in touches.conflicts(granule):
                first, second = touches.accesses[one[0]], touches.accesses[two[0]]
                if not ordered(one[1], first.time, two[1], second.time):
                    offset = int(granule) * touches.size
                    self._report(region, offset, (first, one[1]), (second, two[1]))

    def _report(
        self, region: Region, offset: int, one: tuple[Access, int], two: tuple[Access, int]
    ) -> None:
        place = region.place(offset)
        raise RaceError(
            f"{two[0].instruction}: {self.threads.name(two[1])} {two[0].kind.verb} byte "
            f"{offset - place.start} of {place.name}, and thread {self.threads.position(one[1])} "
            f"{one[0].kind.verb} it in {one[0].instruction}, with no barrier between the two"
        )


@final
class _Touches:
    """Accesses taken apart: an entry for each thread and granule, in the order of time."""

    def __init__(self, accesses: Sequence[Access]) -> None:
        self.accesses = accesses
        self.size = min(each.size for each in accesses)
        granules = [each.granules(self.size) for each in accesses]
        self.granule = np.concatenate([each.ravel() for each in granules])
        self.thread = np.concatenate(
            [np.repeat(a.threads, g.shape[1]) for a, g in zip(accesses, granules, strict=True)]
        )
        counts = [each.size for each in granules]
        self.source = np.repeat(np.arange(len(accesses)), counts)
        self.kind = np.repeat(np.array([each.kind for each in accesses]), counts)

    def disputed(self) -> Array:
        """Granules that two threads touch, of which one writes, and not both in the strong way."""
        plain = self._against(self.kind == Kind.WRITE)
        strong = self._against(self.kind == Kind.STRONG_WRITE)
        weak = self.kind <= Kind.CACHED_READ
        return np.unique(self.granule[plain | (strong & weak)])

    def _against(self, writes: Array) -> Array:
        """Whether another thread has a write where an entry is; one write by each will do."""
        if not writes.any():
            return np.zeros(writes.shape, np.bool_)
        writer = np.full(int(self.granule.max()) + 1, -1, np.int64)
        writer[self.granule[writes]] = self.thread[writes]
        found = writer[self.granule]
        return (found >= 0) & (found != self.thread)

    def conflicts(self, granule: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Pairs of (access, thread) at a granule that race unless something orders them."""
        entries = np.flatnonzero(self.granule == granule)
        both = [(int(self.source[each]), int(self.thread[each])) for each in entries]
        for place, two in enumerate(both):
            for one in both[:place]:
                kinds = self.accesses[one[0]].kind, self.accesses[two[0]].kind
                strong = min(kinds) >= Kind.STRONG_READ
                if one[1] != two[1] and any(each.writes for each in kinds) and not strong:
                    yield one, two


@final
class _Order:
    """What partial barriers order: whom a thread reaches through them."""

    def __init__(self, meetings: Sequence[Meeting], count: int) -> None:
        self.meetings = meetings
        self.count = count
        self._known: dict[tuple[int, int, int], Array] = {}

    def ordered(self, one: int, start: int, two: int, end: int) -> bool:
        """Whether what `one` did at `start` comes before what `two` does at `end`."""
        return start < end and bool(self._reached(one, start, end)[two])

    def _reached(self, thread: int, start: int, end: int) -> Array:
        key = (thread, start, end)
        if key not in self._known:
            reached = np.zeros(self.count, np.bool_)
            reached[thread] = True
            for each in self.meetings[start:end]:
                if (each.came & reached).any():
                    reached |= each.waited
            self._known[key] = reached
        return self._known[key]
