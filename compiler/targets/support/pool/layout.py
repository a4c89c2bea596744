"""What the pool keeps in memory: the fields of its structures, and the C functions it was handed.

```
pool + 0       the addresses of the C functions, then what a fork()ed child shares with its parent
pool + 65536   what the kernel wipes in the child: all zero is a pool at rest, without workers
```
The second half begins on a page of its own, however large the system's pages are (64 KiB at most).
"""

from typing import Final, final

from stepwell.compiler.dialects.llvm.types import i32, i64, ptr
from stepwell.compiler.targets.support.structures import Field, Import

SYSCALL: Final = Import(0, "syscall", i64, (i64, ptr, i64, i64, ptr))
"""Declared with `...`, which on Linux's 64-bit systems is called like any other function."""
PTHREAD_CREATE: Final = Import(1, "pthread_create", i32, (ptr, ptr, ptr, ptr))
PTHREAD_JOIN: Final = Import(2, "pthread_join", i32, (i64, ptr))
PTHREAD_KEY_CREATE: Final = Import(3, "pthread_key_create", i32, (ptr, ptr))
PTHREAD_KEY_DELETE: Final = Import(4, "pthread_key_delete", i32, (i32,))
PTHREAD_GETSPECIFIC: Final = Import(5, "pthread_getspecific", ptr, (i32,))
PTHREAD_SETSPECIFIC: Final = Import(6, "pthread_setspecific", i32, (i32, ptr))
PTHREAD_SIGMASK: Final = Import(7, "pthread_sigmask", i32, (i32, ptr, ptr))
MMAP: Final = Import(8, "mmap", ptr, (ptr, i64, i32, i32, i32, i64))
MUNMAP: Final = Import(9, "munmap", i32, (ptr, i64))
MADVISE: Final = Import(10, "madvise", i32, (ptr, i64, i32))
CLOCK_GETTIME: Final = Import(11, "clock_gettime", i32, (i32, ptr))
SCHED_GETAFFINITY: Final = Import(12, "sched_getaffinity", i32, (i32, i64, ptr))
GETPID: Final = Import(13, "getpid", i32, ())

IMPORTS: Final = (
    SYSCALL,
    PTHREAD_CREATE,
    PTHREAD_JOIN,
    PTHREAD_KEY_CREATE,
    PTHREAD_KEY_DELETE,
    PTHREAD_GETSPECIFIC,
    PTHREAD_SETSPECIFIC,
    PTHREAD_SIGMASK,
    MMAP,
    MUNMAP,
    MADVISE,
    CLOCK_GETTIME,
    SCHED_GETAFFINITY,
    GETPID,
)
"""The order of the table."""

WIPED: Final = 65536
WIPED_SIZE: Final = 16384
SLOT_COUNT: Final = 31
"""Callers at a time that the workers help; the 32nd bit of the board says `STOP`."""
SLOT_SIZE: Final = 128
"""Two cache lines, since processors fetch neighbours in pairs."""
MOST_PARTS: Final = 32
"""Parts of a loop, of `PART_SIZE` bytes: where there are more threads, some share one."""
PART_SIZE: Final = 128
MOST_WORKERS: Final = 1023


@final
class Gate:
    """A word that threads wait for to change, and beside it how many of them are asleep."""

    WORD: Final = Field(0, i32)
    SLEEPERS: Final = Field(4, i32)


@final
class Pool:
    """The pool. Each group of wiped fields that are written together has its own cache lines."""

    SPIN: Final = Field(8 * len(IMPORTS), i64)
    """Nanoseconds to poll before going to sleep."""
    THREADS: Final = Field(SPIN.offset + 8, i32)
    """Threads that work on a loop, its caller included."""
    KEY: Final = Field(SPIN.offset + 12, i32)
    """pthread's key of a value that is not null in a thread that works on a loop."""
    OWNER: Final = Field(SPIN.offset + 16, i32)
    """The process that may use the workers; 0 if the kernel wipes, so that any process may."""

    BOARD: Final = Field(WIPED, i32)
    """The gate of idle workers: a bit for each slot that has ranges left to take, and `STOP`."""
    TAKEN: Final = Field(WIPED + 128, i32)
    """A bit for each slot that belongs to a caller."""
    LOCK: Final = Field(WIPED + 256, i32)
    """The gate of threads that start or stop workers: 1 while one does."""
    STARTED: Final = Field(WIPED + 264, i32)
    WORKERS: Final = Field(WIPED + 268, i32)
    NUMBERED: Final = Field(WIPED + 272, i32)
    """Workers that have a number: from 1 on, since a loop's caller is number 0."""
    SLOTS: Final = Field(WIPED + 512, ptr)
    HANDLES: Final = Field(SLOTS.offset + SLOT_SIZE * SLOT_COUNT, i64)


@final
class Slot:
    """A loop that is being worked on."""

    TASK: Final = Field(0, ptr)
    ARGS: Final = Field(8, ptr)
    GRAIN: Final = Field(16, i64)
    """Iterations of a range."""
    REST: Final = Field(24, i64)
    """The first ranges, so many, have one more."""
    RANGES: Final = Field(32, i64)
    NEXT: Final = Field(40, i64)
    """How often a thread has asked for a range."""
    INSIDE: Final = Field(48, i32)
    """The gate of the caller: how many workers may still touch the slot."""
    PARTS: Final = Field(56, ptr)
    """On the caller's stack."""
    COUNT: Final = Field(64, i64)
    """The number of parts."""


@final
class Part:
    """Ranges that follow each other, which one thread takes first."""

    NEXT: Final = Field(0, i64)
    """The first range that nobody has taken; `END` or more if there is none."""
    END: Final = Field(8, i64)
