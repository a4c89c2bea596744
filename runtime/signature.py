"""The signature: a call's arguments, by position or by name, nested or not, as a list of arrays."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, TypeAlias, final

from stepwell.runtime import tree
from stepwell.runtime.arguments import dense
from stepwell.runtime.devices.array import Value
from stepwell.runtime.entry import Argument, Entry
from stepwell.runtime.errors import CallError

Take: TypeAlias = Callable[[Argument, object], Value]
"""From an argument and what the caller gave to the array that a program takes."""

LONGEST: Final = 100
"""Characters of a signature in a `repr`."""


@final
class Signature:
    """What an entry point takes and answers; `str` writes it as `f(x: f32[B,4]) -> f32[B]`."""

    def __init__(self, name: str, entry: Entry, take: Take = dense) -> None:
        self.name = name
        self.take = take
        self.entry = entry
        order = list(tree.indices(entry.inputs))
        self._leaves = [entry.arguments[index] for index in order]
        self._places = [order.index(index) for index in range(len(order))]
        self._flat = all(isinstance(item, tree.Leaf) for item in entry.inputs.items)

    def __str__(self) -> str:
        types = [argument.type for argument in self.entry.arguments]
        inputs = zip(self.entry.parameters, self.entry.inputs.items, strict=True)
        taken = ", ".join(f"{name}: {tree.text(item, types)}" for name, item in inputs)
        answered = tree.text(self.entry.outputs, [result.type for result in self.entry.results])
        return f"{self.name}({taken}) -> {answered}"

    def __repr__(self) -> str:
        """`str`, cut where it is too long for one line."""
        text = str(self)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

    def bind(self, args: Sequence[object], kwargs: Mapping[str, object]) -> list[Value]:
        """A call's arguments as dense arrays of the right dtypes and ranks, one for each input.

        Raises CallError SW0401 (names), SW0402 (arrays), SW0405 (trees) or SW0406 (numbers).
        """
        parameters = self.entry.parameters
        if kwargs or len(args) != len(parameters):
            args = self._by_position(args, kwargs)
        if not self._flat:
            items = zip(self.entry.inputs.items, args, parameters, strict=True)
            args = [leaf for item in items for leaf in tree.flatten(*item)]
        arrays = [self.take(*leaf) for leaf in zip(self._leaves, args, strict=True)]
        return [arrays[place] for place in self._places]

    def _by_position(self, args: Sequence[object], kwargs: Mapping[str, object]) -> list[object]:
        parameters = self.entry.parameters
        if len(args) > len(parameters):
            raise self._refusal(f"expected {len(parameters)} arguments, got {len(args)}")
        for name in parameters[: len(args)]:
            if name in kwargs:
                raise self._refusal(f"argument {name} is given twice")
        return [*args, *self._in_order(parameters[len(args) :], kwargs)]

    def bind_leaves(self, named: Mapping[str, object]) -> list[Value]:
        """A call's arguments by the names of their leaves, `params['w']` (CallError SW0401)."""
        leaves = {each.name: each for each in self.entry.arguments if each.kind == "input"}
        return list(map(self.take, leaves.values(), self._in_order(leaves, named)))

    def _in_order(self, names: Collection[str], given: Mapping[str, object]) -> list[object]:
        """What is given by these names, of which none may be missing, nor others be there."""
        for name in given:
            if name not in names:
                raise self._refusal(f"there is no argument {name}")
        missing = [name for name in names if name not in given]
        if missing:
            raise self._refusal(f"missing {', '.join(missing)}")
        return [given[name] for name in names]

    def _refusal(self, reason: str) -> CallError:
        return CallError("SW0401", f"{self.name}: {reason}", details=[f"signature: {self}"])
