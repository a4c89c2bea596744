"""The thunk's machine code, which comes with the pool's, and the structures that it reads.

`compiler/targets/support/thunk/` says how it works. Where there is none, or none that this Python
can use, calls are made by ctypes.
"""

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple, final

import numpy as np

from stepwell.runtime import code, pool, system
from stepwell.runtime.dtypes import BY_NUMPY, Array
from stepwell.runtime.errors import LoadError

SYMBOL: Final = "stepwell_thunk_2"
IMPORTS: Final = "stepwell_thunk_imports"
MOST_INPUTS, MOST_RESULTS, MOST_ADDRESSES = 64, 64, 512
DENSE: Final = 0x0101
"""NumPy's `NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED`."""
HEAD: Final = 16
"""Bytes of a Python object before its slots."""


@final
class Case(ctypes.Structure):
    """Inputs of exact dtypes and shapes, and the call that is made for them.

    Fields that are objects or ctypes arrays hold what they lead to; `failed`, a method of the
    program, holds the rest.
    """

    _fields_ = (
        ("inputs", ctypes.c_int64),
        ("guard", ctypes.POINTER(ctypes.c_int64)),
        ("function", ctypes.c_void_p),
        ("sizes", ctypes.POINTER(ctypes.c_int64)),
        ("workspace", ctypes.c_int64),
        ("words", ctypes.POINTER(ctypes.c_uint64)),
        ("contexts", ctypes.py_object),
        ("constants", ctypes.c_int64),
        ("constant", ctypes.POINTER(ctypes.c_uint64)),
        ("results", ctypes.c_int64),
        ("result", ctypes.POINTER(ctypes.py_object)),
        ("alone", ctypes.c_int64),
        ("rebuild", ctypes.py_object),
        ("failed", ctypes.py_object),
    )
    rebuild: Callable[..., Any]
    failed: Callable[..., Any]


@final
class Thunk(ctypes.Structure):
    """What the machine code finds at the function's `self`: cases, and what all calls need."""

    _fields_ = (
        ("functions", ctypes.POINTER(ctypes.c_uint64)),
        ("slow", ctypes.py_object),
        ("cases", ctypes.POINTER(ctypes.py_object)),
        ("array", ctypes.c_uint64),
        ("box", ctypes.py_object),
        ("empty", ctypes.py_object),
        ("slot", ctypes.c_int64),
        ("end", ctypes.c_int64),
    )

    def unwrap(self, box: Callable[[Any], object]) -> None:
        """Takes and gives boxes in the place of arrays: what `box` makes of one."""
        array = np.empty(0)
        self.empty = empty = box(array)
        self.box, self.end = type(empty), type(empty).__basicsize__
        places = range(HEAD, self.end, 8)
        self.slot = next(at for at in places if _word(id(empty) + at) == id(array))


@final
class Method(ctypes.Structure):
    """CPython's `PyMethodDef` (`Include/methodobject.h`)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


FAST_WITH_KEYWORDS: Final = 0x0082
"""`METH_FASTCALL | METH_KEYWORDS`."""
NEW: Final = "PyCFunction_NewEx"
NewFunction: Final = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.POINTER(Method), ctypes.py_object, ctypes.c_void_p
)


def fits(inputs: int, results: int, addresses: int) -> bool:
    """Whether the thunk has room for a call with so many."""
    return inputs <= MOST_INPUTS and results <= MOST_RESULTS and addresses <= MOST_ADDRESSES


def expected(array: Array) -> tuple[int, ...]:
    """What a case compares of an input like this one, which is dense.

    Of equal dtypes it is the one that never goes away: another's address may be used again.
    """
    return id(BY_NUMPY[array.dtype].numpy), DENSE, array.ndim, *array.shape


@cache
def supported() -> bool:
    """Whether this Python and this NumPy lay their objects out as the machine code reads them.

    Free-threaded builds ("t") and debug builds ("d") do not, or need locks, or counters.
    """
    cpython = sys.implementation.name == "cpython" and sys.abiflags == ""
    return cpython and not hasattr(sys, "getobjects") and _as_expected(np.zeros((2, 3)))


def _as_expected(array: Array) -> bool:
    """Whether the fields of an array of two axes, and of a structure, are at their offsets."""
    structure, at = Method(), id(array)
    return (
        _word(id(structure) + HEAD) == ctypes.addressof(structure)
        and _word(at + 8) == id(np.ndarray)
        and _word(at + 16) == array.__array_interface__["data"][0]
        and _word(at + 24) & 0xFFFF_FFFF == array.ndim
        and _word(at + 56) == id(array.dtype)
        and _word(at + 64) & 0xFFFF_FFFF == array.flags.num
        and (_word(_word(at + 32)), _word(_word(at + 32) + 8)) == array.shape
    )


def _word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


@final
class Functions(NamedTuple):
    """What the process's machine code offers and needs, for as long as the process lives."""

    new: Callable[..., Any]
    """CPython's `PyCFunction_NewEx`."""
    method: Method
    table: ctypes.Array[ctypes.c_uint64]


@cache
def _resolved(address: int, names: int) -> Functions | None:
    """The thunk at an address, and what it imports; None if the process hides CPython's symbols."""
    try:
        new, *found = system.addresses([NEW, *code.names(names)], ctypes.pythonapi)
    except LoadError:
        return None
    method = Method(b"call", address, FAST_WITH_KEYWORDS, None)
    system.keep(method)
    return Functions(NewFunction(new), method, (ctypes.c_uint64 * len(found))(*found))


def functions() -> Functions | None:
    """Those of the support object that the process has loaded, if they can be used here."""
    support = pool.support()
    if support is None or SYMBOL not in support.symbols or not supported():
        return None
    return _resolved(support.address(SYMBOL), support.address(IMPORTS))
