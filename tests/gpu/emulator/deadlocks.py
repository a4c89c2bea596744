"""Threads that wait for others that never come, said in one sentence."""

from typing import NoReturn

import numpy as np

from emulator.errors import DeadlockError
from emulator.operations import Operation
from emulator.state import State
from emulator.strands import Strand
from emulator.threads import WARP, first
from emulator.types import Array


def refuse_absent(state: State, operation: Operation, waits: Array, members: Array) -> None:
    """Raises if threads wait for lanes that do not exist or have left, or leave themselves out."""
    threads = state.threads
    gone = threads.of_warp(~threads.bits(~state.exited & threads.everyone))
    lost = waits & ((members & gone) != 0)
    if lost.any():
        one = first(lost)
        raise DeadlockError(
            f"{operation.instruction}: {threads.name(one)} waits for "
            f"{_lane(state, one, int(members[one] & gone[one]))}"
        )


def refuse_strangers(state: State, operation: Operation, lanes: Array, members: Array) -> None:
    """Raises if a thread is not in its own mask, or the lanes in it have another one."""
    threads = state.threads
    stranger = lanes & (members >> threads.lane & 1 == 0)
    if stranger.any():
        raise DeadlockError(
            f"{operation.instruction}: {threads.name(first(stranger))} is not in its own mask "
            f"{int(members[first(stranger)]):#x}"
        )
    for mask in np.unique(members[lanes]):
        same = threads.of_warp(threads.bits(lanes & (members == mask)))
        other = lanes & (members == mask) & (same != mask)
        if other.any():
            raise DeadlockError(
                f"{operation.instruction}: {threads.name(first(other))} has the mask "
                f"{int(mask):#x}, in which other lanes have another mask"
            )


def report(state: State, parked: list[Strand]) -> NoReturn:
    """Nobody can go on: says who waits where for whom."""
    if parked:
        _report_warp(state, parked)
    number, barrier = min(state.barriers.open.items())
    missing = np.flatnonzero(~barrier.came)
    who = barrier.waiting[0] if barrier.waiting else None
    subject = (
        f"{who.operation.instruction}: {state.threads.name(first(who.lanes))} waits"
        if who
        else f"barrier {number} waits"
    )
    raise DeadlockError(
        f"{subject} for {barrier.expected} threads, of which "
        f"{barrier.expected - int(barrier.came.sum())} do not come: "
        f"{_where(state, parked, int(missing[0]))}"
    )


def _report_warp(state: State, parked: list[Strand]) -> NoReturn:
    strand = parked[0]
    operation, one = strand.operation, first(strand.lanes)
    warp = state.threads.warp == state.threads.warp[one]
    wanted = operation.sources[-1][one] if operation.row.masked else np.uint32(0xFFFFFFFF)
    absent = warp & ~strand.lanes & (wanted >> state.threads.lane & 1 != 0)
    other = first(absent)
    kind = "divergent barrier: " if not operation.row.masked and not operation.results else ""
    raise DeadlockError(
        f"{operation.instruction}: {kind}{state.threads.name(one)} waits for the other lanes of "
        f"its warp, and {_where(state, parked, other)}"
    )


def _where(state: State, parked: list[Strand], thread: int) -> str:
    position = f"thread {state.threads.position(thread)}"
    if state.exited[thread]:
        return f"{position} has left"
    waiting = [each for barrier in state.barriers.open.values() for each in barrier.waiting]
    for each in (*parked, *waiting):
        if each.lanes[thread]:
            return f"{position} waits in {each.operation.instruction}"
    return f"{position} is elsewhere"


def _lane(state: State, thread: int, lost: int) -> str:
    lane = (lost & -lost).bit_length() - 1
    other = thread // WARP * WARP + lane
    if other >= state.threads.count:
        return f"lane {lane} of its warp, which does not exist"
    return f"thread {state.threads.position(other)}, which has left"
