"""What is known of a function's arguments before it is traced: names, nesting, types, ranges."""

import functools
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

from stepwell import nested
from stepwell.compiler.dialects.nd import Tensor, tensor
from stepwell.nested import Structure
from stepwell.places import user_line
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Ranges
from stepwell.specs import Spec, expect_determined, ranges_of, spec_tree
from stepwell.states import State

Function = Callable[..., Any]


@final
@dataclass(frozen=True)
class Signature:
    """The arguments of an entry point: `types` are those of the leaves of `structure`, in order.

    `states` are the arguments that its callers do not give, at `places` among the parameters.
    """

    names: tuple[str, ...]
    structure: Structure
    types: tuple[Tensor, ...]
    ranges: Ranges
    states: tuple[State, ...] = ()
    places: tuple[int, ...] = ()

    @staticmethod
    def of_specs(function: Function, specs: Sequence[Any]) -> "Signature":
        """What specs say of the arguments, and which of them are states (CompileError SW0148)."""
        states = {place: each for place, each in enumerate(specs) if isinstance(each, State)}
        names = parameters(function, len(specs))
        _expect_distinct([each.name for each in states.values()])
        given = tuple(each for each in specs if not isinstance(each, State))
        leaves, structure = nested.flatten(spec_tree(given))
        found = [cast(Spec, leaf) for leaf in leaves]
        types = tuple(tensor(each.dtype, each.sizes) for each in found)
        everything = [*found, *(spec for each in states.values() for spec in each.specs)]
        expect_determined(everything)
        return Signature(
            tuple(name for place, name in enumerate(names) if place not in states),
            structure,
            types,
            _ranges(everything),
            tuple(states.values()),
            tuple(states),
        )

    @property
    def all_types(self) -> tuple[Tensor, ...]:
        """Those of the inputs, then of the states."""
        return (*self.types, *(type for each in self.states for type in each.types))

    @property
    def all_arguments(self) -> Structure:
        """The inputs, then the states."""
        nestings = (*self.structure.children, *(each.structure for each in self.states))
        return Structure(tuple, tuple(range(len(nestings))), nestings)

    def all_leaf_names(self) -> list[str]:
        return [*self.leaf_names(), *(leaf for each in self.states for leaf in each.leaves)]

    def leaves_of(self, names: Sequence[str]) -> tuple[int, ...]:
        """The numbers of the leaves of the inputs of these names, as far as there are any."""
        counts = [child.size for child in self.structure.children]
        owners = [name for name, n in zip(self.names, counts, strict=True) for _ in range(n)]
        return tuple(number for number, owner in enumerate(owners) if owner in names)

    def leaf_names(self) -> list[str]:
        """Names such as `params['w']` for the leaves of the inputs."""
        return [
            name + path
            for name, child in zip(self.names, self.structure.children, strict=True)
            for path in child.paths()
        ]


def _expect_distinct(names: Sequence[str]) -> None:
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        sentence = f"the state {twice} is given twice to one function"
        raise CompileError("SW0148", sentence, where=user_line())


def _ranges(specs: Sequence[Spec]) -> Ranges:
    """The ranges of all symbols; where none is given, 0 or more."""
    given = ranges_of(specs)
    symbols = sorted({s for each in specs for size in each.sizes for s in size.symbols})
    return {symbol: given.get(symbol, (0, None)) for symbol in symbols}


def parameters(function: Function, count: int) -> tuple[str, ...]:
    """The names of a function's first parameters, or numbered ones where it does not tell."""
    given = [each.name for each in _positional(function)]
    numbered = (name for n in itertools.count(len(given)) if (name := f"arg{n}") not in given)
    return tuple(itertools.islice(itertools.chain(given, numbered), count))


def required(function: Function) -> list[str]:
    """The names of the parameters that have no default, as far as the function tells."""
    return [each.name for each in _positional(function) if each.default is each.empty]


def _positional(function: Function) -> list[inspect.Parameter]:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        each for each in found if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]


def expect_takes(function: Function, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Raises CompileError SW0135, or TypeError as Python does, unless these can be arguments."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return
    try:
        signature.bind(*arguments, **named)
    except TypeError:
        by_position(tuple(signature.parameters), arguments, named)
        raise


def taking(function: Function, keys: Sequence[str]) -> Function:
    """The function, given its last arguments, those of these names, by position."""

    @functools.wraps(function)
    def call(*given: Any) -> Any:
        count = len(given) - len(keys)
        return function(*given[:count], **dict(zip(keys, given[count:], strict=True)))

    return call if keys else function


def by_position(
    names: Sequence[str], arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Arguments given by position, then those given by name in the order of the names."""
    rest = names[len(arguments) :]
    unknown = [name for name in named if name not in rest]
    if unknown:
        raise CompileError(
            "SW0135",
            f"the program has no argument {unknown[0]} left to give",
            details=[f"it takes ({', '.join(names)})"],
            where=user_line(),
        )
    return (*arguments, *(named[name] for name in rest if name in named))
