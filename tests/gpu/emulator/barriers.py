"""The sixteen barriers of a block, and the instructions that meet there."""

from dataclasses import dataclass, field
from typing import final

import numpy as np

from emulator.access import Memory
from emulator.errors import DeadlockError
from emulator.operations import Operation
from emulator.strands import Strand
from emulator.threads import WARP, Threads
from emulator.types import Array

COUNT = 16


@final
@dataclass(eq=False)
class Barrier:
    """Who came since it last opened, who of them waits, and with which predicates."""

    expected: int
    came: Array
    votes: Array
    waiting: list[Strand] = field(default_factory=list[Strand])


@final
class Barriers:
    """The barriers at which somebody is."""

    def __init__(self, threads: Threads, memory: Memory) -> None:
        self.threads = threads
        self.memory = memory
        self.open: dict[int, Barrier] = {}

    def come(
        self, strand: Strand, number: int, expected: int, votes: Array | None, waits: bool
    ) -> list[Strand]:
        """Threads come to a barrier; gives the strands that go on."""
        operation = strand.operation
        barrier = self._barrier(operation, number, expected)
        twice = barrier.came & strand.lanes
        if twice.any():
            who = self.threads.name(int(np.flatnonzero(twice)[0]))
            raise DeadlockError(
                f"{operation.instruction}: {who} comes to barrier {number} again before it opened"
            )
        barrier.came |= strand.lanes
        if votes is not None:
            barrier.votes[strand.lanes] = votes[strand.lanes]
        if waits:
            barrier.waiting.append(strand)
        going = [] if waits else [strand.at(strand.pc + 1)]
        if np.count_nonzero(barrier.came) < barrier.expected:
            return going
        del self.open[number]
        return going + self._opened(barrier)

    def _barrier(self, operation: Operation, number: int, expected: int) -> Barrier:
        whole = self.threads.count
        if number >= COUNT or expected > whole or (expected % WARP and expected != whole):
            raise DeadlockError(
                f"{operation.instruction}: there are {COUNT} barriers, of whole warps out of the "
                f"{whole} threads of the block, not barrier {number} of {expected} threads"
            )
        fresh = Barrier(expected, np.zeros(whole, np.bool_), np.zeros(whole, np.bool_))
        found = self.open.setdefault(number, fresh)
        if found.expected != expected:
            raise DeadlockError(
                f"{operation.instruction}: barrier {number} waits for {found.expected} threads "
                f"already, not for {expected}"
            )
        return found

    def _opened(self, barrier: Barrier) -> list[Strand]:
        nobody = np.zeros(self.threads.count, np.bool_)
        waited = np.logical_or.reduce([nobody, *(each.lanes for each in barrier.waiting)])
        if waited.all():
            self.memory.barrier()
        else:
            self.memory.interval.meet(barrier.came, waited)
        for each in barrier.waiting:
            if each.operation.results:
                self._answer(each, barrier)
        return [each.at(each.pc + 1) for each in barrier.waiting]

    def _answer(self, strand: Strand, barrier: Barrier) -> None:
        votes = barrier.votes[barrier.came]
        combined = {"popc": np.count_nonzero, "and": np.all, "or": np.any}
        value = combined[strand.operation.how["join"]](votes)
        dtype = np.uint32 if strand.operation.how["join"] == "popc" else np.bool_
        array = np.full(self.threads.count, value, dtype)
        strand.operation.results[0].write(array, strand.lanes)
