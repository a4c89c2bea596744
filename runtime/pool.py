"""The thread pool: one for the process, whatever the number of models and of calling threads."""

import ctypes
import os
import threading
from typing import Final, final

from stepwell.runtime import code, system
from stepwell.runtime.errors import CallError

VARIABLE: Final = "STEPWELL_THREADS"

ParallelFor: Final = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
)
Task: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
Create: Final = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)
Resize: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32)


@final
class _Process:
    """This process's pool: its machine code came with the first model that had some."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.threads: int | None = None
        self.code: code.Code | None = None
        self.pool = 0

    def forget(self) -> None:
        """After a fork: no thread but the caller's lives on, and the lock may have been held."""
        self.lock = threading.Lock()
        self.pool = 0


_process = _Process()
system.after_fork(_process.forget)


def threads() -> int:
    """How many threads a call may use, its own included."""
    return _process.threads or _default()


def set_threads(count: int) -> None:
    """Lets every call from now on use `count` threads, its own included (CallError SW0415).

    The results do not depend on it. At first it is the environment's STEPWELL_THREADS, or else the
    number of processors that the process may use.
    """
    if count < 1:
        raise CallError("SW0415", f"set_threads: expected 1 thread or more, got {count}")
    with _process.lock:
        _process.threads = count
        if _process.pool and _process.code:
            Resize(_process.code.symbols["stepwell_pool_resize"])(_process.pool, count)


def provide(data: bytes | memoryview, name: str) -> None:
    """Loads the machine code of a pool, if the process has none; no thread is started yet."""
    with _process.lock:
        if _process.code is None:
            _process.code = code.load(data, name)


def parallel_for() -> tuple[int, int]:
    """The address of the pool's `parallel_for` and its first argument, the pool."""
    loaded = _process.code
    if loaded is None:
        return SERIAL, 0
    if not _process.pool:
        _start(loaded)
    return loaded.symbols["stepwell_parallel_for"], _process.pool


def _start(loaded: code.Code) -> None:
    """Makes the pool, and hands it the C functions that its code asks for by name."""
    with _process.lock:
        if _process.pool:
            return
        names = ctypes.string_at(loaded.symbols["stepwell_pool_imports"], 4096)
        wanted = [name.decode() for name in names[: names.index(b"\0\0")].split(b"\0")]
        table = (ctypes.c_uint64 * len(wanted))(*system.addresses(wanted))
        create = Create(loaded.symbols["stepwell_pool_create"])
        _process.pool = create(table, threads())


def _default() -> int:
    text = os.environ.get(VARIABLE)
    if text is None:
        return system.usable_cores()
    if not text.isdecimal() or int(text) < 1:
        raise CallError("SW0415", f"{VARIABLE}: expected 1 thread or more, got {text}")
    return int(text)


@ParallelFor
def _serial(pool: int, task: int, arguments: int, count: int) -> None:
    """What stands in for the pool in a process in which no model brought one."""
    Task(task)(arguments, 0, count)


SERIAL: Final = ctypes.cast(_serial, ctypes.c_void_p).value or 0
