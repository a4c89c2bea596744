"""A program: one entry point in memory, bound to its code and constants, that runs on arrays."""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, final

import numpy as np

from stepwell.runtime import pool, system
from stepwell.runtime.calling import ALONE, Call
from stepwell.runtime.code import Code
from stepwell.runtime.context import Context, Contexts, Host
from stepwell.runtime.dtypes import Array
from stepwell.runtime.entry import Entry
from stepwell.runtime.errors import LoadError
from stepwell.runtime.results import empty, maker
from stepwell.runtime.sizes import Size
from stepwell.runtime.symbols import Symbols, length, lengths
from stepwell.runtime.thunk import Case, expected, fits

EntryFunction: Final = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)

REMEMBERED: Final = 1024
"""Combinations of shapes whose sizes are kept."""


@final
@dataclass(frozen=True, slots=True)
class Frame:
    """What follows from the arguments' shapes; `sizes` is read by C, and never written."""

    sizes: ctypes.Array[ctypes.c_int64]
    results: list[tuple[tuple[int, ...], np.dtype[np.generic]]]
    workspace: int


@final
class Program:
    """Runs an entry point; safe to call from any number of threads, which compute side by side."""

    def __init__(
        self,
        name: str,
        entry: Entry,
        code: Code,
        constants: Sequence[Array],
        workspace: Size,
        overwrites: Sequence[tuple[int, int]],
        contexts: Contexts,
    ) -> None:
        """`constants` stand in the entry's order; `contexts` may be shared with other programs."""
        self._entry = entry
        self._code = code  # lives as long as this program
        self._symbols = Symbols(name, entry)
        self._constants = constants
        self._workspace = workspace
        self._overwrites = overwrites
        self._contexts = contexts
        self._frames: dict[tuple[tuple[int, ...], ...], Frame] = {}
        self._fixed = [array.ctypes.data for array in constants]
        self._function = EntryFunction(code.address(entry.symbol))
        _expect_counts(code, entry)
        self._imports = (ctypes.c_uint64 * len(entry.imports))(*system.addresses(entry.imports))
        self._host = Host(name, entry)
        self._print_address, self._print = self._host.exposed()
        self._imports_address = ctypes.addressof(self._imports)

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """The results for dense inputs and then states, in the manifest's order.

        An input that is overwritten is a result afterwards; one that is read-only, or overlaps
        another, is copied first.

        Raises CallError SW0402 to SW0404 and SW0419 if the shapes do not fit, SW0410 to SW0412 if
        the program fails.
        """
        frame = self._frame(arrays)
        results = [empty(shape, dtype) for shape, dtype in frame.results]
        if self._overwrites:
            arrays = self._given_away(arrays, results)
        context = self._contexts.take()
        try:
            self._call(context, frame, arrays, results)
        finally:
            self._contexts.give(context)
        return results

    def case(self, arrays: Sequence[Array], rebuild: Call) -> Case | None:
        """The call for inputs like these in a thunk; None if it is too long, or overwrites one.

        `rebuild` makes the answer of the results; `ALONE` and `tuple` are not called for it.
        """
        frame = self._frame(arrays)
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

    def _frame(self, arrays: Sequence[Array]) -> Frame:
        shapes = tuple([array.shape for array in arrays])
        found = self._frames.get(shapes)
        if found is None:
            found = self._solved(self._symbols.solve(arrays))
            if len(self._frames) >= REMEMBERED:
                self._frames.clear()
            self._frames[shapes] = found
        return found

    def _solved(self, values: Mapping[str, int]) -> Frame:
        sizes = [values[size.name] for size in self._entry.sizes]
        results = [
            (lengths(result, values), result.type.dtype.numpy) for result in self._entry.results
        ]
        workspace = length(self._workspace, values, "the workspace")
        return Frame((ctypes.c_int64 * len(sizes))(*sizes), results, workspace)


def _expect_counts(code: Code, entry: Entry) -> None:
    """Raises LoadError SW0320 unless code reads as many pointers and sizes as a call has."""
    found = code.numbers(f"{entry.symbol}.takes", 2)
    given = len(entry.arguments) + len(entry.results), len(entry.sizes)
    if found != given:
        raise LoadError(
            "SW0320",
            f"{code.name}: {entry.symbol} takes {found[0]} arrays and {found[1]} sizes, and the"
            f" manifest describes {given[0]} and {given[1]}",
        )
