"""Arrays between pages that nobody may read: a program that reads beside them ends its process."""

import ctypes
import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAGE = mmap.PAGESIZE
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def fenced(array: NDArray[Any], *, at_end: bool) -> NDArray[Any]:
    """A copy that begins behind such a page or ends before one. It lives as long as the process."""
    whole = -(-max(array.nbytes, 1) // PAGE) * PAGE
    pages = mmap.mmap(-1, whole + 2 * PAGE)
    first = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    for page in (first, first + PAGE + whole):
        assert _libc.mprotect(page, PAGE, 0) == 0
    start = PAGE + (whole - array.nbytes if at_end else 0)
    copy = np.frombuffer(pages, array.dtype, array.size, start).reshape(array.shape)
    copy[...] = array
    return copy
