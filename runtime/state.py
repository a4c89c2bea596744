"""A model's state: named arrays that outlive a call and that its entry points share."""

import threading
from collections.abc import Iterator, Mapping
from typing import final

import numpy as np

from stepwell.runtime.arguments import dense, mismatch
from stepwell.runtime.dtypes import Array
from stepwell.runtime.entry import Argument
from stepwell.runtime.errors import CallError


@final
class State(Mapping[str, Array]):
    """The current arrays by name, read-only; `state[name] = array` replaces one, `reset()` all.

    A call replaces them when it has succeeded: one that fails leaves them as they were.
    """

    def __init__(self, arguments: Mapping[str, Argument], first: Mapping[str, Array]) -> None:
        self.lock = threading.RLock()
        self._arguments = arguments
        self._first = dict(first)
        self._now = dict(first)

    def __getitem__(self, name: str) -> Array:
        return self._now[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    def __setitem__(self, name: str, value: object) -> None:
        """Takes a copy of an array of the state's type (CallError SW0402, SW0413)."""
        argument = self._arguments.get(name)
        if argument is None:
            known = ", ".join(self._arguments) or "none"
            raise CallError("SW0413", f"there is no state {name}; there is {known}")
        array = np.array(dense(argument, value))
        if not argument.type.admits(array):
            raise mismatch(argument, array)
        with self.lock:
            self.update({name: array})

    def update(self, arrays: Mapping[str, Array]) -> None:
        """Replaces states; the caller holds the lock and hands the arrays over."""
        for array in arrays.values():
            array.flags.writeable = False
        self._now.update(arrays)

    def reset(self) -> None:
        """Puts the first values back."""
        with self.lock:
            self._now = dict(self._first)
