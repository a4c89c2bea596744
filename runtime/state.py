"""A model's state: named trees of arrays that outlive a call and that its entry points share."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final
from weakref import WeakValueDictionary

import numpy as np

from stepwell.runtime import tree
from stepwell.runtime.arguments import dense, mismatch
from stepwell.runtime.devices.array import Value
from stepwell.runtime.dtypes import Array
from stepwell.runtime.entry import Argument
from stepwell.runtime.errors import CallError
from stepwell.runtime.fields import Field, Json
from stepwell.runtime.signature import Take
from stepwell.runtime.system import after_fork


@final
@dataclass(frozen=True, slots=True)
class Nesting:
    """How a state is nested: leaf number i of `tree` is the argument of kind state `leaves[i]`."""

    leaves: tuple[str, ...]
    tree: tree.Tree

    def to_json(self) -> Json:
        """The state as it stands in a manifest."""
        return {"leaves": self.leaves, "tree": tree.to_json(self.tree)}

    @staticmethod
    def from_json(field: Field, arguments: Sequence[str]) -> "Nesting":
        """The state that a manifest describes, of which these are the arguments of all entries."""
        leaves = tuple(item.choice(arguments) for item in field["leaves"].items())
        found = tree.from_json(field["tree"])
        if sorted(tree.indices(found)) != list(range(len(leaves))):
            raise field["tree"].refusal(f"a tree of {len(leaves)} leaves")
        return Nesting(leaves, found)


@final
class State(Mapping[str, Any]):
    """The current trees of arrays by name, read-only; `state[name] = tree` replaces one.

    A call replaces them when it has succeeded: one that fails leaves them as they were.
    """

    def __init__(
        self,
        arguments: Mapping[str, Argument],
        first: Mapping[str, Value],
        nested: Mapping[str, Nesting],
        put: Callable[[Array], Value] = np.asarray,
        take: Take = dense,
    ) -> None:
        """`arguments` and `first` are those of the leaves; what is not `nested` is by itself.

        `put` brings an array to where the states lie, and `take` is how that place takes one.
        """
        self._take = take
        self._put = put
        self.lock = threading.RLock()
        _all[id(self)] = self
        self._arguments = arguments
        self._first = first
        self._now = first
        inside = {leaf for each in nested.values() for leaf in each.leaves}
        alone = {name: Nesting((name,), tree.Leaf(0)) for name in arguments if name not in inside}
        self._states = {**nested, **alone}

    def __getitem__(self, name: str) -> Any:
        """NumPy arrays, nested as the state was declared (a dataclass as a dict)."""
        state = self._states[name]
        return tree.rebuild(state.tree, self.arrays(state.leaves))

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    def __setitem__(self, name: str, value: object) -> None:
        """Takes a copy of a tree of the types of a state (CallError SW0402, SW0405, SW0413).

        SW0420 for an array that lies elsewhere than the state.
        """
        state = self._states.get(name)
        if state is None:
            known = ", ".join(self._states) or "none"
            raise CallError("SW0413", f"there is no state {name}; there is {known}")
        given = zip(tree.indices(state.tree), tree.flatten(state.tree, value, name), strict=True)
        arrays = {state.leaves[i]: self._copy(state.leaves[i], leaf) for i, leaf in given}
        with self.lock:
            self.update(arrays)

    def arrays(self, leaves: Sequence[str]) -> list[Value]:
        """The current arrays of these leaves, all as one call left them."""
        now = self._now
        return [now[leaf] for leaf in leaves]

    def update(self, arrays: Mapping[str, Value]) -> None:
        """Replaces leaves; the caller holds the lock and hands the arrays over."""
        for array in arrays.values():
            if isinstance(array, np.ndarray):
                array.setflags(write=False)
            else:
                array.writeable = False
        self._now = {**self._now, **arrays}

    def reset(self) -> None:
        """Puts the first values back."""
        with self.lock:
            self._now = self._first

    def _copy(self, leaf: str, value: object) -> Value:
        argument = self._arguments[leaf]
        array = self._take(argument, value)
        if not argument.type.admits(array):
            raise mismatch(argument, array)
        copied = array.copy()
        return self._put(copied) if isinstance(copied, np.ndarray) else copied


_all: Final[WeakValueDictionary[int, State]] = WeakValueDictionary()


def _renew() -> None:
    """Another thread of the parent may have held a lock when it forked."""
    for state in _all.values():
        state.lock = threading.RLock()


after_fork(_renew)
