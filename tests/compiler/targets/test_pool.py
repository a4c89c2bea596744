"""The thread pool's machine code, called through ctypes: loops, callers, workers, forks."""

import ctypes
import errno
import os
import re
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp, i32

from at_once import at_once
from stepwell.compiler.dialects.llvm.types import i64, ptr
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.targets.cpu import compile_object, host
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.compiler.targets.support import support_object
from stepwell.compiler.targets.support.pool.layout import IMPORTS, SLOT_COUNT
from stepwell.runtime import code, system

Address = ctypes.c_void_p
Task = ctypes.CFUNCTYPE(None, Address, ctypes.c_int64, ctypes.c_int64)
Create = ctypes.CFUNCTYPE(Address, Address, ctypes.c_int32)
ParallelFor = ctypes.CFUNCTYPE(None, Address, Address, Address, ctypes.c_int64)
Resize = ctypes.CFUNCTYPE(None, Address, ctypes.c_int32)
Destroy = ctypes.CFUNCTYPE(None, Address)

TIMEOUT = 20.0
"""Seconds after which a test gives up waiting: only a pool that hangs takes so long."""


@cache
def loaded() -> code.Code:
    return code.load(support_object(host()), "pool")


@cache
def counting() -> code.Code:
    """`count(args, begin, end)` adds 1 to each of the i32 from args[begin] to args[end - 1]."""
    b = LlvmBuilder.define("count", [ptr, i64, i64])
    args, begin, end = b.arguments
    with b.loop(begin, end) as loop:
        b.atomicrmw("add", b.gep(args, loop.index, i32), 1, "monotonic", i32)
    b.ret()
    text = module_text(ModuleOp([b.function]))
    return code.load(compile_object(text, host()), "count")


def import_names() -> list[str]:
    return code.names(loaded().symbols["stepwell_pool_imports"])


def make_table(replaced: Mapping[str, int]) -> ctypes.Array[ctypes.c_uint64]:
    names = import_names()
    pairs = zip(names, system.addresses(names), strict=True)
    return (ctypes.c_uint64 * len(names))(*(replaced.get(name, found) for name, found in pairs))


def address_of(callback: Callable[..., object]) -> int:
    return ctypes.c_void_p.from_buffer(callback).value or 0


def running() -> set[str]:
    """The threads of this process."""
    return {path.name for path in Path("/proc/self/task").iterdir()}


class Pool:
    """A pool, and the threads that it has started since it was made."""

    def __init__(self, threads: int, replaced: Mapping[str, int] | None = None) -> None:
        self.others = running()
        table = make_table(replaced or {})
        self.address = Create(loaded().symbols["stepwell_pool_create"])(table, threads)
        self._parallel_for = ParallelFor(loaded().symbols["stepwell_parallel_for"])

    def run(self, task: Callable[[int, int], None], n: int) -> None:
        callback = Task(lambda args, begin, end: task(begin, end))
        self._parallel_for(self.address, address_of(callback), None, n)

    def count(self, n: int) -> bool:
        """Whether a loop in machine code visits each of n iterations once, and no neighbour."""
        visits = np.zeros(n + 2, np.int32)
        self._parallel_for(
            self.address, counting().symbols["count"], visits.ctypes.data + visits.itemsize, n
        )
        return visits[0] == visits[-1] == 0 and bool((visits[1:-1] == 1).all())

    def resize(self, threads: int) -> None:
        Resize(loaded().symbols["stepwell_pool_resize"])(self.address, threads)

    def destroy(self) -> None:
        Destroy(loaded().symbols["stepwell_pool_destroy"])(self.address)
        self.address = None

    @property
    def workers(self) -> set[str]:
        return running() - self.others


@pytest.fixture(params=[1, 2, 3, 7])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    made = Pool(request.param)
    made.count(100)
    yield made
    made.destroy()


@pytest.fixture
def pair() -> Iterator[Pool]:
    """A pool of two threads, its worker started."""
    made = Pool(2)
    made.count(100)
    yield made
    if made.address:
        made.destroy()


def in_child(check: Callable[[], bool]) -> bool:
    """Whether `check` holds in a fork()ed child, which is killed if it hangs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads: our subject
        child = os.fork()
    if child == 0:
        signal.alarm(int(TIMEOUT))
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


# The object.


def test_the_table_is_described() -> None:
    assert import_names() == [function.name for function in IMPORTS]
    assert [function.number for function in IMPORTS] == list(range(len(IMPORTS)))


# Loops.


def test_every_iteration_is_visited_once(pool: Pool) -> None:
    assert all(pool.count(n) for n in [*range(70), 1000, 12345])


def test_an_empty_or_negative_loop_does_nothing(pair: Pool) -> None:
    visited: list[int] = []
    pair.run(lambda begin, end: visited.append(begin), 0)
    pair.run(lambda begin, end: visited.append(begin), -5)
    assert visited == []


def test_the_longest_loop_is_covered(pair: Pool) -> None:
    n = 2**63 - 1
    ranges: list[tuple[int, int]] = []
    pair.run(lambda begin, end: ranges.append((begin, end)), n)
    ranges.sort()
    assert ranges[0][0] == 0
    assert ranges[-1][1] == n
    assert all(left[1] == right[0] for left, right in pairwise(ranges))


def test_ranges_are_equal(pair: Pool) -> None:
    """But for a single iteration, so that no thread has more to do than another."""
    lengths: list[int] = []
    pair.run(lambda begin, end: lengths.append(end - begin), 75)
    assert sorted(lengths) == [4] * 5 + [5] * 11


def test_uneven_ranges_balance(pair: Pool) -> None:
    """The first range ends when all others are done: only if nobody waits behind it."""
    others = threading.Semaphore(0)
    seen: list[bool] = []

    def task(begin: int, end: int) -> None:
        if begin > 0:
            others.release()
        else:
            seen.extend(others.acquire(timeout=TIMEOUT) for _ in range(15))

    pair.run(task, 16)
    assert seen == [True] * 15


def test_all_threads_take_part() -> None:
    for threads in (2, 3, 7):
        pool = Pool(threads)
        meet(pool, threads)
        assert len(pool.workers) == threads - 1
        pool.destroy()


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_keep_their_parts(threads: int) -> None:
    """Loop after loop, of any length, each begins with the same part of the iterations."""
    pool = Pool(threads)
    found = [firsts(pool, threads, each) for each in (1, 1, 3, 8, 100)]
    assert sorted(found[0].values()) == list(range(threads))
    assert all(each == found[0] for each in found)
    pool.destroy()


def firsts(pool: Pool, threads: int, each: int) -> dict[int, int]:
    """In which of the loop's parts, of so many iterations each, the threads begin."""
    meeting = threading.Barrier(threads, timeout=TIMEOUT)
    found: dict[int, int] = {}

    def task(begin: int, end: int) -> None:
        thread = threading.get_native_id()
        if thread not in found:
            found[thread] = begin // each
            meeting.wait()

    pool.run(task, each * threads)
    return found


def void(result: object) -> None:
    """Drops what a task must not return."""


def meet(pool: Pool, threads: int) -> None:
    """A loop that ends only if so many threads are in it at once."""
    meeting = threading.Barrier(threads, timeout=TIMEOUT)
    pool.run(lambda begin, end: void(meeting.wait()), threads)
    assert not meeting.broken


def test_sleepers_are_woken(pool: Pool) -> None:
    threads = 1 + len(pool.workers)
    for _ in range(3):
        time.sleep(0.005)
        at_once(1, lambda number: meet(pool, threads))


@pytest.mark.parametrize("longer", [0, 1])
def test_a_caller_that_sleeps_is_woken(pair: Pool, longer: int) -> None:
    """One range ends long before the other, which is the caller's or the worker's."""

    def task(begin: int, end: int) -> None:
        meeting.wait()
        time.sleep(0.005 * (begin == longer))

    for _ in range(3):
        meeting = threading.Barrier(2, timeout=TIMEOUT)
        at_once(1, lambda number: pair.run(task, 2))


def test_nested_loops_stay_in_their_thread(pool: Pool) -> None:
    outer: list[int] = []
    inner: list[tuple[int, int, int]] = []

    def task(begin: int, end: int) -> None:
        outer.append(threading.get_native_id())
        pool.run(lambda b, e: inner.append((threading.get_native_id(), b, e)), 10)

    pool.run(task, 8)
    pool.run(task, 8)
    assert sorted(inner) == sorted((thread, 0, 10) for thread in outer)


def test_a_single_iteration_may_share_its_inner_loop(pair: Pool) -> None:
    pair.run(lambda begin, end: meet(pair, 2), 1)


# Callers.


def test_concurrent_callers(pool: Pool) -> None:
    failures: list[int] = []

    def caller(number: int) -> None:
        lengths = np.random.default_rng(number).integers(0, 200, 1000)
        failures.extend(int(n) for n in lengths if not pool.count(int(n)))

    at_once(6, caller)
    assert failures == []


def test_a_caller_waits_for_no_other(pair: Pool) -> None:
    """While one loop cannot go on, loops of another thread are done."""
    release = threading.Event()
    blocked = threading.Thread(
        target=pair.run, args=(lambda begin, end: void(release.wait(TIMEOUT)), 2), daemon=True
    )
    blocked.start()
    assert all(pair.count(n) for n in range(100))
    assert blocked.is_alive()
    release.set()
    blocked.join(TIMEOUT)
    assert not blocked.is_alive()


def test_there_may_be_more_callers_than_slots(pair: Pool) -> None:
    callers = SLOT_COUNT + 9
    meeting = threading.Barrier(callers, timeout=TIMEOUT)

    def task(begin: int, end: int) -> None:
        if begin == 0:
            meeting.wait()

    at_once(callers, lambda number: pair.run(task, 2))
    assert not meeting.broken
    assert pair.count(100)


def test_workers_share_themselves_out() -> None:
    """With two loops on the board and two workers, both loops are helped."""
    pool = Pool(3)
    meeting = threading.Barrier(4, timeout=TIMEOUT)
    at_once(2, lambda number: pool.run(lambda begin, end: void(meeting.wait()), 2))
    assert not meeting.broken
    pool.destroy()


# Workers.


def test_one_thread_starts_none() -> None:
    pool = Pool(1)
    assert pool.count(1000)
    assert pool.workers == set()
    pool.destroy()


def test_workers_start_with_the_first_loop_that_can_use_them() -> None:
    pool = Pool(3)
    assert pool.count(1)
    assert pool.workers == set()
    assert pool.count(2)
    assert len(pool.workers) == 2
    pool.destroy()


def test_threads_are_kept_within_bounds() -> None:
    pool = Pool(-3)
    assert pool.count(10)
    assert pool.workers == set()
    pool.destroy()


def test_idle_workers_sleep(pool: Pool) -> None:
    assert pool.count(1000)
    time.sleep(0.05)
    before = processor_seconds(pool.workers)
    time.sleep(0.3)
    assert processor_seconds(pool.workers) - before < 0.003


def processor_seconds(threads: set[str]) -> float:
    """Time that the kernel has run these threads for."""
    lines = [Path(f"/proc/self/task/{thread}/schedstat").read_text() for thread in threads]
    return sum(int(line.split()[0]) for line in lines) * 1e-9


def test_idle_workers_poll_for_50_microseconds_only(pair: Pool) -> None:
    before = processor_seconds(pair.workers)
    for _ in range(100):
        pair.count(2)
        time.sleep(0.001)
    assert processor_seconds(pair.workers) - before < 0.03


def test_workers_leave_signals_to_the_program(pair: Pool) -> None:
    meet(pair, 2)  # until it runs, a new thread has all signals blocked
    (worker,) = pair.workers
    status = Path(f"/proc/self/task/{worker}/status").read_text()
    blocked = int(re.findall(r"SigBlk:\s*(\w+)", status)[0], 16)
    assert blocked >> (signal.SIGINT - 1) & 1
    assert blocked >> (signal.SIGTERM - 1) & 1
    assert not blocked >> (signal.SIGSEGV - 1) & 1
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_resizing(pair: Pool) -> None:
    for threads in (5, 1, 3, 3, 2):
        pair.resize(threads)
        assert pair.workers == set()
        assert pair.count(100)
        assert len(pair.workers) == threads - 1


def test_resizing_under_way(pair: Pool) -> None:
    end = time.monotonic() + 0.5
    failures: list[int] = []

    def caller(number: int) -> None:
        while time.monotonic() < end:
            if number < 2:
                pair.resize(1 + (number + 3 * len(failures)) % 4)
            elif not pair.count(50):
                failures.append(number)

    at_once(5, caller)
    assert failures == []


def test_resizing_within_a_loop_is_ignored(pair: Pool) -> None:
    pair.run(lambda begin, end: pair.resize(1), 8)
    assert pair.count(100)
    assert len(pair.workers) == 1


def test_destroying_ends_the_workers(pair: Pool) -> None:
    assert len(pair.workers) == 1
    pair.destroy()
    assert pair.workers == set()


# Forks.


def starts_its_own_worker(pool: Pool) -> bool:
    """In a child: no worker was inherited, and the first loop starts one."""
    alone = len(running()) == 1
    meet(pool, 2)
    return alone and len(running()) == 2 and pool.count(1000)


def test_a_child_starts_its_own_workers(pair: Pool) -> None:
    for _ in range(3):
        assert in_child(lambda: starts_its_own_worker(pair))
        assert pair.count(1000)
    assert len(pair.workers) == 1


def test_a_child_of_a_child_starts_its_own_workers(pair: Pool) -> None:
    assert in_child(
        lambda: starts_its_own_worker(pair) and in_child(lambda: starts_its_own_worker(pair))
    )


def test_forking_while_other_threads_call(pair: Pool) -> None:
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            pair.count(300)

    callers = [threading.Thread(target=call, daemon=True) for _ in range(3)]
    for caller in callers:
        caller.start()
    assert all(in_child(lambda: pair.count(1000)) for _ in range(10))
    stop.set()
    for caller in callers:
        caller.join(TIMEOUT)


def test_a_child_may_resize_and_destroy(pair: Pool) -> None:
    def check() -> bool:
        pair.resize(3)
        served = pair.count(100) and len(running()) == 3
        pair.destroy()
        return served and len(running()) == 1

    assert in_child(check)
    assert pair.count(100)


@ctypes.CFUNCTYPE(ctypes.c_int32, Address, ctypes.c_int64, ctypes.c_int32)
def refuse_advice(start: int, size: int, advice: int) -> int:
    return -1


def test_a_child_works_alone_where_the_kernel_does_not_wipe() -> None:
    pool = Pool(2, {"madvise": address_of(refuse_advice)})
    assert pool.count(100)
    assert len(pool.workers) == 1

    def check() -> bool:
        served = pool.count(100) and len(running()) == 1
        pool.resize(3)
        served = served and pool.count(100) and len(running()) == 1
        pool.destroy()
        return served

    assert in_child(check)
    pool.destroy()
    assert pool.workers == set()


# Failures of the system.


def test_loops_are_done_without_workers() -> None:
    attempts: list[int] = []

    @ctypes.CFUNCTYPE(ctypes.c_int32, Address, Address, Address, Address)
    def create_nothing(thread: int, attributes: int, start: int, argument: int) -> int:
        attempts.append(thread)
        return errno.EAGAIN

    pool = Pool(3, {"pthread_create": address_of(create_nothing)})
    assert pool.count(100)
    assert pool.count(100)
    assert len(attempts) == 1
    pool.destroy()


def test_no_memory_is_no_pool() -> None:
    @ctypes.CFUNCTYPE(
        Address,
        Address,
        ctypes.c_int64,
        ctypes.c_int32,
        ctypes.c_int32,
        ctypes.c_int32,
        ctypes.c_int64,
    )
    def map_nothing(*arguments: int) -> int:
        return 2**64 - 1

    assert Pool(2, {"mmap": address_of(map_nothing)}).address is None


def test_no_key_is_no_pool() -> None:
    @ctypes.CFUNCTYPE(ctypes.c_int32, Address, Address)
    def create_no_key(key: int, destructor: int) -> int:
        return errno.EAGAIN

    assert Pool(2, {"pthread_key_create": address_of(create_no_key)}).address is None
