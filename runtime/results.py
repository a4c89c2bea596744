"""Memory for results: what nobody holds any more serves the next result of its size.

A large array is fresh pages each time, which the kernel clears one by one when they are first
written: that takes longer than most programs take to fill them.
"""

from collections import deque
from collections.abc import Callable
from math import prod
from typing import Any, Final, final

import numpy as np

from stepwell.runtime.dtypes import Array
from stepwell.runtime.errors import CallError
from stepwell.runtime.system import Memory

LARGE = 1 << 25
"""Bytes from which a result has pages of its own: up to there the C library, glibc at least, learns
to keep memory itself, and what others have just let go of is still in a cache."""

KEPT: Final = 1 << 28
"""Bytes that are kept at most when no result is in them."""

_free: Final[deque[Memory]] = deque()
"""The last one freed is at the end. Each step on it is atomic, since a result may be dropped by any
thread, even in the middle of a step."""


@final
class _Owner:
    """What the arrays in a piece of memory hold; with the last of them it goes."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.__array_interface__: dict[str, Any] = {
            "version": 3,
            "shape": (memory.size,),
            "typestr": "|u1",
            "data": (memory.address, False),
        }

    def __del__(self) -> None:
        _free.append(self._memory)
        while sum(memory.size for memory in tuple(_free)) > KEPT:
            _free.popleft()


def empty(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    """An array whose elements may be anything (CallError SW0414 if there is no memory for it)."""
    size = prod(shape) * dtype.itemsize
    if size < LARGE:
        try:
            return np.empty(shape, dtype)
        except ValueError:  # an axis of 0 beside others whose product no 64 bits hold
            size = prod(filter(None, shape)) * dtype.itemsize
    return np.ndarray(shape, dtype, np.asarray(_Owner(_taken(size) or _fresh(size))))


def maker(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Callable[..., Array]:
    """The function that is called with these for such an array; C calls it sooner than `empty`."""
    return np.empty if prod(shape) * dtype.itemsize < LARGE else empty


def _fresh(size: int) -> Memory:
    try:
        return Memory(size)
    except (OSError, OverflowError):
        raise CallError("SW0414", f"there is no memory for a result of {size} bytes") from None


def _taken(size: int) -> Memory | None:
    """Memory for so many bytes that nobody uses."""
    pages = Memory.whole_pages(size)
    for memory in reversed(tuple(_free)):
        if memory.size == pages:
            try:
                _free.remove(memory)
            except ValueError:  # another thread was first
                continue
            return memory
    return None
