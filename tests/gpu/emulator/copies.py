"""`cp.async`: copies to shared memory that arrive when they are waited for, not before.

Hardware may let the bytes arrive at any time from the copy on. The emulator lets them arrive as
late as it may, and refuses every access to them until then: so a wait that is missing, or for a
group too few, is found at once. `late=False` copies at once instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from emulator.access import Memory, Span
from emulator.races import Kind
from emulator.syntax import Instruction
from emulator.types import UNSIGNED, Array


@final
@dataclass(frozen=True)
class Copy:
    """One instruction's copies, by thread: `sizes` bytes of `size` are read, the rest is zero."""

    instruction: Instruction
    threads: Array
    targets: Array
    sources: Array
    sizes: Array
    size: int
    groups: Array

    def of(self, chosen: Array) -> "Copy":
        """Of some of its threads."""
        return replace(
            self,
            threads=self.threads[chosen],
            targets=self.targets[chosen],
            sources=self.sources[chosen],
            sizes=self.sizes[chosen],
            groups=self.groups[chosen],
        )


@final
class Copies:
    """The copies of a block that nobody has waited for yet."""

    def __init__(self, memory: Memory, count: int, late: bool) -> None:
        self.memory = memory
        self.late = late
        self.committed = np.zeros(count, np.int64)
        self.pending: list[Copy] = []

    def begin(self, copy: Copy) -> None:
        if not self.late:
            self._land(copy)
            return
        for span, _, _ in self._sources(copy):
            self.memory.note(span, Kind.READ)
        for span in self._targets(copy):
            self.memory.expect(span)
        self.pending.append(copy)

    def commit(self, lanes: Array) -> None:
        """What these threads began since the last time is a group."""
        self.committed[lanes] += 1

    def wait(self, lanes: Array, newest: int) -> None:
        """Lets all arrive but the last `newest` groups of each thread; -1: also what is in none."""
        left: list[Copy] = []
        for copy in self.pending:
            limit = self.committed[copy.threads] - newest
            due = lanes[copy.threads] & (copy.groups < limit)
            if due.any():
                self._land(copy.of(due))
            if not due.all():
                left.append(copy.of(~due))
        self.pending = left

    def _land(self, copy: Copy) -> None:
        data = np.zeros((copy.threads.size, copy.size), np.uint8)
        for span, rows, start in self._sources(copy):
            dtype = UNSIGNED[8 * min(span.size, 8)]
            found = self.memory.read(span, dtype, span.size // dtype.itemsize, Kind.READ)
            data[rows, start : start + span.size] = found.view(np.uint8)
        for span in self._targets(copy):
            self.memory.arrive(span)
            rows = data[np.searchsorted(copy.threads, span.threads)]
            self.memory.write(span, rows.view(UNSIGNED[8 * min(copy.size, 8)]), Kind.WRITE)

    def _targets(self, copy: Copy) -> Iterator[Span]:
        return self.memory.spans(copy.instruction, copy.targets, copy.threads, copy.size, "shared")

    def _sources(self, copy: Copy) -> Iterator[tuple[Span, Array, int]]:
        """What is read, in pieces of a power of two: with the places of the threads among those of
        the copy, and where the piece begins. The whole is as aligned as the target."""
        for size in map(int, np.unique(copy.sizes[copy.sizes > 0])):
            chosen, step = np.flatnonzero(copy.sizes == size), size & -size
            threads = copy.threads[chosen]
            for start in range(0, size, step):
                sources = copy.sources[chosen] + np.uint64(start)
                alignment = step if start else copy.size
                for span in self.memory.spans(
                    copy.instruction, sources, threads, step, "global", alignment
                ):
                    yield span, chosen[np.searchsorted(threads, span.threads)], start
