"""The operating system: the one module that asks it for memory, processors, symbols and forks.

Linux on x86-64 and aarch64. Nothing else in the runtime knows which system it runs on.
"""

import ctypes
import mmap
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from math import ceil
from pathlib import Path
from threading import RLock
from typing import BinaryIO, Final, final

from stepwell.runtime.errors import LoadError

PAGE: Final = mmap.PAGESIZE
HUGE_PAGE: Final = 2 * 1024 * 1024
CPUINFO = Path("/proc/cpuinfo")
QUOTA = Path("/sys/fs/cgroup/cpu.max")

READ: Final = mmap.PROT_READ
WRITE: Final = mmap.PROT_READ | mmap.PROT_WRITE
EXECUTE: Final = mmap.PROT_READ | mmap.PROT_EXEC

X86_FEATURES: Final = {
    "pni": "sse3",
    "sse4_1": "sse4.1",
    "sse4_2": "sse4.2",
    "pclmulqdq": "pclmul",
    "abm": "lzcnt",
    "bmi1": "bmi",
    "lm": "64bit",
    "lahf_lm": "sahf",
    "rdrand": "rdrnd",
    "sha_ni": "sha",
    "3dnowprefetch": "prfchw",
    "avx_vnni": "avxvnni",
    "amx_tile": "amx-tile",
    "amx_int8": "amx-int8",
    "amx_bf16": "amx-bf16",
}
"""Linux's flags of an x86-64 processor that LLVM calls otherwise; it also drops `avx512_`'s bar."""

ARM_FEATURES: Final = {
    "fp": "fp-armv8",
    "asimd": "neon",
    "asimdhp": "fullfp16",
    "asimddp": "dotprod",
    "asimdrdm": "rdm",
    "asimdfhm": "fp16fml",
    "atomics": "lse",
    "crc32": "crc",
    "lrcpc": "rcpc",
    "fcma": "complxnum",
    "jscvt": "jsconv",
}
"""Linux's flags of an aarch64 processor that LLVM calls otherwise."""

ARCH_PRCTL: Final = 158
REQUEST_TILES: Final = (0x1023, 18)
"""Linux's system call, and its request to let this process use the registers of tiles."""

_libc = ctypes.CDLL(None, use_errno=True)
_mprotect = _libc.mprotect
_mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


@final
class Memory:
    """Zeroed pages that are writable until `protect` says otherwise; freed with the last reference.

    Running code keeps its pages by holding this object, so that closing a model while another
    thread computes is safe. (On aarch64 the kernel makes the instruction cache coherent when fresh
    pages become executable, which is the only way in which pages get there.)
    """

    def __init__(self, size: int) -> None:
        self.size = -(-max(size, 1) // PAGE) * PAGE
        self._pages = mmap.mmap(-1, self.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if self.size >= HUGE_PAGE:
            with suppress(OSError):  # a kernel without them
                self._pages.madvise(mmap.MADV_HUGEPAGE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._pages))

    @property
    def view(self) -> memoryview:
        """The bytes, to fill them before they are protected."""
        return memoryview(self._pages)

    def protect(self, start: int, stop: int, access: int) -> None:
        """Gives the pages from byte `start` to `stop`, both page-aligned, their final `access`."""
        if start < stop and _mprotect(self.address + start, stop - start, access):
            reason = os.strerror(ctypes.get_errno())
            raise LoadError("SW0315", f"this system refuses executable memory (mprotect: {reason})")


def keep(value: object) -> None:
    """Never frees an object: C may look at it until the process ends."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))


def architecture() -> str:
    """The processor's architecture as artifacts name it: `x86_64`, `aarch64`, …"""
    return os.uname().machine


@cache
def cpu_features() -> frozenset[str]:
    """LLVM's names of what this processor can do and the kernel lets programs use."""
    flags: list[str] = []
    with CPUINFO.open(encoding="ascii", errors="replace", buffering=2048) as lines:
        for line in lines:  # every processor repeats the line, and later ones cost time
            key, _, value = line.partition(":")
            if key.strip() in ("flags", "Features"):
                flags = value.split()
                break
    if architecture() == "aarch64":
        return frozenset(ARM_FEATURES.get(flag, flag) for flag in flags)
    names = {X86_FEATURES.get(flag, flag.replace("avx512_", "avx512")) for flag in flags}
    if "amx-tile" in names and _libc.syscall(ARCH_PRCTL, *REQUEST_TILES):
        names = {name for name in names if not name.startswith("amx")}
    return frozenset(names)


def usable_cores() -> int:
    """Processors that this process may keep busy: its affinity, and its container's quota."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = QUOTA.read_text(encoding="ascii").split()
        return max(min(allowed, ceil(int(quota) / int(period))), 1)
    except (OSError, ValueError):  # no container, or the quota `max`
        return allowed


def addresses(symbols: Sequence[str], library: ctypes.CDLL = _libc) -> list[int]:
    """Where the C functions `symbols` of this process and its libraries, or of one, lie."""
    found: list[int] = []
    for symbol in symbols:
        try:
            function = library[symbol]
        except AttributeError:
            raise LoadError("SW0316", f"the C function {symbol} is not in this process") from None
        found.append(ctypes.cast(function, ctypes.c_void_p).value or 0)
    return found


def after_fork(action: Callable[[], None]) -> None:
    """Calls `action` in every child process that Python forks from now on."""
    os.register_at_fork(after_in_child=action)


def fork_safe_lock() -> AbstractContextManager[object]:
    """A lock that one thread may take several times, and that no forked child finds taken.

    A fork waits until other threads have let go of it, and of what it guards.
    """
    lock = RLock()
    os.register_at_fork(
        before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
    )
    return lock


@contextmanager
def whole_file(path: Path) -> Generator[BinaryIO]:
    """A file that appears under its name when the block ends, and not at all if it fails.

    What is there and no file, as a terminal is not, is written to directly.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            yield device
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def map_file(path: Path) -> memoryview:
    """The bytes of a file, read from the disk when they are first looked at."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
