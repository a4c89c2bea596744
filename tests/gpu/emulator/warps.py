"""What the lanes of a warp do together: shuffles, votes, matches and reductions."""

from collections.abc import Callable, Mapping

import numpy as np

from emulator.errors import DeadlockError
from emulator.operations import Operation
from emulator.state import State
from emulator.threads import WARP, first
from emulator.types import TYPES, Array


def shuffle(state: State, operation: Operation, lanes: Array) -> None:
    """`shfl.sync`: from another lane of a segment; its own, and false, where that is outside."""
    value, by, clamp, _ = operation.sources
    lane = state.threads.lane.astype(np.int64)
    segment, bound = (clamp >> 8 & 31).astype(np.int64), (clamp & 31).astype(np.int64)
    by = (by & 31).astype(np.int64)
    highest, lowest = (lane & segment) | (bound & ~segment), lane & segment
    mode = operation.how["mode"]
    source = {
        "up": lane - by,
        "down": lane + by,
        "bfly": lane ^ by,
        "idx": lowest | (by & ~segment),
    }[mode]
    inside = source >= highest if mode == "up" else source <= highest
    source = np.where(inside, source, lane) + state.threads.warp.astype(np.int64) * WARP
    _expect_present(state, operation, lanes, source)
    operation.results[0].write(value[np.minimum(source, lane.size - 1)], lanes)
    for result in operation.results[1:]:
        result.write(inside, lanes)


def _expect_present(state: State, operation: Operation, lanes: Array, source: Array) -> None:
    there = np.zeros(max(lanes.size, int(source.max()) + 1), np.bool_)
    there[: lanes.size] = lanes
    missing = lanes & ~there[source]
    if np.count_nonzero(missing):
        one = first(missing)
        raise DeadlockError(
            f"{operation.instruction}: {state.threads.name(one)} takes a value from lane "
            f"{int(source[one]) % WARP}, which does not take part"
        )


def vote(state: State, operation: Operation, lanes: Array) -> None:
    """`vote.sync`: all, any, uni, or a word of bits."""
    threads, predicate = state.threads, operation.sources[0]
    members = threads.of_warp(threads.bits(lanes))
    ballot = threads.of_warp(threads.bits(lanes & predicate))
    value = {
        "all": ballot == members,
        "any": ballot != 0,
        "uni": (ballot == members) | (ballot == 0),
        "ballot": ballot,
    }[operation.how["mode"]]
    operation.results[0].write(value, lanes)


def match_any(state: State, operation: Operation, lanes: Array) -> None:
    """`match.any.sync`: the lanes with the same value."""
    threads, value = state.threads, operation.sources[0]
    found = np.zeros(lanes.size, np.uint32)
    for each in np.unique(value[lanes]):
        same = lanes & (value == each)
        found = np.where(same, threads.of_warp(threads.bits(same)), found)
    operation.results[0].write(found, lanes)


def match_all(state: State, operation: Operation, lanes: Array) -> None:
    """`match.all.sync`: all members and true if they have one value, else 0 and false."""
    threads, value = state.threads, operation.sources[0]
    leader = _leaders(lanes)[threads.warp]
    differs = threads.bits(lanes & (value != value[leader])) != 0
    same = ~threads.of_warp(differs)
    members = threads.of_warp(threads.bits(lanes))
    operation.results[0].write(np.where(same, members, np.uint32(0)), lanes)
    for result in operation.results[1:]:
        result.write(same, lanes)


def _leaders(lanes: Array) -> Array:
    """The first thread of each warp among `lanes`; of other warps any."""
    padded = np.zeros(-(-lanes.size // WARP) * WARP, np.bool_)
    padded[: lanes.size] = lanes
    return padded.reshape(-1, WARP).argmax(1) + np.arange(padded.size // WARP) * WARP


REDUCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "add": np.add.reduce,
    "min": np.minimum.reduce,
    "max": np.maximum.reduce,
    "and": np.bitwise_and.reduce,
    "or": np.bitwise_or.reduce,
    "xor": np.bitwise_xor.reduce,
}


def reduce(state: State, operation: Operation, lanes: Array) -> None:
    """`redux.sync`."""
    value = operation.sources[0]
    dtype = TYPES[operation.how["type"]].dtype
    found = np.zeros(lanes.size, dtype)
    for warp in np.unique(state.threads.warp[lanes]):
        inside = lanes & (state.threads.warp == warp)
        combined = REDUCTIONS[operation.how["op"]](value[inside])
        found[inside] = np.asarray(combined).astype(dtype)
    operation.results[0].write(found, lanes)


def active(state: State, operation: Operation, lanes: Array) -> None:
    """`activemask`."""
    threads = state.threads
    operation.results[0].write(threads.of_warp(threads.bits(lanes)), lanes)


def elect(state: State, operation: Operation, lanes: Array) -> None:
    """`elect.sync`: the first member, and whether one is it."""
    threads = state.threads
    leader = _leaders(lanes)[threads.warp]
    operation.results[0].write((leader % WARP).astype(np.uint32), lanes)
    operation.results[1].write(leader == threads.index, lanes)


def meet(state: State, operation: Operation, lanes: Array) -> None:
    """`bar.warp.sync`: what stands before it is in order with what stands behind it."""
    for warp in np.unique(state.threads.warp[lanes]):
        inside = lanes & (state.threads.warp == warp)
        state.memory.interval.meet(inside, inside)
