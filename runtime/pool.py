"""The thread pool: one for the process, whatever the number of models and of calling threads."""

import ctypes
import os
from functools import cache
from typing import Final, final

from stepwell.runtime import code, system
from stepwell.runtime.errors import CallError

VARIABLE: Final = "STEPWELL_THREADS"
MOST: Final = 1024

IMPORTS: Final = "stepwell_pool_imports"
CREATE: Final = "stepwell_pool_create"
RESIZE: Final = "stepwell_pool_resize"
PARALLEL_FOR: Final = "stepwell_parallel_for"

ParallelFor: Final = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
)
Task: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
Create: Final = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)
Resize: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32)


@final
class _Process:
    """What this process knows of its pool, whose machine code came with the first such model.

    The pool itself survives a fork: in the child it starts threads anew (see the compiler's pool).
    """

    def __init__(self) -> None:
        self.lock = system.fork_safe_lock()
        self.threads: int | None = None
        self.code: code.Code | None = None
        self.pool = 0


_process = _Process()


def threads() -> int:
    """How many threads a call may use, its own included."""
    return _process.threads or _default()


def set_threads(count: int) -> None:
    """Lets calls use `count` threads, their own included, from now on (CallError SW0415).

    Results do not depend on it. Before, it is the environment's STEPWELL_THREADS, or else the
    number of processors that the process may use.
    """
    if not 1 <= count <= MOST:
        raise CallError("SW0415", f"set_threads: expected 1 to {MOST} threads, got {count}")
    with _process.lock:
        _process.threads = count
        if _process.code and _process.pool:
            Resize(_process.code.address(RESIZE))(_process.pool, count)


def provide(data: bytes | memoryview, name: str) -> None:
    """Loads the machine code of a pool, if the process has none; threads start when needed."""
    with _process.lock:
        if _process.code is None:
            loaded = code.load(data, name)
            for symbol in (IMPORTS, CREATE, RESIZE, PARALLEL_FOR):
                loaded.address(symbol)
            system.keep(loaded.memory)  # its threads may run in it until the process ends
            _process.code = loaded


def support() -> code.Code | None:
    """The machine code that came with the pool's, which is never freed; None if there is none."""
    return _process.code


def parallel_for() -> tuple[int, int]:
    """The address of the `parallel_for` that compiled code calls, and of its pool."""
    loaded = _process.code
    if loaded is None:
        return _serial_address()[0], 0
    if not _process.pool:
        with _process.lock:
            _process.pool = _process.pool or _create(loaded)
    return loaded.address(PARALLEL_FOR), _process.pool


def _create(loaded: code.Code) -> int:
    """A pool, handed the C functions that its code names."""
    found = system.addresses(code.names(loaded.address(IMPORTS)))
    table = (ctypes.c_uint64 * len(found))(*found)
    pool: int | None = Create(loaded.address(CREATE))(table, threads())
    if pool is None:
        raise CallError("SW0414", "there is no memory for a pool of threads")
    return pool


def _default() -> int:
    text = os.environ.get(VARIABLE)
    if text is None:
        return min(system.usable_cores(), MOST)
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise CallError("SW0415", f"{VARIABLE}: expected 1 to {MOST} threads, got {text}")
    return int(text)


def _serial(pool: int, task: int, arguments: int, count: int) -> None:
    """Stands in for the pool where no model has brought one: correct, but some 3 us slower."""
    Task(task)(arguments, 0, count)


@cache
def _serial_address() -> tuple[int, object]:
    """Where C can call `_serial`, and what keeps it there.

    It is made on demand, since ctypes does so on a page that is writable and executable.
    """
    function = ParallelFor(_serial)
    return ctypes.cast(function, ctypes.c_void_p).value or 0, function
