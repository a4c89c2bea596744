"""An entry point of a compiled program: called with nested arrays, it gives nested Arrays."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn, cast, final

import numpy as np

from stepwell import nested
from stepwell.array import Array
from stepwell.nested import Structure
from stepwell.places import pointing_at_the_user
from stepwell.runtime import model
from stepwell.runtime.calling import ALONE, Calls
from stepwell.runtime.devices.array import DeviceArray
from stepwell.runtime.thunk import MOST_INPUTS, Case
from stepwell.signatures import by_position
from stepwell.trace import Held
from stepwell.tracing import TracedFunction

LEAVES = {Array, np.ndarray, DeviceArray}
"""What is known to be no container, without a look at the tree."""


@final
class EntryPoint:
    """The runtime's entry point, with arguments and results that are the frontend's."""

    def __init__(
        self, entry: model.EntryPoint, traced: TracedFunction, names: Sequence[str]
    ) -> None:
        self._entry = entry
        self._traced = traced
        self._names = names
        self._flat = traced.inputs == nested.flat(len(traced.inputs.children))
        self._rebuild = _rebuilding(traced.outputs)
        self._calls = Calls(self._called, Array)
        self.function = self._calls.function
        """The fastest way to call this, for as long as it lives."""

    def __call__(self, /, *arguments: Any, **named: Any) -> Any:
        """The result for arguments by position or by name."""
        return self.function(*arguments, **named)

    def _called(self, /, *arguments: Any, **named: Any) -> Any:
        """A call that is none of the thunk's cases; the next one like it may be."""
        if named or len(arguments) != len(self._names):
            arguments = by_position(self._names, arguments, named)
        with pointing_at_the_user():
            inputs = self.inputs(arguments)
            result = self.run(inputs)
        if self._flat:
            shapes = tuple([array.shape for array in inputs])
            self._calls.learn(shapes, lambda: self.case(inputs, self._traced.outputs))
        return result

    def inputs(self, arguments: tuple[Any, ...]) -> list[Held]:
        """The leaves of arguments, which must be nested as the signature and of its types."""
        leaves = arguments
        few = len(arguments) != len(self._traced.inputs.children)
        if not self._flat or few or not LEAVES.issuperset(map(type, arguments)):
            leaves, structure = nested.flatten(arguments)
            nested.expect_same(self._traced.inputs, structure, "the signature", "the arguments")
        take, types = self._entry.signature.take, self._entry.signature.entry.arguments
        return [
            take(argument, leaf.held if isinstance(leaf, Array) else leaf)
            for argument, leaf in zip(types, leaves, strict=False)
        ]

    def run(self, inputs: Sequence[Held]) -> Any:
        """The result for the leaves of arguments; the next states come after its leaves."""
        results = self._entry.run(cast(Any, inputs))[: self._traced.outputs.size]
        return self._rebuild([Array(cast(Any, result)) for result in results])

    def of_leaves(self, inputs: Sequence[Held]) -> Any:
        """The same for an entry point whose arguments are the leaves; the thunk has its cases, but
        for so many or where they lie on a device."""
        if len(inputs) > MOST_INPUTS or DeviceArray in map(type, inputs):
            return self.run(self.inputs(tuple(inputs)))
        return self.function(*inputs)

    def case(self, inputs: Sequence[Held], outputs: Structure) -> Case | None:
        """The call for inputs like these in a thunk, its results nested as `outputs`."""
        case = self._entry.case(cast(Any, inputs), _rebuilding(outputs))
        if case is not None:
            case.failed = partial(_failed, case.failed)
        return case


def _rebuilding(outputs: Structure) -> Callable[..., Any]:
    """What makes the tree of a tuple of its leaves."""
    if outputs == Structure.LEAF:
        return ALONE
    return tuple if outputs == nested.flat(outputs.size) else outputs.rebuild


def _failed(raised: Callable[[int], NoReturn], context: int) -> NoReturn:
    with pointing_at_the_user():
        raised(context)
