"""What follows from the shapes of a call's arguments: its sizes, its results, its workspace."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from stepwell.runtime.code import Code
from stepwell.runtime.devices.array import Value
from stepwell.runtime.entry import Entry
from stepwell.runtime.errors import LoadError
from stepwell.runtime.sizes import Size
from stepwell.runtime.symbols import Symbols, length, lengths

EntryFunction: Final = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)

REMEMBERED: Final = 1024
"""Combinations of shapes whose sizes are kept."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What follows from the arguments' shapes; `sizes` is read by C, and never written.

    Those of other shapes are others: what is known of a call can be found by its frame.
    """

    sizes: ctypes.Array[ctypes.c_int64]
    results: list[tuple[tuple[int, ...], np.dtype[np.generic]]]
    workspace: int


@final
class Frames:
    """The frames of an entry point, which needs this workspace."""

    def __init__(self, name: str, entry: Entry, workspace: Size) -> None:
        self._entry = entry
        self._symbols = Symbols(name, entry)
        self._workspace = workspace
        self._known: dict[tuple[tuple[int, ...], ...], Frame] = {}

    def of(self, arrays: Sequence[Value]) -> Frame:
        """The frame for inputs and then states (CallError SW0402 to SW0404 and SW0419)."""
        shapes = tuple([array.shape for array in arrays])
        found = self._known.get(shapes)
        if found is None:
            found = self._solved(arrays)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[shapes] = found
        return found

    def _solved(self, arrays: Sequence[Value]) -> Frame:
        values = self._symbols.solve(arrays)
        sizes = [values[size.name] for size in self._entry.sizes]
        results = [
            (lengths(result, values), result.type.dtype.numpy) for result in self._entry.results
        ]
        workspace = length(self._workspace, values, "the workspace")
        return Frame((ctypes.c_int64 * len(sizes))(*sizes), results, workspace)


def function_of(code: Code, entry: Entry) -> Callable[..., int]:
    """The entry's function (LoadError SW0311; SW0320 unless it reads what a call has)."""
    function = EntryFunction(code.address(entry.symbol))
    found = code.numbers(f"{entry.symbol}.takes", 2)
    given = len(entry.arguments) + len(entry.results), len(entry.sizes)
    if found != given:
        raise LoadError(
            "SW0320",
            f"{code.name}: {entry.symbol} takes {found[0]} arrays and {found[1]} sizes, and the"
            f" manifest describes {given[0]} and {given[1]}",
        )
    return function
