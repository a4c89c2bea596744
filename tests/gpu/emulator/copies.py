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
        reading = copy.of(copy.sizes > 0)
        if reading.threads.size:
            self._aligned(reading)
        if not self.late:
            self._land(copy)
            return
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
        for size in np.unique(copy.sizes[copy.sizes > 0]):
            chosen = np.flatnonzero(copy.sizes == size)
            self._read(copy, chosen, int(size), data)
        for span in self._targets(copy):
            self.memory.arrive(span)
            rows = data[np.searchsorted(copy.threads, span.threads)]
            dtype = UNSIGNED[8 * min(copy.size, 8)]
            self.memory.write(span, rows.view(dtype), Kind.WRITE)

    def _read(self, copy: Copy, chosen: Array, size: int, data: Array) -> None:
        threads, step = copy.threads[chosen], size & -size
        for start in range(0, size, step):
            sources = copy.sources[chosen] + np.uint64(start)
            for span in self.memory.spans(copy.instruction, sources, threads, step, "global"):
                rows = chosen[np.searchsorted(threads, span.threads)]
                dtype = UNSIGNED[8 * min(step, 8)]
                found = self.memory.read(span, dtype, step // dtype.itemsize, Kind.READ)
                data[rows, start : start + step] = found.view(np.uint8).reshape(-1, step)

    def _targets(self, copy: Copy) -> Iterator[Span]:
        return self.memory.spans(copy.instruction, copy.targets, copy.threads, copy.size, "shared")

    def _aligned(self, copy: Copy) -> None:
        """The source is as aligned as the target, however little of it is read."""
        for _ in self.memory.spans(
            copy.instruction, copy.sources, copy.threads, 1, "global", copy.size
        ):
            pass
