"""Named state: trees of arrays that a compiled program keeps between its calls."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, cast, final

import numpy as np
from numpy.typing import NDArray

from stepwell import nested
from stepwell.array import Array
from stepwell.compiler.dialects.nd import Weight, tensor, text_of
from stepwell.nested import Structure
from stepwell.places import pointing_at_the_user, user_line
from stepwell.runtime import state as kept
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size
from stepwell.specs import Spec, spec_tree
from stepwell.tracing import Function, flatten_arrays


@final
class State:
    """A tree of arrays by name, which stands in the place of a spec: `state` makes one.

    Not a dataclass: to be a leaf where specs are nested, and to be refused there.
    """

    def __init__(
        self,
        name: str,
        structure: Structure,
        specs: Sequence[Spec],
        first: Sequence[Weight],
        changes: bool = True,
    ) -> None:
        self.name = name
        self.structure = structure
        self.specs = tuple(specs)
        self.first = tuple(first)
        self.changes = changes
        self.leaves = tuple(structure.paths(name))
        """What the leaves are called: `cache['k']`."""
        self.types = tuple(tensor(each.dtype, each.sizes) for each in specs)

    @property
    def read_only(self) -> "State":
        """The same state, for an entry point that takes it and gives no next value."""
        return State(self.name, self.structure, self.specs, self.first, changes=False)

    def agrees(self, other: "State") -> bool:
        """Whether this may be shared with an entry point that has the other."""
        mine, theirs = ((each.structure, each.specs, each.first) for each in (self, other))
        return mine == theirs

    def __str__(self) -> str:
        pairs = zip(self.leaves, self.specs, strict=True)
        return ", ".join(f"{leaf}: {spec}" for leaf, spec in pairs) or f"{self.name}: None"


def state(name: str, first: Any, specs: Any = None) -> State:
    """A tree of arrays that a compiled program keeps between calls; it begins as a copy of `first`.

    An entry point is given it in the place of a spec, `compile(step, cache, "f32[64]")`. The
    function takes the current value there, and returns its result, then the next value of each of
    its states: `return y, cache`. One that is given `cache.read_only` returns its result alone.
    Entry points that are given the same state share it, and one that fails leaves it as it was.

    `specs`, nested like `first`, is for sizes that change: with `"f32[T, 64]"`, T may be another
    after each call. Raises CompileError (SW0144, SW0146).
    """
    with pointing_at_the_user():
        if not name.isidentifier():
            sentence, hint = f"a state cannot be called {name!r}", "give a name such as cache"
            raise CompileError("SW0144", sentence, hint=hint)
        arrays, structure = flatten_arrays(first, name)
        weights = [_copy(array) for array in arrays]
        if specs is None:
            return State(name, structure, [Spec(x.dtype, x.sizes) for x in arrays], weights)
        leaves, other = nested.flatten(spec_tree(specs))
        nested.expect_same(structure, other, f"the state {name}", "its specs")
        result = State(name, structure, cast(list[Spec], leaves), weights)
        _expect_types(result, arrays, "begins as")
        return result


def expect_agreement(entries: Mapping[str, Sequence[State]]) -> None:
    """Raises CompileError SW0145 unless states of one name are one state."""
    known: dict[str, tuple[str, State]] = {}
    for entry, states in entries.items():
        for each in states:
            before, one = known.setdefault(each.name, (entry, each))
            if not one.agrees(each):
                _refuse_two(each.name, {before: one, entry: each})


def _refuse_two(name: str, states: Mapping[str, State]) -> NoReturn:
    details = [f"{entry} has {state}" for entry, state in states.items()]
    if len(set(map(str, states.values()))) == 1:
        details = ["they begin with different values"]
    raise CompileError(
        "SW0145",
        f"{' and '.join(states)} have different states called {name}",
        details=details,
        hint="make the state once, and give it to both",
        where=user_line(),
    )


def threaded(
    function: Function, entry: str, states: Sequence[State], places: Sequence[int]
) -> Function:
    """The function over its inputs and then its states, to its result and then the next states.

    `places` are the states' among the function's own parameters.
    """
    changed = [each for each in states if each.changes]

    @functools.wraps(function)
    def call(*given: Any) -> tuple[Any, ...]:
        arguments = list(given[: len(given) - len(states)])
        for place, value in zip(places, given[len(arguments) :], strict=True):
            arguments.insert(place, value)
        result = function(*arguments)
        return _next(entry, changed, result) if changed else (result,)

    return call


def _next(entry: str, changed: Sequence[State], result: Any) -> tuple[Any, ...]:
    """The result and the next states, checked."""
    values = cast(tuple[Any, ...], result)
    if not isinstance(result, tuple) or len(values) != len(changed) + 1:
        names = ", ".join(each.name for each in changed)
        raise CompileError(
            "SW0147",
            f"{entry} gives {nested.flatten(values)[1]}, and should give a tuple of"
            f" {len(changed) + 1}: its result, then the next {names}",
            hint=f"to read a state and not change it, give {changed[0].name}.read_only",
            where=user_line(),
        )
    for each, value in zip(changed, values[1:], strict=True):
        arrays, structure = flatten_arrays(value, each.name)
        nested.expect_same(
            each.structure, structure, f"the state {each.name}", f"what {entry} gives for it"
        )
        _expect_types(each, arrays, f"becomes, in {entry},")
    return values


def _expect_types(state: State, given: Sequence[Array], what: str) -> None:
    """Raises CompileError unless arrays fit a state's specs, with one size for each symbol."""
    sizes: dict[str, Size] = {}
    for spec, array in zip(state.specs, given, strict=True):
        for size, found in zip(spec.sizes, array.sizes, strict=False):
            if str(size) in size.symbols:
                sizes.setdefault(str(size), found)
    for leaf, spec, array in zip(state.leaves, state.specs, given, strict=True):
        wanted = tensor(spec.dtype, tuple(size.substitute(sizes) for size in spec.sizes))
        if array.type != wanted:
            raise CompileError(
                "SW0146",
                f"the state {leaf} {what} {text_of(array.type)}, and should be {spec}",
                hint="a state keeps its dtype and its shape, but for the symbols in its specs",
                where=user_line(),
            )


def _copy(array: Array) -> Weight:
    """The values as they are now, whatever becomes of the user's own array."""
    values: NDArray[Any] = np.array(array.value, order="C")
    values.flags.writeable = False
    return Weight(values=values)


@final
class States(Mapping[str, Any]):
    """The current states of a program by name; `program.state[name] = tree` replaces one."""

    def __init__(self, arrays: kept.State, states: Mapping[str, State]) -> None:
        self._arrays = arrays
        self._states = states

    def __getitem__(self, name: str) -> Any:
        state = self._states[name]
        return state.structure.rebuild(map(Array, self._arrays.arrays(state.leaves)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    def __setitem__(self, name: str, value: Any) -> None:
        """Takes a copy of a tree of the state's types (CallError SW0402, SW0405, SW0413)."""
        with pointing_at_the_user():
            self._arrays[name] = value

    def reset(self) -> None:
        """Puts the first values back."""
        self._arrays.reset()
