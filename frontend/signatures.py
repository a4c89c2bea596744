"""What is known of a function's arguments before it is traced: names, nesting, types, ranges."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

from stepwell import nested
from stepwell.compiler.dialects.nd import Tensor, tensor
from stepwell.nested import Structure
from stepwell.places import user_line
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Ranges
from stepwell.specs import Spec, ranges_of, spec_tree

Function = Callable[..., Any]


@final
@dataclass(frozen=True)
class Signature:
    """The arguments of an entry point: `types` are those of the leaves of `structure`, in order."""

    names: tuple[str, ...]
    structure: Structure
    types: tuple[Tensor, ...]
    ranges: Ranges

    @staticmethod
    def of_specs(function: Function, specs: Sequence[Any]) -> "Signature":
        leaves, structure = nested.flatten(spec_tree(tuple(specs)))
        found = [cast(Spec, leaf) for leaf in leaves]
        types = tuple(tensor(each.dtype, each.sizes) for each in found)
        symbols = sorted({s for each in found for size in each.sizes for s in size.symbols})
        given = ranges_of(found)
        ranges = {symbol: given.get(symbol, (0, None)) for symbol in symbols}
        return Signature(parameters(function, len(specs)), structure, types, ranges)

    def leaf_names(self) -> list[str]:
        """Names such as `params['w']` for the leaves."""
        return [
            name + path
            for name, child in zip(self.names, self.structure.children, strict=True)
            for path in child.paths()
        ]


def parameters(function: Function, count: int) -> tuple[str, ...]:
    """The names of a function's first parameters, or numbered ones where it does not tell."""
    try:
        given = [
            each.name
            for each in inspect.signature(function).parameters.values()
            if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        given = []
    numbered = [f"arg{number}" for number in range(len(given), count)]
    return tuple([*given, *numbered][:count])


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
