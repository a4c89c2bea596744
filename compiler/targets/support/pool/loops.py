"""How a loop is shared: its caller's slot, its ranges, and the workers that join.

Orderings. A loop's fields are written before the `or` that puts its bit on the board, which
releases them; a worker reads them after it has seen the bit, which acquires them. What the tasks
wrote is released by each worker's last `sub` from `inside`, and acquired by the caller's read of
zero. The counters of ranges order nothing else, so they are monotonic.

A slot must not be given to the next loop while a worker may still read it. The worker adds itself
to `inside` and then looks for the bit; the bit is cleared, and then the caller reads `inside`. All
four are sequentially consistent: the caller sees the worker, or the worker sees that the bit is
gone (if it sees the bit of the slot's next loop, it has joined that one). If a worker clears the
bit, it is itself inside, so that the caller's wait for it comes between.
"""

from typing import Final

from xdsl.dialects.llvm import FuncOp
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import i1, i32, i64, ptr
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.targets.support.pool.layout import (
    GETPID,
    PART_SIZE,
    PTHREAD_GETSPECIFIC,
    PTHREAD_SETSPECIFIC,
    SLOT_COUNT,
    SLOT_SIZE,
    Part,
    Pool,
    Slot,
)

STOP: Final = 1 << 31
FAN_OUT: Final = 2
"""Sleepers that one thread wakes; each takes it 1 to 5 us, so they wake others in their turn."""


def slot_place(b: LlvmBuilder, pool: SSAValue, number: SSAValue) -> SSAValue:
    offset = b.mul(b.zext(number, i64), SLOT_SIZE)
    return b.gep(Pool.SLOTS.place(b, pool), offset)


def slot_bit(b: LlvmBuilder, number: SSAValue) -> SSAValue:
    return b.shl(b.constant(i32, 1), number)


def take_off(b: LlvmBuilder, mask: SSAValue, bit: SSAValue | int) -> None:
    """Clears a bit of the mask at an address, for all to see what was done before."""
    b.atomicrmw("_and", mask, b.xor(b.value(bit, i32), -1), "seq_cst")


def mark(b: LlvmBuilder, pool: SSAValue, value: SSAValue) -> None:
    """Says to later calls of this thread whether it is working on a loop: null if not."""
    PTHREAD_SETSPECIFIC.call(b, pool, Pool.KEY.load(b, pool), value)


def is_working() -> FuncOp:
    """Whether this thread is inside a loop of the pool.

    ```
    bool is_working(pool) { return pthread_getspecific(pool->key) != null; }
    ```
    """
    b = LlvmBuilder.define("is_working", [ptr], i1, internal=True)
    (pool,) = b.arguments
    marked = PTHREAD_GETSPECIFIC.call(b, pool, Pool.KEY.load(b, pool))
    b.ret(b.icmp("ne", b.ptrtoint(marked), 0))
    return b.function


def is_owner() -> FuncOp:
    """Whether this process may use the workers.

    ```
    bool is_owner(pool) { return pool->owner == 0 || pool->owner == getpid(); }
    ```
    """
    b = LlvmBuilder.define("is_owner", [ptr], i1, internal=True)
    (pool,) = b.arguments
    owner = Pool.OWNER.load(b, pool)
    with b.if_(b.icmp("eq", owner, 0)):
        b.ret(1)
    b.ret(b.icmp("eq", owner, GETPID.call(b, pool)))
    return b.function


def is_alone() -> FuncOp:
    """Whether a loop of n iterations is for its caller only.

    ```
    bool is_alone(pool, n) {
        return pool->threads == 1 || n == 1 || is_working(pool) || !is_owner(pool);
    }
    ```
    """
    b = LlvmBuilder.define("is_alone", [ptr, i64], i1, internal=True)
    pool, n = b.arguments
    threads = Pool.THREADS.load(b, pool, "monotonic")
    with b.if_(b.or_(b.icmp("eq", threads, 1), b.icmp("eq", n, 1))):
        b.ret(1)
    with b.if_(b.call("is_working", [pool], i1)):
        b.ret(1)
    b.ret(b.xor(b.call("is_owner", [pool], i1), 1))
    return b.function


def take_slot() -> FuncOp:
    """The number of a slot that is now the caller's; `SLOT_COUNT` if there is none.

    ```
    int take_slot(pool) {
        for (taken = pool->taken;; ) {
            number = count_trailing_zeros(~taken);
            if (number >= SLOT_COUNT) return SLOT_COUNT;
            if (compare_exchange(&pool->taken, &taken, taken | 1 << number)) return number;
        }
    }
    ```
    """
    b = LlvmBuilder.define("take_slot", [ptr], i32, internal=True)
    (pool,) = b.arguments
    place = Pool.TAKEN.place(b, pool)
    with b.while_(b.load(place, i32, ordering="monotonic")) as tries:
        (taken,) = tries.carried
        number = b.cttz(b.xor(taken, -1))
        tries.test(b.icmp("ult", number, SLOT_COUNT))
        wanted = b.or_(taken, slot_bit(b, number))
        # Acquires what the slot's last caller released when it gave the slot back.
        seen, mine = b.cmpxchg(place, taken, wanted, "acquire")
        with b.if_(mine):
            b.ret(number)
        tries.yields(seen)
    b.ret(SLOT_COUNT)
    return b.function


def part_place(b: LlvmBuilder, parts: SSAValue, number: SSAValue) -> SSAValue:
    return b.gep(parts, b.mul(number, PART_SIZE))


def count_up(b: LlvmBuilder, counter: SSAValue) -> SSAValue:
    """What the counter was."""
    return b.atomicrmw("add", counter, 1, "monotonic")


def find_range(b: LlvmBuilder, slot: SSAValue, first: SSAValue) -> tuple[SSAValue, SSAValue]:
    """A range that nobody has taken, if there is one, and its part: `first`, or one behind it."""
    parts, count = Slot.PARTS.load(b, slot), Slot.COUNT.load(b, slot)
    with b.while_(first) as tries:
        (number,) = tries.carried
        part = part_place(b, parts, number)
        found = count_up(b, Part.NEXT.place(b, part))
        tries.test(b.icmp("sge", found, Part.END.load(b, part)))
        tries.yields(b.urem(b.add(number, 1), count))
    return found, number


def run_ranges() -> FuncOp:
    """Works on a loop until all its ranges are taken: first on the part of the thread's number.

    Who has asked in time finds a range in one round, since no more have asked than there are.

    ```
    void run_ranges(pool, slot, bit, number) {
        last = slot->ranges - 1, part = number % slot->count;
        mine = slot->next++;
        if (mine < last) wake(pool, &pool->board, min(last - mine, FAN_OUT));
        while (mine <= last) {
            if (mine == last) pool->board &= ~bit;
            while ((range = slot->parts[part].next++) >= slot->parts[part].end)
                part = (part + 1) % slot->count;
            begin = range * slot->grain + min(range, slot->rest);
            slot->task(slot->args, begin, begin + slot->grain + (range < slot->rest));
            mine = slot->next++;
        }
    }
    ```
    """
    b = LlvmBuilder.define("run_ranges", [ptr, ptr, i32, i64], internal=True)
    pool, slot, bit, number = b.arguments
    board = Pool.BOARD.place(b, pool)
    task, args = Slot.TASK.load(b, slot), Slot.ARGS.load(b, slot)
    grain, rest = Slot.GRAIN.load(b, slot), Slot.REST.load(b, slot)
    last = b.sub(Slot.RANGES.load(b, slot), 1)
    asked, own = Slot.NEXT.place(b, slot), b.urem(number, Slot.COUNT.load(b, slot))
    first = count_up(b, asked)
    with b.if_(b.icmp("slt", first, last)):
        b.call_void("wake", [pool, board, b.smin(b.sub(last, first), FAN_OUT)])
    with b.while_(first, own) as ranges:
        mine, part = ranges.carried
        ranges.test(b.icmp("sle", mine, last))
        with b.if_(b.icmp("eq", mine, last)):
            take_off(b, board, bit)
        found, part = find_range(b, slot, part)
        begin = b.add(b.mul(found, grain), b.smin(found, rest))
        longer = b.zext(b.icmp("slt", found, rest), i64)
        b.call_void(task, [args, begin, b.add(b.add(begin, grain), longer)])
        ranges.yields(count_up(b, asked), part)
    b.ret()
    return b.function


def help_with() -> FuncOp:
    """A worker joins the loop of a slot, if it is still on the board.

    ```
    void help_with(pool, number, worker) {
        slot = &pool->slots[number], bit = 1 << number;
        slot->inside += 1;
        if (pool->board & bit) run_ranges(pool, slot, bit, worker);
        slot->inside -= 1;
        wake(pool, &slot->inside, 1);    // the slot may have a new caller, who will look again
    }
    ```
    """
    b = LlvmBuilder.define("help_with", [ptr, i32, i64], internal=True)
    pool, number, worker = b.arguments
    slot, bit = slot_place(b, pool, number), slot_bit(b, number)
    inside = Slot.INSIDE.place(b, slot)
    b.atomicrmw("add", inside, 1, "seq_cst", i32)
    board = Pool.BOARD.load(b, pool, "seq_cst")
    with b.if_(b.icmp("ne", b.and_(board, bit), 0)):
        b.call_void("run_ranges", [pool, slot, bit, worker])
    b.atomicrmw("sub", inside, 1, "seq_cst", i32)
    b.call_void("wake", [pool, inside, b.constant(i64, 1)])
    b.ret()
    return b.function


def worker() -> FuncOp:
    """What a worker's thread does. Turning to the slot behind the last one shares out its help.

    ```
    void *worker(pool) {
        pthread_setspecific(pool->key, pool);
        own = ++pool->numbered;
        for (turn = 0;;) {
            while ((board = pool->board) == 0) wait(pool, &pool->board, 0);
            if (board & STOP) return null;
            number = (turn + count_trailing_zeros(rotate_right(board, turn))) % 32;
            help_with(pool, number, own);
            turn = number + 1;
        }
    }
    ```
    """
    b = LlvmBuilder.define("worker", [ptr], ptr, internal=True)
    (pool,) = b.arguments
    mark(b, pool, pool)
    before = b.atomicrmw("add", Pool.NUMBERED.place(b, pool), 1, "monotonic", i32)
    own = b.zext(b.add(before, 1), i64)
    with b.while_(b.constant(i32, 0)) as turns:
        (turn,) = turns.carried
        board = await_board(b, pool)
        turns.test(b.icmp("eq", b.and_(board, STOP), 0))
        number = b.and_(b.add(b.cttz(b.rotr(board, turn)), turn), 31)
        b.call_void("help_with", [pool, number, own])
        turns.yields(b.add(number, 1))
    b.ret(b.null())
    return b.function


def await_board(b: LlvmBuilder, pool: SSAValue) -> SSAValue:
    """The board, as soon as it is other than zero."""
    with b.while_() as idle:
        board = Pool.BOARD.load(b, pool, "monotonic")
        idle.test(b.icmp("eq", board, 0))
        b.call_void("wait", [pool, Pool.BOARD.place(b, pool), b.constant(i32, 0)])
    return board
