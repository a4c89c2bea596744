"""A program: one entry point in memory, bound to its code and constants, that runs on arrays."""

import ctypes
from collections.abc import Sequence
from typing import NoReturn, cast, final

import numpy as np

from stepwell.runtime import pool, system
from stepwell.runtime.calling import ALONE, Call
from stepwell.runtime.code import Code
from stepwell.runtime.context import Context, Contexts, Host
from stepwell.runtime.devices.array import Value
from stepwell.runtime.dtypes import Array
from stepwell.runtime.entry import Entry
from stepwell.runtime.frames import Frame, Frames, function_of
from stepwell.runtime.results import empty, maker
from stepwell.runtime.sizes import Size
from stepwell.runtime.thunk import Case, expected, fits


@final
class Program:
    """Runs an entry point; safe to call from any number of threads, which compute side by side."""

    def __init__(
        self,
        name: str,
        entry: Entry,
        code: Code,
        constants: Sequence[Value],
        workspace: Size,
        overwrites: Sequence[tuple[int, int]],
        contexts: Contexts,
    ) -> None:
        """`constants` stand in the entry's order; `contexts` may be shared with other programs."""
        self._entry = entry
        self._code = code  # lives as long as this program
        self._frames = Frames(name, entry, workspace)
        self._constants = constants
        self._overwrites = overwrites
        self._contexts = contexts
        self._fixed = [cast("Array", array).ctypes.data for array in constants]
        self._function = function_of(code, entry)
        self._imports = (ctypes.c_uint64 * len(entry.imports))(*system.addresses(entry.imports))
        self._host = Host(name, entry)
        self._print_address, self._print = self._host.exposed()
        self._imports_address = ctypes.addressof(self._imports)

    def run(self, arrays: Sequence[Value]) -> list[Array]:
        """The results for dense inputs and then states, in the manifest's order.

        An input that is overwritten is a result afterwards; one that is read-only, or overlaps
        another, is copied first.

        Raises CallError SW0402 to SW0404 and SW0419 if the shapes do not fit, SW0410 to SW0412 if
        the program fails.
        """
        arrays = cast("Sequence[Array]", arrays)  # `dense` has made them so
        frame = self._frames.of(arrays)
        results = [empty(shape, dtype) for shape, dtype in frame.results]
        if self._overwrites:
            arrays = self._given_away(arrays, results)
        context = self._contexts.take()
        try:
            self._call(context, frame, arrays, results)
        finally:
            self._contexts.give(context)
        return results

    def case(self, arrays: Sequence[Value], rebuild: Call) -> Case | None:
        """The call for inputs like these in a thunk; None if it is too long, or overwrites one.

        `rebuild` makes the answer of the results; `ALONE` and `tuple` are not called for it.
        """
        arrays = cast("Sequence[Array]", arrays)
        frame = self._frames.of(arrays)
        addresses = len(arrays) + len(self._fixed) + len(frame.results)
        if self._overwrites or not fits(len(arrays), len(frame.results), addresses):
            return None
        guard = [word for array in arrays for word in expected(array)]
        words = *pool.parallel_for(), self._print_address, self._imports_address
        made = [part for result in frame.results for part in (maker(*result), *result)]
        case = Case(
            inputs=len(arrays),
            guard=(ctypes.c_int64 * len(guard))(*guard),
            function=self._code.address(self._entry.symbol),
            sizes=frame.sizes,
            workspace=frame.workspace,
            words=(ctypes.c_uint64 * len(words))(*words),
            contexts=self._contexts.free,
            constants=len(self._fixed),
            constant=(ctypes.c_uint64 * len(self._fixed))(*self._fixed),
            results=len(frame.results),
            result=(ctypes.py_object * len(made))(*made),
            alone=rebuild is ALONE,
            failed=self._failed,
        )
        if rebuild not in (ALONE, tuple):
            case.rebuild = rebuild
        return case

    def _failed(self, address: int) -> NoReturn:
        """Raises the error of a call, and gives its context back."""
        context = self._contexts.at(address)
        try:
            raise self._host.error(context)
        finally:
            self._contexts.give(context)

    def _call(
        self, context: Context, frame: Frame, arrays: Sequence[Array], results: Sequence[Array]
    ) -> None:
        context.reserve(frame.workspace)
        words = context.words
        words.parallel_for, words.pool = pool.parallel_for()
        words.host, words.imports = self._print_address, self._imports_address
        words.error = words.site = 0
        # `array.ctypes.data` makes an object first, and takes three times as long.
        given = [array.__array_interface__["data"][0] for array in arrays]
        taken = [array.__array_interface__["data"][0] for array in results]
        addresses = given + self._fixed + taken
        pointers = (ctypes.c_void_p * len(addresses))(*addresses)
        if self._function(context.address, pointers, frame.sizes):
            raise self._host.error(context)

    def _given_away(self, arrays: Sequence[Array], results: list[Array]) -> list[Array]:
        """The arrays as they are handed over; those that are overwritten become results."""
        given = list(arrays)
        for argument, result in self._overwrites:
            array = given[argument]
            others = (*given[:argument], *given[argument + 1 :])
            if not array.flags.writeable or any(np.may_share_memory(array, x) for x in others):
                given[argument] = array.copy()
            results[result] = given[argument]
        return given
