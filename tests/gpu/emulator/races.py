"""Races in a block: accesses to one byte by two threads that nothing orders, of which one writes.

Accesses are kept from one barrier of all threads to the next and compared there, so that what is
found does not depend on the order in which the emulator ran the threads. Barriers of fewer threads
order what came before, for those who arrived, with what comes after, for those who waited.
"""

from collections.abc import Sequence
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
    def against(self) -> set["Kind"]:
        """With what it races."""
        if self is Kind.WRITE:
            return set(Kind)
        if self is Kind.STRONG_WRITE:
            return {Kind.READ, Kind.CACHED_READ, Kind.WRITE}
        return {Kind.WRITE} if self is Kind.STRONG_READ else {Kind.WRITE, Kind.STRONG_WRITE}

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

    def among(self, granules: Array, size: int) -> tuple[Array, Array]:
        """The threads that touched some of these sorted granules, and which of them."""
        mine = self.granules(size)
        places = np.minimum(np.searchsorted(granules, mine), granules.size - 1)
        rows, parts = np.nonzero(granules[places] == mine)
        return self.threads[rows], places[rows, parts]


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
                self._check(region, accesses)
        found, self.accesses, self.meetings = self.accesses, {}, []
        return found

    def _check(self, region: Region, accesses: Sequence[Access]) -> None:
        """Takes the accesses in their order; a mark that a thread has not seen is of a race."""
        size = min(each.size for each in accesses)
        disputed = _disputed(accesses, size)
        if not disputed.size:
            return
        clocks, met = Clocks(self.threads.count), 0
        marks: dict[Kind, Array] = {}
        for access in accesses:
            for meeting in self.meetings[met : access.time]:
                clocks.meet(meeting)
            met = access.time
            threads, places = access.among(disputed, size)
            mine = marks.setdefault(access.kind, np.zeros((disputed.size, clocks.count), np.int32))
            mine[places, threads] = clocks.seen[threads, threads]
            for kind in access.kind.against & marks.keys():
                unseen = np.argwhere(marks[kind][places] > clocks.seen[threads])
                if unseen.size:
                    row, other = map(int, unseen[0])
                    offset = int(disputed[places[row]]) * size
                    first = _last(accesses, access, kind, other, offset)
                    self._report(region, offset, (first, other), (access, int(threads[row])))

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
class Clocks:
    """For each thread how far it has seen every other one: vector clocks (F. Mattern, "Virtual time
    and global states of distributed systems", 1989), which tick at partial barriers."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.seen = np.eye(count, dtype=np.int32)

    def meet(self, meeting: Meeting) -> None:
        latest = self.seen[meeting.came].max(0)
        self.seen[meeting.waited] = np.maximum(self.seen[meeting.waited], latest)
        there = np.flatnonzero(meeting.came | meeting.waited)
        self.seen[there, there] += 1


def _disputed(accesses: Sequence[Access], size: int) -> Array:
    """Granules that two threads touch, of which one writes, and not both in the strong way."""
    granules = [each.granules(size) for each in accesses]
    granule = np.concatenate([each.ravel() for each in granules])
    thread = np.concatenate(
        [np.repeat(a.threads, g.shape[1]) for a, g in zip(accesses, granules, strict=True)]
    )
    kind = np.repeat([each.kind for each in accesses], [each.size for each in granules])
    plain = _against(granule, thread, kind == Kind.WRITE)
    strong = _against(granule, thread, kind == Kind.STRONG_WRITE)
    return np.unique(granule[plain | (strong & (kind <= Kind.CACHED_READ))])


def _against(granule: Array, thread: Array, writes: Array) -> Array:
    """Whether another thread has a write where an entry is; one write of each granule will do."""
    if not np.count_nonzero(writes):
        return np.zeros(writes.shape, np.bool_)
    writer = np.full(int(granule.max()) + 1, -1, np.int64)
    writer[granule[writes]] = thread[writes]
    found = writer[granule]
    return (found >= 0) & (found != thread)


def _last(
    accesses: Sequence[Access], until: Access, kind: Kind, thread: int, offset: int
) -> Access:
    """The access by which a thread left its mark."""
    before = accesses[: next(i for i, each in enumerate(accesses) if each is until) + 1]
    return next(
        each
        for each in reversed(before)
        if each.kind is kind
        and any(
            other == thread and start <= offset < start + each.size
            for other, start in zip(each.threads, each.offsets, strict=True)
        )
    )
