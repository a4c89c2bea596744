"""Memory for results: what nobody holds any more serves the next result of its size.

A large array is fresh pages each time, which the kernel clears one by one when they are first
written: that takes longer than most programs take to fill them.
"""

import threading
from collections.abc import Callable
from math import prod
from typing import Any, Final, final

import numpy as np

from stepwell.runtime.dtypes import Array
from stepwell.runtime.errors import CallError
from stepwell.runtime.system import PAGE, Memory, after_fork

LARGE = 1 << 17
"""Bytes from which a result has memory of its own. From there on the C library, glibc at least,
gives back what it is given: 4 results of 1 MiB at a time took 930 µs to fill in its memory, and
150 µs in memory that is kept. Taking it costs 2 µs more."""

KEPT: Final = 1 << 28
"""Bytes that are kept at most when no result is in them."""

FINE: Final = 8
"""Sizes of memory from one power of two to the next, so that results whose sizes vary share it;
what is not written takes no pages."""


@final
class _Kept:
    """Memory that no result is in, by its size.

    A result may be dropped by any thread, even in the middle of a step here: whoever finds another
    at it does without.
    """

    def __init__(self) -> None:
        self._free: dict[int, list[Memory]] = {}
        self._oldest: dict[Memory, None] = {}
        """All of it, what was first given first."""
        self._bytes = 0
        self._busy = threading.Lock()

    def take(self, size: int) -> Memory | None:
        """The memory of a size that was last given."""
        if not self._free.get(size) or not self._busy.acquire(blocking=False):
            return None
        try:
            return self._without(size, -1) if self._free[size] else None
        finally:
            self._busy.release()

    def give(self, memory: Memory) -> None:
        if not self._busy.acquire(blocking=False):
            return
        try:
            self._free.setdefault(memory.size, []).append(memory)
            self._oldest[memory] = None
            self._bytes += memory.size
            while self._bytes > KEPT:
                self._without(next(iter(self._oldest)).size, 0)
        finally:
            self._busy.release()

    def _without(self, size: int, place: int) -> Memory:
        memory = self._free[size].pop(place)
        del self._oldest[memory]
        self._bytes -= size
        return memory


_kept = _Kept()


def _forget() -> None:
    """What another thread of the parent was at may never be finished here."""
    global _kept
    _kept = _Kept()


after_fork(_forget)


@final
class _Owner:
    """What the arrays in a piece of memory hold; with the last of them it goes."""

    __slots__ = ("__array_interface__", "_memory")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.__array_interface__: dict[str, Any] = {
            "version": 3,
            "shape": (memory.size,),
            "typestr": "|u1",
            "data": (memory.address, False),
        }

    def __del__(self) -> None:
        _kept.give(self._memory)


def empty(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    """An array whose elements may be anything (CallError SW0414 if there is no memory for it)."""
    size = prod(shape) * dtype.itemsize
    if size < LARGE:
        try:
            return np.empty(shape, dtype)
        except ValueError:  # an axis of 0 beside others whose product no 64 bits hold
            size = prod(filter(None, shape)) * dtype.itemsize
    room = _rounded(size)
    memory = _kept.take(room) or fresh(room, "a result", size)
    return np.ndarray(shape, dtype, np.asarray(_Owner(memory)))


def maker(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Callable[..., Array]:
    """The function that is called with these for such an array; C calls it sooner than `empty`."""
    return np.empty if prod(shape) * dtype.itemsize < LARGE else empty


def _rounded(size: int) -> int:
    """The memory that is taken for a result of so many bytes."""
    step = max(PAGE, (1 << (size - 1).bit_length()) // (2 * FINE))
    return -(-size // step) * step


def fresh(room: int, what: str, size: int) -> Memory:
    """Pages with room for `what`, which takes `size` bytes (CallError SW0414)."""
    try:
        return Memory(room)
    except (OSError, OverflowError):
        raise CallError("SW0414", f"there is no memory for {what} of {size} bytes") from None
