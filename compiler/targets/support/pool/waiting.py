"""How threads of the pool wait for a word to change: they poll it for a while, then sleep.

A *gate* is a word and the number of its sleepers. No wake-up is lost, because the waker changes the
word and then reads the number of sleepers, while the sleeper raises that number and then has the
kernel compare the word. All four are sequentially consistent, so at least one of the two sees
what the other did: the kernel refuses to sleep, or the waker calls it. (Acquire and release alone
would let both read the old values.)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

from xdsl.dialects.llvm import FuncOp

from stepwell.compiler.dialects.llvm.types import i32, i64, ptr
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.targets.support.pool.layout import CLOCK_GETTIME, SYSCALL, Gate, Pool

CLOCK_MONOTONIC: Final = 1
FUTEX_WAIT_PRIVATE: Final = 128
FUTEX_WAKE_PRIVATE: Final = 129
POLLS: Final = 32
"""Between two looks at the clock, which may be a system call: some 0.3 to 1.5 us."""


@final
@dataclass(frozen=True)
class Architecture:
    """What the pool must know of a processor: its futex call, and its hint that a thread polls."""

    futex: int
    pause: str
    pause_arguments: tuple[int, ...] = ()


ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "x86_64": Architecture(202, "llvm.x86.sse2.pause"),
    # `yield` does nothing on most of them; `isb` waits as long as x86's `pause`, some 10 to 40 ns.
    "aarch64": Architecture(98, "llvm.aarch64.isb", (15,)),
}


def nanoseconds() -> FuncOp:
    """The monotonic clock.

    ```
    i64 nanoseconds(pool) { timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t in ns; }
    ```
    """
    b = LlvmBuilder.define("nanoseconds", [ptr], i64, internal=True)
    (pool,) = b.arguments
    time = b.alloca(i64, 2)
    CLOCK_GETTIME.call(b, pool, CLOCK_MONOTONIC, time)
    seconds = b.load(time, i64)
    b.ret(b.add(b.mul(seconds, 10**9), b.load(b.gep(time, 8), i64)))
    return b.function


def spin(architecture: Architecture) -> FuncOp:
    """Polls the word until it differs from `value`, or `budget` nanoseconds have passed.

    ```
    void spin(pool, gate, value, budget) {
        for (deadline = 0;;) {
            for (i = 0; i < POLLS; i++) { if (gate->word != value) return; pause(); }
            now = nanoseconds(pool);
            deadline = deadline ? deadline : now + budget;    // the clock is not read on arrival
            if (now >= deadline) return;
        }
    }
    ```
    """
    b = LlvmBuilder.define("spin", [ptr, ptr, i32, i64], internal=True)
    pool, gate, value, budget = b.arguments
    hint = [b.constant(i32, argument) for argument in architecture.pause_arguments]
    with b.while_(b.constant(i64, 0)) as rounds:
        (deadline,) = rounds.carried
        with b.loop(0, POLLS):
            with b.if_(b.icmp("ne", Gate.WORD.load(b, gate, "monotonic"), value)):
                b.ret()
            b.intrinsic_void(architecture.pause, hint)
        now = b.call("nanoseconds", [pool], i64)
        deadline = b.select(b.icmp("eq", deadline, 0), b.add(now, budget), deadline)
        rounds.test(b.icmp("slt", now, deadline))
        rounds.yields(deadline)
    b.ret()
    return b.function


def wait(architecture: Architecture) -> FuncOp:
    """Returns when the word may differ from `value`: callers look again.

    ```
    void wait(pool, gate, value) {
        if (pool->spin) spin(pool, gate, value, pool->spin);
        if (gate->word != value) return;
        gate->sleepers += 1;
        futex(&gate->word, WAIT, value);    // does not sleep if the word has changed
        gate->sleepers -= 1;
    }
    ```
    """
    b = LlvmBuilder.define("wait", [ptr, ptr, i32], internal=True)
    pool, gate, value = b.arguments
    budget = Pool.SPIN.load(b, pool, "monotonic")
    with b.if_(b.icmp("ne", budget, 0)):
        b.call_void("spin", [pool, gate, value, budget])
    with b.if_(b.icmp("ne", Gate.WORD.load(b, gate, "monotonic"), value)):
        b.ret()
    sleepers = Gate.SLEEPERS.place(b, gate)
    b.atomicrmw("add", sleepers, 1, "seq_cst", i32)
    expected = b.zext(value, i64)
    SYSCALL.call(b, pool, architecture.futex, gate, FUTEX_WAIT_PRIVATE, expected, b.null())
    b.atomicrmw("sub", sleepers, 1, "monotonic", i32)
    b.ret()
    return b.function


def wake(architecture: Architecture) -> FuncOp:
    """To be called after a sequentially consistent change of the word.

    ```
    void wake(pool, gate, count) { if (gate->sleepers) futex(&gate->word, WAKE, count); }
    ```
    """
    b = LlvmBuilder.define("wake", [ptr, ptr, i64], internal=True)
    pool, gate, count = b.arguments
    with b.if_(b.icmp("ne", Gate.SLEEPERS.load(b, gate, "seq_cst"), 0)):
        SYSCALL.call(b, pool, architecture.futex, gate, FUTEX_WAKE_PRIVATE, count, b.null())
    b.ret()
    return b.function
