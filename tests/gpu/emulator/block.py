"""One block run to its end: which threads go next, which wait, and when they are together again.

Threads that stand at one place are a strand, and go on side by side. Of a team's strands the one
that stands furthest up goes first, so that those that went different ways meet where their ways do.
A team is the whole block, or a warp: then each goes on as far as it can before the next begins.
"""

from enum import Enum
from typing import final

import numpy as np

from emulator.deadlocks import refuse_absent, refuse_strangers, report
from emulator.errors import EmulationError
from emulator.operations import Operation
from emulator.rows import Kind
from emulator.state import State
from emulator.strands import Code, Strand
from emulator.types import Array


class Order(Enum):
    """Who goes first between two barriers; what a kernel gives may not depend on it."""

    TOGETHER = "together"
    """All warps side by side."""
    FORWARD = "forward"
    """Warp by warp."""
    BACKWARD = "backward"
    """Warp by warp, the last one first, and so with the blocks of a grid."""


@final
class Block:
    """The strands of one block."""

    def __init__(self, state: State, order: Order, limit: int) -> None:
        self.state = state
        self.order = order
        self.left = limit
        self.ready: list[Strand] = []
        self.parked: list[Strand] = []
        """Those that wait for other lanes of their warps to come to where they are."""

    def run(self, kernel: Code) -> None:
        self.ready = [Strand(team, lanes, kernel) for team, lanes in self._teams()]
        while self.ready:
            strand = min(self.ready, key=lambda each: each.rank)
            self.ready.remove(strand)
            self._advance(strand)
        if self.parked or self.state.barriers.open:
            report(self.state, self.parked)
        self.state.memory.barrier()

    def _teams(self) -> list[tuple[int, Array]]:
        threads = self.state.threads
        if self.order is Order.TOGETHER:
            return [(0, threads.everyone)]
        sign = 1 if self.order is Order.FORWARD else -1
        return [(sign * warp, threads.warp == warp) for warp in range(threads.warps)]

    def _advance(self, strand: Strand) -> None:
        """Goes on until the threads part, stay, or come to where others are."""
        operations, stop = strand.code.operations, self._stop(strand)
        lanes, pc = strand.lanes, strand.pc
        some = bool(np.count_nonzero(lanes))
        while pc < stop and some:
            operation = operations[pc]
            self._count(operation)
            if operation.row.kind is Kind.CONTROL:
                self._turn(strand.at(pc, lanes), operation)
                return
            operation.prepare()
            if operation.row.kind is Kind.LANES:
                operation.compute(operation.lanes(lanes))
            else:
                lanes = self._act(strand.at(pc, lanes), operation)
                some = bool(np.count_nonzero(lanes))
            pc += 1
        self._put(strand.at(pc, lanes))

    def _count(self, operation: Operation) -> None:
        self.left -= 1
        if self.left < 0:
            raise EmulationError(
                f"{operation.instruction}: block {self.state.threads.block} comes to no end"
            )

    def _stop(self, strand: Strand) -> int:
        """The next place at which others are that this strand may meet."""
        places = [
            each.pc
            for each in (*self.ready, *self.parked)
            if each.team == strand.team and each.code is strand.code and each.pc > strand.pc
        ]
        return min(places, default=len(strand.code.operations))

    def _put(self, strand: Strand) -> None:
        """Among the strands that may go on, joined with who is at the same place."""
        if not np.count_nonzero(strand.lanes):
            return
        for others in (self.ready, self.parked):
            for other in others:
                if other.meets(strand):
                    others.remove(other)
                    self.ready.append(strand.of(strand.lanes | other.lanes))
                    return
        self.ready.append(strand)

    def _turn(self, strand: Strand, operation: Operation) -> None:
        """An instruction after which threads go different ways."""
        operation.prepare()
        lanes = operation.lanes(strand.lanes)
        present = self._present(strand, operation, lanes)
        if np.count_nonzero(present):
            for each in operation.row.meaning(self.state, operation, strand.of(present)):
                self._put(each)
        self._put(strand.at(strand.pc + 1, strand.lanes & ~lanes))

    def _act(self, strand: Strand, operation: Operation) -> Array:
        """An instruction on what threads share: those that need not wait for others."""
        lanes = operation.lanes(strand.lanes)
        present = self._present(strand, operation, lanes)
        for group in self._groups(operation, present):
            operation.row.meaning(self.state, operation, group)
        return strand.lanes & (present | ~lanes)

    def _present(self, strand: Strand, operation: Operation, lanes: Array) -> Array:
        """The threads that find all they wait for beside them; the others are parked."""
        if not operation.row.meets or not np.count_nonzero(lanes):
            return lanes
        threads = self.state.threads
        members, here = self._members(operation), threads.of_warp(threads.bits(lanes))
        waits = lanes & ((members & ~here) != 0)
        if np.count_nonzero(waits):
            refuse_absent(self.state, operation, waits, members)
            self.parked.append(strand.of(waits))
        elif operation.row.masked:
            refuse_strangers(self.state, operation, lanes, members)
        return lanes & ~waits

    def _members(self, operation: Operation) -> Array:
        """For each thread the lanes of its warp that it waits for."""
        if operation.row.masked:
            return operation.sources[-1]
        threads = self.state.threads
        return threads.of_warp(threads.bits(threads.everyone))

    def _groups(self, operation: Operation, lanes: Array) -> list[Array]:
        """Threads that act together: those of one mask, where the row has one."""
        if not np.count_nonzero(lanes):
            return []
        if not (operation.row.meets and operation.row.masked):
            return [lanes]
        masks = operation.sources[-1]
        return [lanes & (masks == each) for each in np.unique(masks[lanes])]
