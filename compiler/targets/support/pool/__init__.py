"""The thread pool: machine code that lets the iterations of a loop run on several threads.

```
ptr  stepwell_pool_create(ptr table, i32 threads)     null if the system has no room for a pool
void stepwell_parallel_for(ptr pool, ptr task, ptr args, i64 n)
void stepwell_pool_resize(ptr pool, i32 threads)      1 to 1024, the caller's own included
void stepwell_pool_destroy(ptr pool)                  once no thread uses it any more
i8[] stepwell_pool_imports                            names of the C functions in `table`, in order,
                                                      each ended by a NUL, the last one being empty
```
`stepwell_parallel_for` calls `task(args, begin, end)` on ranges that cover [0, n) once each, and
returns when all are done. It has these parts:

* **Slots.** A caller takes one of 31 slots and writes its loop there; when all are taken it does
  its loop alone. Nobody waits for another caller.
* **Ranges.** Loops are cut into eight equal ranges per thread. Whoever works on one asks for the
  next by adding 1 to a counter, so that uneven ranges balance.
* **Parts.** Of those left a thread takes the first one in its own part: that of its number, the
  same in every loop. What it wrote in one loop it reads in the next, from its own cache. When its
  part is done, it goes on with those behind.
* **Board.** A slot's bit on the board says that it has ranges left. Whoever takes the last range
  clears the bit. Idle workers wait for the board to be other than zero.
* **Joining is optional.** A worker counts itself into a slot, works while there are ranges, and
  counts itself out; the caller, who works too, waits for those inside only. A worker that sleeps,
  or that the system does not run, holds up nobody.
* **Waiting** is polling for 50 us, then a futex. A pool with more threads than there are processors
  does not poll at all, since that would keep away the thread that it waits for.
* **Waking** is shared: who joins a loop wakes up to two sleepers if there are ranges left for them.
* **Nested** loops are done by their own thread alone, as are loops of a single iteration and pools
  of one thread, which never start another. Resizing from within a loop is ignored.
* **Workers** are started by the first loop that can use them.
* **fork().** All that changes lies on pages that the kernel wipes in the child (`MADV_WIPEONFORK`,
  Linux 4.14), and all zero is a pool at rest: the child starts workers of its own. Where the kernel
  cannot, children do their loops alone.

Sources: C. P. Kruskal and A. Weiss, "Allocating independent subtasks on parallel processors"
(1985), for ranges of one size; U. Drepper, "Futexes are tricky" (2011), for sleeping.
"""

from xdsl.ir import Operation

from stepwell.compiler.targets.support.pool import interface, loops, waiting, workers
from stepwell.compiler.targets.support.pool.layout import IMPORTS
from stepwell.compiler.targets.support.structures import import_names


def pool_functions(architecture: str) -> list[Operation]:
    """The pool's code at the llvm level, for a processor of `waiting.ARCHITECTURES`."""
    processor = waiting.ARCHITECTURES[architecture]
    return [
        import_names("stepwell_pool_imports", IMPORTS),
        waiting.nanoseconds(),
        waiting.spin(processor),
        waiting.wait(processor),
        waiting.wake(processor),
        loops.is_working(),
        loops.is_owner(),
        loops.is_alone(),
        loops.take_slot(),
        loops.run_ranges(),
        loops.help_with(),
        loops.worker(),
        workers.processors(),
        workers.spawn(),
        workers.lock(),
        workers.unlock(),
        workers.start(),
        workers.halt(),
        interface.create(),
        interface.share(),
        interface.parallel_for(),
        interface.resize(),
        interface.destroy(),
    ]
