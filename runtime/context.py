"""The context of a call: the words that compiled code is handed, and what they lead to."""

import ctypes
from collections.abc import Callable, Mapping
from enum import IntEnum
from math import prod
from typing import Final, final

import numpy as np

from stepwell.runtime import system
from stepwell.runtime.dtypes import Array
from stepwell.runtime.entry import ArrayType, Entry, filled
from stepwell.runtime.errors import CallError
from stepwell.runtime.results import fresh

VERSION: Final = 1

HostFunction: Final = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p
)


class Word(IntEnum):
    """Numbers of the context's words; `ERROR` and `SITE` are written by code that fails.

    Those behind `SITE` are a GPU's: the driver's functions `LAUNCH`, `COPY` and `WAIT`, a table of
    `KERNELS`, and the `STREAM` in which all that happens.
    """

    VERSION = 0
    WORKSPACE = 1
    PARALLEL_FOR = 2
    POOL = 3
    HOST = 4
    IMPORTS = 5
    ERROR = 6
    SITE = 7
    LAUNCH = 8
    KERNELS = 9
    STREAM = 10
    COPY = 11
    WAIT = 12


class Error(IntEnum):
    """Values of the word `ERROR`: an assertion failed, the host function answered 1, the imported C
    function that `SITE` numbers did not answer 0, or a GPU's driver answered what `SITE` says."""

    ASSERTION = 1
    HOST = 2
    CUSTOM = 3
    DEVICE = 4


@final
class Words(ctypes.Structure):
    """The ABI's `ctx`, word by word."""

    _fields_ = tuple((word.name.lower(), ctypes.c_uint64) for word in Word)

    version: int
    workspace: int
    parallel_for: int
    pool: int
    host: int
    imports: int
    error: int
    site: int
    launch: int
    kernels: int
    stream: int
    copy: int
    wait: int


@final
class Record(ctypes.Structure):
    """The words, and behind them how many bytes the workspace has, which the thunk compares."""

    _fields_ = (("words", Words), ("room", ctypes.c_uint64))

    words: Words
    room: int


@final
class Context:
    """The words of one call at a time, and a workspace that grows to the largest call's need.

    A call has its context to itself, so that calls may overlap: on several threads, and when
    something that is called from compiled code calls a model again.
    """

    def __init__(self) -> None:
        self._record = Record()
        self.words = self._record.words
        self.words.version = VERSION
        self.address = ctypes.addressof(self._record)
        self._take(system.Memory(0))

    def reserve(self, size: int) -> None:
        """Makes the workspace `size` bytes or longer, or raises CallError SW0414."""
        if size > self._workspace.size:
            self._take(fresh(size, "a workspace", size))

    def _take(self, workspace: system.Memory) -> None:
        self._workspace = workspace
        self.words.workspace, self._record.room = workspace.address, workspace.size


@final
class Contexts:
    """The contexts of a model. Each step on `free` is atomic: any thread may take one."""

    def __init__(self) -> None:
        self.free: list[int] = []
        """Addresses of those that no call is using, the last used at the end."""
        self._all: dict[int, Context] = {}

    def take(self) -> Context:
        try:
            return self._all[self.free.pop()]
        except IndexError:
            context = Context()
            self._all[context.address] = context
            return context

    def give(self, context: Context) -> None:
        self.free.append(context.address)

    def at(self, address: int) -> Context:
        return self._all[address]


@final
class Host:
    """The function that an entry point's code calls to print; it answers 0, or 1 if that failed."""

    def __init__(self, name: str, entry: Entry, see: Callable[..., Array] | None = None) -> None:
        """`see` takes the place of `_view` where arrays do not lie in the host's memory."""
        self._name = name
        self._see = see or _view
        self._entry = entry
        self._sizes = [size.name for size in entry.sizes]
        self._raised: dict[int, BaseException] = {}

    def exposed(self) -> tuple[int, object]:
        """Where C can call this, and what keeps it there; 0 if the code prints nothing.

        (What ctypes makes for it lies on a page that is writable and executable.)
        """
        if all(site.kind != "print" for site in self._entry.sites):
            return 0, None
        function = HostFunction(self)
        return ctypes.cast(function, ctypes.c_void_p).value or 0, function

    def __call__(self, context: int, site: int, operands: int, sizes: int) -> int:
        """Prints the site's text; operands and sizes are addresses of C arrays."""
        try:
            values = dict(zip(self._sizes, _int64s(sizes, len(self._sizes)), strict=True))
            types = self._entry.sites[site].operands
            arrays = map(self._see, types, _int64s(operands, len(types)), [values] * len(types))
            print(filled(self._entry.sites[site].text, list(arrays)), flush=True)
        except BaseException as error:  # even KeyboardInterrupt must wait until C has returned
            self._raised[context] = error
            return 1
        return 0

    def error(self, context: Context) -> BaseException:
        """Why the call that ran with this context failed."""
        code, site = context.words.error, context.words.site
        raised = self._raised.pop(context.address, None)
        if raised is not None and not isinstance(raised, Exception):
            return raised
        if code == Error.CUSTOM and site < len(self._entry.imports):
            sentence = f"{self._name}: the C function {self._entry.imports[site]} failed"
            return CallError("SW0412", sentence)
        if code not in (Error.ASSERTION, Error.HOST) or site >= len(self._entry.sites):
            return CallError("SW0412", f"{self._name} failed with code {code} at site {site}")
        text, where = self._entry.sites[site].text, self._entry.sites[site].where
        if code == Error.ASSERTION:
            return CallError("SW0410", f"{self._name}: {text}", where=where)
        failed = CallError("SW0411", f"{self._name}: print failed: {raised}", where=where)
        failed.__cause__ = raised
        return failed


def _int64s(address: int, count: int) -> list[int]:
    """The integers, or addresses, of a C array."""
    return list((ctypes.c_int64 * count).from_address(address)) if count else []


def _view(array: ArrayType, address: int, sizes: Mapping[str, int]) -> Array:
    """An array that compiled code shows, valid as long as it does so."""
    shape = tuple(size.evaluate(sizes) for size in array.shape)
    length = prod(shape) * array.dtype.numpy.itemsize
    data = (ctypes.c_char * length).from_address(address)
    return np.frombuffer(memoryview(data).cast("B"), array.dtype.numpy).reshape(shape)
