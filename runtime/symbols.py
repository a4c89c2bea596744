"""The symbols of a signature: their values, found in the shapes of a call's arguments."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

from stepwell.runtime.arguments import mismatch
from stepwell.runtime.devices.array import Value
from stepwell.runtime.entry import Argument, Entry, Result
from stepwell.runtime.errors import CallError, LoadError
from stepwell.runtime.sizes import Size


class Solution(NamedTuple):
    """How a symbol is found: `argument` is `factor * symbol + offset` long on axis `axis`."""

    argument: int
    axis: int
    factor: Size
    offset: Size


@final
class Symbols:
    """The values of an entry point's symbols, as functions of its inputs and states."""

    def __init__(self, name: str, entry: Entry) -> None:
        """LoadError SW0307 if the shapes of inputs and states do not determine a symbol."""
        self._name = name
        self._arguments = [each for each in entry.arguments if each.kind != "constant"]
        self._ranges = {each.name: each for each in entry.sizes}
        self._solutions = solutions([each.type.shape for each in self._arguments])
        missing = self._ranges.keys() - self._solutions.keys()
        if missing:
            raise LoadError("SW0307", f"{name}: no argument's shape determines {min(missing)}")

    def solve(self, arrays: Sequence[Value]) -> dict[str, int]:
        """The values for the shapes of inputs and then states, all of which have the right ranks.

        Raises CallError: SW0402 if the shapes do not agree, SW0403 if a value is out of its range,
        SW0404 if it is multiplied by a zero and so not determined.
        """
        values: dict[str, int] = {}
        for name in self._solutions:
            values[name] = self._value(name, arrays, values)
        for i, (argument, array) in enumerate(zip(self._arguments, arrays, strict=True)):
            if not _agrees(argument, array, values):
                raise mismatch(argument, array, self._given(i, values))
        return values

    def _value(self, name: str, arrays: Sequence[Value], values: Mapping[str, int]) -> int:
        symbol, solution = self._ranges[name], self._solutions[name]
        argument, array = self._arguments[solution.argument], arrays[solution.argument]
        factor = solution.factor.evaluate(values)
        length = array.shape[solution.axis] - solution.offset.evaluate(values)
        if factor == 0:
            raise CallError("SW0404", f"{self._name}: no shape tells {name} in this call")
        if length % factor or length < 0:
            raise mismatch(argument, array)
        if length // factor not in symbol:
            raise mismatch(argument, array, f" with {name} in {symbol}", code="SW0403")
        return length // factor

    def _given(self, argument: int, values: Mapping[str, int]) -> str:
        """` with B = 3`: what other arguments said about this argument's shape."""
        symbols = {s for size in self._arguments[argument].type.shape for s in size.symbols}
        known = [s for s in sorted(symbols) if self._solutions[s].argument != argument]
        text = " and ".join(f"{symbol} = {values[symbol]}" for symbol in known)
        return f" with {text}" if text else ""


def solutions(shapes: Sequence[Sequence[Size]]) -> dict[str, Solution]:
    """A solution for each symbol in arguments' shapes that has one, each needing those before it.

    A symbol that is an axis by itself is found there; others by what is then known.
    """
    axes = [
        (size, argument, axis)
        for argument, shape in enumerate(shapes)
        for axis, size in enumerate(shape)
        if size.static is None
    ]
    axes.sort(key=lambda each: (len(each[0].symbols), len(str(each[0]))))
    found: dict[str, Solution] = {}
    symbols = frozenset[str]().union(*(size.symbols for size, _, _ in axes))
    for size, argument, axis in (each for _ in symbols for each in axes):
        unknown = size.symbols - found.keys()
        if len(unknown) == 1:
            (symbol,) = unknown
            linear = _linear(size, symbol)
            if linear is not None:
                found[symbol] = Solution(argument, axis, *linear)
    return found


def lengths(result: Result, values: Mapping[str, int]) -> tuple[int, ...]:
    """A result's shape (CallError SW0419)."""
    return tuple(length(size, values, result.name) for size in result.type.shape)


def length(size: Size, values: Mapping[str, int], what: str) -> int:
    """The value of a size of `what`, which must have one, of 0 or more (CallError SW0419)."""
    try:
        found = size.evaluate(values)
    except ValueError:  # a division by a size that is zero
        found = -1
    if found < 0:
        given = ", ".join(f"{symbol} = {values[symbol]}" for symbol in sorted(size.symbols))
        raise CallError(
            "SW0419",
            f"{what}: {size} is no size" + (f" for {given}" if given else ""),
            hint="sizes are 0 or more: compile for a range that makes it one, as in f32[B: 1..]",
        )
    return found


def _linear(size: Size, symbol: str) -> tuple[Size, Size] | None:
    """The factor and the offset, if the size is linear in the symbol."""
    try:
        offset = size.substitute({symbol: Size.of(0)})
        factor = size.substitute({symbol: Size.of(1)}) - offset
    except ValueError:  # a division by the symbol
        return None
    linear = factor != 0 and size == factor * Size.of(symbol) + offset
    return (factor, offset) if linear else None


def _agrees(argument: Argument, array: Value, values: Mapping[str, int]) -> bool:
    try:
        return tuple(size.evaluate(values) for size in argument.type.shape) == array.shape
    except ValueError:  # a division by a size that is zero
        return False
