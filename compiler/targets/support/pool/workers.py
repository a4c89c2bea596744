"""How worker threads come and go: started by the first loop that can use them, stopped by resizing.

Whoever does either holds the pool's lock. A loop never waits for it: it goes on with those workers
that there are.
"""

from typing import Final

from xdsl.dialects.llvm import FuncOp
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import i1, i32, i64, ptr
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.targets.support.pool.layout import (
    PTHREAD_CREATE,
    PTHREAD_JOIN,
    PTHREAD_SIGMASK,
    SCHED_GETAFFINITY,
    Pool,
)
from stepwell.compiler.targets.support.pool.loops import STOP, take_off

SPIN_NANOSECONDS: Final = 50_000
AFFINITY_WORDS: Final = 128
"""64 processors each. With more than 8192 the system call fails, and the pool does not poll."""
SIG_SETMASK: Final = 2
SIGNAL_SET_BYTES: Final = 128
"""The size of C's `sigset_t`; the kernel has 64 signals."""
DELIVERED: Final = (4, 5, 6, 7, 8, 11, 27, 31, 32, 33, 34)
"""Signals that workers take: a thread's own faults, SIGPROF, and the C library's own three."""
BLOCKED: Final = (1 << 64) - 1 - sum(1 << signal - 1 for signal in DELIVERED)
"""All others are for the program's threads, which may wait for them or have handlers."""
EVERYONE: Final = (1 << 31) - 1


def processors() -> FuncOp:
    """How many this thread may run on; 0 if the system does not say.

    ```
    i64 processors(pool) {
        cpu_set_t set;
        if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
        for (count = 0, i = 0; i < AFFINITY_WORDS; i++) count += popcount(set[i]);
        return count;
    }
    ```
    """
    b = LlvmBuilder.define("processors", [ptr], i64, internal=True)
    (pool,) = b.arguments
    affinity = b.alloca(i64, AFFINITY_WORDS)
    failed = SCHED_GETAFFINITY.call(b, pool, 0, 8 * AFFINITY_WORDS, affinity)
    with b.if_(b.icmp("ne", failed, 0)):
        b.ret(0)
    with b.loop(0, AFFINITY_WORDS, carried=[b.constant(i64, 0)]) as words:
        word = b.load(b.gep(affinity, words.index, i64), i64)
        words.yields(b.add(words.carried[0], b.ctpop(word)))
    b.ret(*words.results)
    return b.function


def spawn() -> FuncOp:
    """Starts the workers; if the system gives fewer, the pool does with those. Under the lock.

    ```
    void spawn(pool) {
        threads = pool->threads;
        pool->spin = threads <= processors(pool) ? SPIN_NANOSECONDS : 0;
        sigset_t all = BLOCKED, old;
        pthread_sigmask(SIG_SETMASK, &all, &old);    // a thread begins with its creator's mask
        for (made = 0; made < threads - 1; made++)
            if (pthread_create(&pool->handles[made], null, worker, pool) != 0) break;
        pthread_sigmask(SIG_SETMASK, &old, null);
        pool->workers = made;
        pool->started = 1;
    }
    ```
    """
    b = LlvmBuilder.define("spawn", [ptr], internal=True)
    (pool,) = b.arguments
    old = b.alloca(i64, SIGNAL_SET_BYTES // 8)
    all = b.alloca(i64, SIGNAL_SET_BYTES // 8)
    threads = b.zext(Pool.THREADS.load(b, pool, "monotonic"), i64)
    fits = b.icmp("ule", threads, b.call("processors", [pool], i64))
    Pool.SPIN.store(b, pool, b.select(fits, b.constant(i64, SPIN_NANOSECONDS), 0), "monotonic")
    b.store(b.constant(i64, BLOCKED), all)
    PTHREAD_SIGMASK.call(b, pool, SIG_SETMASK, all, old)
    made = _create_threads(b, pool, b.sub(threads, 1))
    PTHREAD_SIGMASK.call(b, pool, SIG_SETMASK, old, b.null())
    Pool.WORKERS.store(b, pool, b.trunc(made, i32))
    Pool.STARTED.store(b, pool, 1, "monotonic")
    b.ret()
    return b.function


def _create_threads(b: LlvmBuilder, pool: SSAValue, wanted: SSAValue) -> SSAValue:
    """How many of the `wanted` workers could be started."""
    with b.while_(b.constant(i64, 0), b.constant(i1, 1)) as threads:
        made, succeeding = threads.carried
        threads.test(b.and_(succeeding, b.icmp("ult", made, wanted)))
        handle = b.gep(Pool.HANDLES.place(b, pool), made, i64)
        failed = PTHREAD_CREATE.call(b, pool, handle, b.null(), b.address_of("worker"), pool)
        success = b.icmp("eq", failed, 0)
        threads.yields(b.add(made, b.zext(success, i64)), success)
    return threads.results[0]


def try_lock(b: LlvmBuilder, pool: SSAValue) -> SSAValue:
    """Whether this thread now has the lock."""
    free = b.constant(i32, 0)
    _, locked = b.cmpxchg(Pool.LOCK.place(b, pool), free, 1, "acquire")
    return locked


def lock() -> FuncOp:
    """Waits until the lock is this thread's.

    ```
    void lock(pool) { while (!try_lock(pool)) wait(pool, &pool->lock, 1); }
    ```
    """
    b = LlvmBuilder.define("lock", [ptr], internal=True)
    (pool,) = b.arguments
    with b.while_() as tries:
        locked = try_lock(b, pool)
        tries.test(b.xor(locked, 1))
        b.call_void("wait", [pool, Pool.LOCK.place(b, pool), b.constant(i32, 1)])
    b.ret()
    return b.function


def unlock() -> FuncOp:
    """Gives the lock back.

    ```
    void unlock(pool) { pool->lock = 0; wake(pool, &pool->lock, 1); }
    ```
    """
    b = LlvmBuilder.define("unlock", [ptr], internal=True)
    (pool,) = b.arguments
    Pool.LOCK.store(b, pool, 0, "seq_cst")
    b.call_void("wake", [pool, Pool.LOCK.place(b, pool), b.constant(i64, 1)])
    b.ret()
    return b.function


def start() -> FuncOp:
    """Sees to it that workers have been started, unless another thread is at it.

    ```
    void start(pool) {
        if (!try_lock(pool)) return;
        if (!pool->started) spawn(pool);
        unlock(pool);
    }
    ```
    """
    b = LlvmBuilder.define("start", [ptr], internal=True)
    (pool,) = b.arguments
    with b.if_(b.xor(try_lock(b, pool), 1)):
        b.ret()
    with b.if_(b.icmp("eq", Pool.STARTED.load(b, pool, "monotonic"), 0)):
        b.call_void("spawn", [pool])
    b.call_void("unlock", [pool])
    b.ret()
    return b.function


def halt() -> FuncOp:
    """Stops the workers: each finishes the loop that it is in. Under the lock.

    ```
    void halt(pool) {
        pool->board |= STOP;
        wake(pool, &pool->board, EVERYONE);
        for (i = 0; i < pool->workers; i++) pthread_join(pool->handles[i], null);
        pool->workers = pool->numbered = pool->started = 0;
        pool->board &= ~STOP;
    }
    ```
    """
    b = LlvmBuilder.define("halt", [ptr], internal=True)
    (pool,) = b.arguments
    board = Pool.BOARD.place(b, pool)
    b.atomicrmw("_or", board, STOP, "seq_cst", i32)
    b.call_void("wake", [pool, board, b.constant(i64, EVERYONE)])
    with b.loop(0, b.zext(Pool.WORKERS.load(b, pool), i64)) as workers:
        handle = b.load(b.gep(Pool.HANDLES.place(b, pool), workers.index, i64), i64)
        PTHREAD_JOIN.call(b, pool, handle, b.null())
    Pool.WORKERS.store(b, pool, 0)
    Pool.NUMBERED.store(b, pool, 0, "monotonic")
    Pool.STARTED.store(b, pool, 0, "monotonic")
    take_off(b, board, STOP)
    b.ret()
    return b.function
