"""What the thunk reads in memory: the runtime's structures, CPython's and NumPy's, and functions.

The runtime fills `Thunk` and `Case` (`runtime/thunk.py` declares them once more, and a test
compares). A change to them, or to what is asked of CPython, takes another name for the symbol, by
which a runtime finds the thunk that it can use. `Object` and `Ndarray` have the offsets of
CPython's `Include/object.h`, `Modules/_ctypes/ctypes.h` and NumPy's `ndarraytypes.h`
(`PyArrayObject_fields`); the runtime looks whether they hold in its process.
"""

from typing import Final, final

from stepwell.compiler.dialects.llvm.types import i32, i64, ptr, void
from stepwell.compiler.targets.support.structures import Field, Import

SYMBOL: Final = "stepwell_thunk_2"
MOST_INPUTS: Final = 64
MOST_RESULTS: Final = 64
MOST_ADDRESSES: Final = 512
"""What there is room for on the stack; the runtime makes no case of a call that needs more."""

VECTORCALL: Final = Import(0, "PyObject_Vectorcall", ptr, (ptr, ptr, i64, ptr))
INCREF: Final = Import(1, "Py_IncRef", void, (ptr,))
DECREF: Final = Import(2, "Py_DecRef", void, (ptr,))
"""Does nothing for null."""
LIST_SIZE: Final = Import(3, "PyList_Size", i64, (ptr,))
LIST_GET_ITEM: Final = Import(4, "PyList_GetItem", ptr, (ptr, i64))
LIST_SET_SLICE: Final = Import(5, "PyList_SetSlice", i32, (ptr, i64, i64, ptr))
LIST_APPEND: Final = Import(6, "PyList_Append", i32, (ptr, ptr))
LONG_AS_VOID_PTR: Final = Import(7, "PyLong_AsVoidPtr", ptr, (ptr,))
SAVE_THREAD: Final = Import(8, "PyEval_SaveThread", ptr, ())
RESTORE_THREAD: Final = Import(9, "PyEval_RestoreThread", void, (ptr,))
TUPLE_NEW: Final = Import(10, "PyTuple_New", ptr, (i64,))
TUPLE_SET_ITEM: Final = Import(11, "PyTuple_SetItem", i32, (ptr, i64, ptr))
GENERIC_ALLOC: Final = Import(12, "PyType_GenericAlloc", ptr, (ptr, i64))
ERR_CLEAR: Final = Import(13, "PyErr_Clear", void, ())

IMPORTS: Final = (
    VECTORCALL,
    INCREF,
    DECREF,
    LIST_SIZE,
    LIST_GET_ITEM,
    LIST_SET_SLICE,
    LIST_APPEND,
    LONG_AS_VOID_PTR,
    SAVE_THREAD,
    RESTORE_THREAD,
    TUPLE_NEW,
    TUPLE_SET_ITEM,
    GENERIC_ALLOC,
    ERR_CLEAR,
)
"""The order of the table."""


@final
class Object:
    """A Python object; `MEMORY` is where an instance of a ctypes structure has its fields."""

    TYPE: Final = Field(8, i64)
    MEMORY: Final = Field(16, ptr)
    HEAD: Final = 16
    """Bytes before the first slot."""


@final
class Ndarray:
    """An array of NumPy."""

    DATA: Final = Field(16, ptr)
    RANK: Final = Field(24, i32)
    SHAPE: Final = Field(32, ptr)
    DTYPE: Final = Field(56, i64)
    FLAGS: Final = Field(64, i32)


@final
class Thunk:
    """A callable: its cases, and the Python function for all else."""

    FUNCTIONS: Final = Field(0, ptr)
    SLOW: Final = Field(8, ptr)
    CASES: Final = Field(16, ptr)
    """The addresses of objects whose memory is a `Case`, up to one that is null."""
    ARRAY: Final = Field(24, i64)
    """The type `numpy.ndarray`."""
    BOX: Final = Field(32, ptr)
    """The type of objects that hold an array, which are taken and given in its place; or null."""
    EMPTY: Final = Field(40, ptr)
    """A box, which others are like but for the slot of the array."""
    SLOT: Final = Field(48, i64)
    """Where in a box the array is."""
    END: Final = Field(56, i64)
    """Bytes of a box: words from `Object.HEAD` to there are references."""


@final
class Case:
    """Inputs of exact dtypes and shapes, and the call that is made for them."""

    INPUTS: Final = Field(0, i64)
    GUARD: Final = Field(8, ptr)
    """For each input: its dtype's address, the flags that it must have, its rank, its shape."""
    FUNCTION: Final = Field(16, ptr)
    SIZES: Final = Field(24, ptr)
    WORKSPACE: Final = Field(32, i64)
    WORDS: Final = Field(40, ptr)
    """Four words of the context: `parallel_for`, `pool`, `host`, `imports`."""
    CONTEXTS: Final = Field(48, ptr)
    """A list of the addresses of contexts that no call is using."""
    CONSTANTS: Final = Field(56, i64)
    CONSTANT: Final = Field(64, ptr)
    """The addresses of so many constants."""
    RESULTS: Final = Field(72, i64)
    RESULT: Final = Field(80, ptr)
    """For each result: the function that makes an array, and its two arguments."""
    ALONE: Final = Field(88, i64)
    """Whether the answer is the only result instead of a tuple."""
    REBUILD: Final = Field(96, ptr)
    """What makes the answer of the tuple, or null."""
    FAILED: Final = Field(104, ptr)
    """What raises the error, given the context's address, which it gives back."""


@final
class Context:
    """The context of a call, behind which the runtime keeps how large the workspace is."""

    PARALLEL_FOR: Final = Field(16, ptr)
    ERROR: Final = Field(48, i64)
    SITE: Final = Field(56, i64)
    ROOM: Final = Field(104, i64)
