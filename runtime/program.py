"""Programs: one entry point in memory, bound to its code and constants, that runs on arrays."""

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn, cast, final

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
class Parts(NamedTuple):
    """What a program is made of, wherever it runs.

    `constants` stand in the entry's order, and `contexts` may be shared with other programs.
    """

    name: str
    entry: Entry
    code: Code
    constants: Sequence[Value]
    workspace: Size
    overwrites: Sequence[tuple[int, int]]
    contexts: Contexts


class Program(ABC):
    """Runs an entry point; safe to call from any number of threads."""

    def __init__(self, parts: Parts, see: Callable[..., Array] | None = None) -> None:
        """`see` is as for `Host`."""
        self._parts = parts  # the code and the constants live as long as this program
        name, entry, code, constants, workspace, self._overwrites, self._contexts = parts
        self._frames = Frames(name, entry, workspace)
        self._fixed = [self._address(array) for array in constants]
        self._function = function_of(code, entry)
        self._imports = (ctypes.c_uint64 * len(entry.imports))(*system.addresses(entry.imports))
        self._host = Host(name, entry, see)
        self._print_address, self._print = self._host.exposed()
        self._imports_address = ctypes.addressof(self._imports)
        self._pointers = ctypes.c_void_p * (len(entry.arguments) + len(entry.results))

    def run(self, arrays: Sequence[Value]) -> list[Value]:
        """The results for inputs and then states, in the manifest's order.

        An input that is overwritten is a result afterwards; one that is read-only, or overlaps
        another, is copied first.

        Raises CallError SW0402 to SW0404 and SW0419 if the shapes do not fit, SW0410 to SW0412 if
        the program fails.
        """
        frame = self._frames.of(arrays)
        given = self._taken(arrays)
        replaced = self._given_away(given) if self._overwrites else {}
        results = [
            replaced[number] if number in replaced else self._empty(*result)
            for number, result in enumerate(frame.results)
        ]
        address = self._address
        self._run(frame, [*map(address, given), *self._fixed, *map(address, results)])
        return results

    def case(self, arrays: Sequence[Value], rebuild: Call) -> Case | None:
        """The call for inputs like these in a thunk; None if that cannot make it.

        `rebuild` makes the answer of the results; `ALONE` and `tuple` are not called for it.
        """

    def _taken(self, arrays: Sequence[Value]) -> list[Value]:
        """The arrays where the code can read them."""
        return [*arrays]

    @abstractmethod
    def _empty(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Value:
        """An array whose elements may be anything (CallError SW0414)."""

    @abstractmethod
    def _address(self, array: Value) -> int:
        """Where the array lies."""

    @abstractmethod
    def _may_change(self, array: Value, others: Sequence[Value]) -> bool:
        """Whether it may be overwritten, and none of the others with it."""

    @abstractmethod
    def _run(self, frame: Frame, addresses: Sequence[int]) -> None:
        """Runs the code, in a context, on arguments and results at these addresses."""

    def _call(self, context: Context, frame: Frame, addresses: Sequence[int]) -> None:
        words = context.words
        words.host, words.imports = self._print_address, self._imports_address
        words.error = words.site = 0
        if self._function(context.address, self._pointers(*addresses), frame.sizes):
            raise self._error(context)

    def _error(self, context: Context) -> BaseException:
        """Why the call with this context failed."""
        return self._host.error(context)

    def _given_away(self, arrays: list[Value]) -> dict[int, Value]:
        """The results that lie in inputs' places; inputs that must not change are copied first."""
        for argument, _ in self._overwrites:
            others = (*arrays[:argument], *arrays[argument + 1 :])
            if not self._may_change(arrays[argument], others):
                arrays[argument] = arrays[argument].copy()
        return {result: arrays[argument] for argument, result in self._overwrites}


@final
class HostProgram(Program):
    """A program for the CPU, on NumPy's arrays; threads that call it compute side by side."""

    def case(self, arrays: Sequence[Value], rebuild: Call) -> Case | None:
        """None if it is too long, or overwrites an input."""
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
            function=self._parts.code.address(self._parts.entry.symbol),
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
            raise self._error(context)
        finally:
            self._contexts.give(context)

    def _empty(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
        return empty(shape, dtype)

    def _address(self, array: Value) -> int:
        # `array.ctypes.data` makes an object first, and takes three times as long.
        return cast("Array", array).__array_interface__["data"][0]

    def _may_change(self, array: Value, others: Sequence[Value]) -> bool:
        array, others = cast("Array", array), cast("Sequence[Array]", others)
        return array.flags.writeable and not any(np.may_share_memory(array, x) for x in others)

    def _run(self, frame: Frame, addresses: Sequence[int]) -> None:
        context = self._contexts.take()
        try:
            context.reserve(frame.workspace)
            context.words.parallel_for, context.words.pool = pool.parallel_for()
            self._call(context, frame, addresses)
        finally:
            self._contexts.give(context)
