"""How an entry point is called: by the thunk with what it has seen before, else by a method."""

import ctypes
import threading
from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any, Final, TypeAlias, final
from weakref import WeakMethod

import numpy as np

from stepwell.runtime.thunk import Case, Thunk, functions

CASES: Final = 32
"""Cases of one thunk, which compares them one after another."""
PATIENCE: Final = 16
"""When there are so many cases, calls in Python of which one makes a case, in place of the oldest:
shapes may change with each call, and a case takes longer than such a call."""

Call: TypeAlias = Callable[..., Any]
ALONE: Final = itemgetter(0)
"""What makes the answer of the only result."""


@final
class Calls:
    """The ways of a call, `function`: by the thunk where one of its cases fits, or by a method."""

    def __init__(self, method: Call, box: Callable[[Any], object] | None = None) -> None:
        """`method` is one of the object that holds this, and holds that weakly.

        `box` wraps an array, where users have arrays of their own, in an object of slots and
        nothing else. Those that differ in another slot than the array's are for the method.
        """
        self._slow = _weak(method)
        self._box = box
        self._known: dict[Hashable, Case | None] = {}
        self._missed = 0
        self._learning = threading.Lock()
        self._thunk: Thunk | None = None
        self.function: Call = self._slow
        """The fastest way, which may be another after the first call."""
        self._begin()

    def _begin(self) -> None:
        """Makes the thunk, if the process has loaded its machine code."""
        machine_code = functions()
        if machine_code is not None:
            thunk = Thunk(machine_code.table, self._slow, array=id(np.ndarray))
            if self._box is not None:
                thunk.unwrap(self._box)
            self._thunk = thunk
            self._show(thunk)
            self.function = machine_code.new(machine_code.method, thunk, None)

    def learn(self, key: Hashable, case: Callable[[], Case | None]) -> None:
        """Adds a case after a call, unless that of this key is known."""
        if key in self._known:
            return
        self._missed += 1
        if len(self._known) == CASES and self._missed % PATIENCE:
            return
        # Another thread may be at it, even in the parent that this process was forked from.
        if not self._learning.acquire(blocking=False):
            return
        try:
            self._add(key, case)
        finally:
            self._learning.release()

    def _add(self, key: Hashable, case: Callable[[], Case | None]) -> None:
        if self._thunk is None:
            self._begin()
        if self._thunk is not None:
            kept = [*self._known.items()][1 - CASES :]
            self._known = {**dict(kept), key: case()}
            self._show(self._thunk)

    def forget(self) -> None:
        """Leaves all calls to the method; those that are running finish."""
        self._known = {}
        if self._thunk is not None:
            self._show(self._thunk)

    def _show(self, thunk: Thunk) -> None:
        found = [case for case in reversed(self._known.values()) if case is not None]
        thunk.cases = (ctypes.py_object * (len(found) + 1))(*map(ctypes.py_object, found))


def _weak(method: Call) -> Call:
    """The method, as long as its object lives."""
    found = WeakMethod(method)

    def slow(*args: object, **kwargs: object) -> object:
        alive = found()
        if alive is None:
            raise ReferenceError("what was called is no more")
        return alive(*args, **kwargs)

    return slow
