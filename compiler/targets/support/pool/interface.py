"""The pool's own symbols: what the runtime and compiled code call."""

from typing import Final

from xdsl.dialects.llvm import FuncOp
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import i1, i32, i64, ptr
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.targets.support.pool.layout import (
    GETPID,
    IMPORTS,
    MADVISE,
    MMAP,
    MOST_PARTS,
    MOST_WORKERS,
    MUNMAP,
    PART_SIZE,
    PTHREAD_KEY_CREATE,
    PTHREAD_KEY_DELETE,
    SLOT_COUNT,
    WIPED,
    WIPED_SIZE,
    Part,
    Pool,
    Slot,
)
from stepwell.compiler.targets.support.pool.loops import (
    mark,
    part_place,
    slot_bit,
    slot_place,
    take_off,
)

READ_WRITE: Final = 3
PRIVATE_ANONYMOUS: Final = 0x22
MADV_WIPEONFORK: Final = 18
SIZE: Final = WIPED + WIPED_SIZE
RANGES_PER_THREAD: Final = 8
"""Ranges of equal cost leave a thread waiting for an eighth of its share at the very most."""


def create() -> FuncOp:
    """A pool that has no workers yet, or null if the system has no room for it.

    ```
    pool stepwell_pool_create(table, threads) {
        pool = mmap(SIZE);
        if (pool == MAP_FAILED) return null;
        pool->imports = *table;
        pool->threads = clamp(threads, 1, MOST_WORKERS + 1);
        pool->owner = madvise(&pool->board, WIPED_SIZE, MADV_WIPEONFORK) == 0 ? 0 : getpid();
        if (pthread_key_create(&pool->key, null) == 0) return pool;
        munmap(pool, SIZE);
        return null;
    }
    ```
    """
    b = LlvmBuilder.define("stepwell_pool_create", [ptr, i32], ptr)
    table, threads = b.arguments
    pool = MMAP.call(b, table, b.null(), SIZE, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0)
    with b.if_(b.icmp("eq", b.ptrtoint(pool), -1)):
        b.ret(b.null())
    for offset in range(0, 8 * len(IMPORTS), 8):
        b.store(b.load(b.gep(table, offset), ptr), b.gep(pool, offset))
    _set_threads(b, pool, threads)
    failed = MADVISE.call(b, pool, b.gep(pool, WIPED), WIPED_SIZE, MADV_WIPEONFORK)
    Pool.OWNER.store(b, pool, b.select(b.icmp("eq", failed, 0), 0, GETPID.call(b, pool)))
    failed = PTHREAD_KEY_CREATE.call(b, pool, Pool.KEY.place(b, pool), b.null())
    with b.if_(b.icmp("eq", failed, 0)):
        b.ret(pool)
    MUNMAP.call(b, pool, pool, SIZE)
    b.ret(b.null())
    return b.function


def _set_threads(b: LlvmBuilder, pool: SSAValue, threads: SSAValue) -> None:
    clamped = b.smin(b.smax(threads, 1), MOST_WORKERS + 1)
    Pool.THREADS.store(b, pool, clamped, "monotonic")


def parallel_for() -> FuncOp:
    """Calls `task` on ranges that cover [0, n) once each.

    ```
    void stepwell_parallel_for(pool, task, args, n) {
        if (n <= 0) return;
        number = is_alone(pool, n) ? SLOT_COUNT : take_slot(pool);
        if (number == SLOT_COUNT) { task(args, 0, n); return; }
        if (!pool->started) start(pool);
        share(pool, number, task, args, n);
    }
    ```
    """
    b = LlvmBuilder.define("stepwell_parallel_for", [ptr, ptr, ptr, i64])
    pool, task, args, n = b.arguments
    with b.if_(b.icmp("sle", n, 0)):
        b.ret()
    with b.if_(b.call("is_alone", [pool, n], i1)) as choice:
        choice.yields(b.constant(i32, SLOT_COUNT))
        choice.otherwise()
        choice.yields(b.call("take_slot", [pool], i32))
    (number,) = choice.results
    with b.if_(b.icmp("eq", number, SLOT_COUNT)):
        b.call_void(task, [args, b.constant(i64, 0), n])
        b.ret()
    with b.if_(b.icmp("eq", Pool.STARTED.load(b, pool, "monotonic"), 0)):
        b.call_void("start", [pool])
    b.call_void("share", [pool, number, task, args, n])
    b.ret()
    return b.function


def share() -> FuncOp:
    """Does a loop in the slot that the caller has taken, and gives the slot back.

    ```
    void share(pool, number, task, args, n) {
        slot = &pool->slots[number], bit = 1 << number;
        threads = pool->threads, ranges = min(n, RANGES_PER_THREAD * threads);
        grain = n / ranges, rest = n % ranges;
        *slot = {task, args, grain, rest, ranges, .next = 0};    // .inside stays: see help_with
        cut(slot, threads);
        pool->board |= bit;
        pthread_setspecific(pool->key, pool);
        run_ranges(pool, slot, bit, 0);
        pthread_setspecific(pool->key, null);
        while ((inside = slot->inside) != 0) wait(pool, &slot->inside, inside);
        pool->taken &= ~bit;
    }
    ```
    """
    b = LlvmBuilder.define("share", [ptr, i32, ptr, ptr, i64], internal=True)
    pool, number, task, args, n = b.arguments
    slot, bit = slot_place(b, pool, number), slot_bit(b, number)
    threads = b.zext(Pool.THREADS.load(b, pool, "monotonic"), i64)
    _write_loop(b, slot, task, args, n, threads)
    _cut(b, slot, threads)
    b.atomicrmw("_or", Pool.BOARD.place(b, pool), bit, "seq_cst")
    mark(b, pool, pool)
    b.call_void("run_ranges", [pool, slot, bit, b.constant(i64, 0)])
    mark(b, pool, b.null())
    with b.while_() as joins:
        inside = Slot.INSIDE.load(b, slot, "seq_cst")
        joins.test(b.icmp("ne", inside, 0))
        b.call_void("wait", [pool, Slot.INSIDE.place(b, slot), inside])
    take_off(b, Pool.TAKEN.place(b, pool), bit)
    b.ret()
    return b.function


def _write_loop(
    b: LlvmBuilder, slot: SSAValue, task: SSAValue, args: SSAValue, n: SSAValue, threads: SSAValue
) -> None:
    ranges = b.smin(n, b.mul(threads, RANGES_PER_THREAD))
    Slot.TASK.store(b, slot, task)
    Slot.ARGS.store(b, slot, args)
    Slot.GRAIN.store(b, slot, b.udiv(n, ranges))
    Slot.REST.store(b, slot, b.urem(n, ranges))
    Slot.RANGES.store(b, slot, ranges)
    Slot.NEXT.store(b, slot, 0, "monotonic")


def _cut(b: LlvmBuilder, slot: SSAValue, threads: SSAValue) -> None:
    """A part of the ranges for each thread, in the order of their numbers.

    ```
    void cut(slot, threads) {
        Part parts[MOST_PARTS];
        slot->parts = parts, slot->count = min(threads, MOST_PARTS);
        for (begin = i = 0; i < slot->count; i++, begin = end)
            parts[i] = {.next = begin, .end = end = ceil((i + 1) * slot->ranges / slot->count)};
    }
    ```
    """
    parts = b.alloca(i64, MOST_PARTS * PART_SIZE // 8, PART_SIZE)
    count, ranges = b.umin(threads, MOST_PARTS), Slot.RANGES.load(b, slot)
    Slot.PARTS.store(b, slot, parts)
    Slot.COUNT.store(b, slot, count)
    with b.loop(0, count, carried=[b.constant(i64, 0)]) as each:
        part = part_place(b, parts, each.index)
        before = b.mul(b.add(each.index, 1), ranges)
        end = b.udiv(b.sub(b.add(before, count), 1), count)
        Part.NEXT.store(b, part, each.carried[0], "monotonic")
        Part.END.store(b, part, end)
        each.yields(end)


def resize() -> FuncOp:
    """The next loop that can use them starts the new workers.

    ```
    void stepwell_pool_resize(pool, threads) {
        if (is_working(pool) || !is_owner(pool)) return;    // a worker cannot wait for its own end
        lock(pool);
        halt(pool);
        pool->threads = clamp(threads, 1, MOST_WORKERS + 1);
        unlock(pool);
    }
    ```
    """
    b = LlvmBuilder.define("stepwell_pool_resize", [ptr, i32])
    pool, threads = b.arguments
    owner = b.call("is_owner", [pool], i1)
    with b.if_(b.or_(b.call("is_working", [pool], i1), b.xor(owner, 1))):
        b.ret()
    b.call_void("lock", [pool])
    b.call_void("halt", [pool])
    _set_threads(b, pool, threads)
    b.call_void("unlock", [pool])
    b.ret()
    return b.function


def destroy() -> FuncOp:
    """Nobody may use the pool any more.

    ```
    void stepwell_pool_destroy(pool) {
        if (is_owner(pool)) { lock(pool); halt(pool); }
        pthread_key_delete(pool->key);
        munmap(pool, SIZE);
    }
    ```
    """
    b = LlvmBuilder.define("stepwell_pool_destroy", [ptr])
    (pool,) = b.arguments
    with b.if_(b.call("is_owner", [pool], i1)):
        b.call_void("lock", [pool])
        b.call_void("halt", [pool])
    PTHREAD_KEY_DELETE.call(b, pool, Pool.KEY.load(b, pool))
    MUNMAP.call(b, pool, pool, SIZE)
    b.ret()
    return b.function
