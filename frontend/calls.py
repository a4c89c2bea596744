"""Jitted functions within traced ones: each is a function of the program, and called there."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any, TypeGuard, cast

import numpy as np
from xdsl.ir import Block, SSAValue

from stepwell import nested
from stepwell.array import Array, lifted
from stepwell.compiler.dialects.nd import shape_of
from stepwell.compiler.dialects.sizes import Range, SymbolsAttr
from stepwell.compiler.ops.base import has_effect
from stepwell.compiler.ops.calls import Callee, call
from stepwell.compiler.ops.emission import located
from stepwell.compiler.ops.regions import as_function, inline
from stepwell.compiler.ops.value import Value
from stepwell.nested import Structure
from stepwell.places import user_location
from stepwell.runtime.dtypes import BY_NUMPY
from stepwell.runtime.sizes import Size
from stepwell.signatures import parameters
from stepwell.trace import Concrete, current_trace, known_ranges
from stepwell.tracing import Function, definition_of, name_arguments, trace_block, weakness

CONSTANT = (bool, int, float, str, bytes, np.generic, Size)
"""What is written into a function, which is then another for each value."""
NAMED = (FunctionType, BuiltinFunctionType, type)
"""What is written into a function, which is another unless it is the same object."""


@dataclass(frozen=True)
class Called:
    """A jitted function that was traced: what is called, and how its result is put together.

    `results` are the leaves of the result, None for those that the call gives; `function` is kept
    so that its id stays its own.
    """

    function: Function
    target: Callee | Block
    captured: tuple[SSAValue, ...]
    structure: Structure
    results: Sequence[object]


def call_jitted(
    function: Function, name: str, arguments: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    """The result of a jitted function in the program that is being traced.

    Arrays are its arguments. All else, such as Python's numbers, stays as it is and is written into
    the function: there is one for each combination of types and such constants, and all calls share
    it. It is not shared where it reads traced arrays of the functions around, with which it is
    called too, or has an argument that could change unnoticed: both may be others the next time.
    Where no argument is traced, Python calls the function as if it were not jitted.

    A function with an effect is put in place instead of called: what is computed again by
    `checkpoint` must not print again, and only an op that is there can be left out.
    """
    leaves, structure = nested.flatten((arguments, named))
    leaves = [_array_or_constant(leaf) for leaf in leaves]
    arrays = [leaf for leaf in leaves if isinstance(leaf, Array)]
    if not any(array.traced for array in arrays):
        return function(*arguments, **named)
    functions = current_trace().functions
    parts = tuple(map(_key, leaves))
    key = None if None in parts else (id(function), structure, parts)
    found = functions.known.get(key)
    if found is None:
        found = _traced(function, functions.name(name), structure, leaves)
        if key is not None and not found.captured:
            functions.known[key] = found
    return _results(found, [lifted(array) for array in arrays])


def _results(found: Called, traced: Sequence[Value]) -> Any:
    target, operands = found.target, [*map(Value, found.captured), *traced]
    with located(user_location()):
        is_block = isinstance(target, Block)
        values = inline(target, operands) if is_block else call(target, operands)
    trace, given = current_trace(), iter(values)
    return found.structure.rebuild(
        Array(None, next(given).ssa, trace) if leaf is None else leaf for leaf in found.results
    )


def _traced(
    function: Function, name: str, structure: Structure, leaves: Sequence[object]
) -> Called:
    """Runs the function on new arrays in the place of those that are traced."""
    results: list[object] = []
    nestings: list[Structure] = []
    arrays = tuple(leaf for leaf in leaves if isinstance(leaf, Array))
    flat, types = nested.flatten(arrays)[1], [array.type for array in arrays]
    pairs = zip(_names(function, structure), leaves, strict=True)
    names = [name for name, leaf in pairs if isinstance(leaf, Array)]

    def run(*given: Array) -> list[Array]:
        new = iter(given)
        mixed = [next(new) if isinstance(leaf, Array) else leaf for leaf in leaves]
        positional, named = structure.rebuild(mixed)
        found, nesting = nested.flatten(function(*positional, **named))
        nestings.append(nesting)
        results.extend(None if _is_traced(leaf) else leaf for leaf in found)
        return [leaf for leaf in found if _is_traced(leaf)]

    traced = trace_block(run, flat, types, weak=weakness(arrays), close=True, names=names)
    block = traced.block
    name_arguments(block.args[len(traced.captured) :], names)
    target: Callee | Block = block
    if not any(map(has_effect, block.ops)):
        symbols = SymbolsAttr.of(_ranges(block))
        location = definition_of(function)
        target = Callee(name, as_function(name, symbols, block, location, private=True))
    return Called(function, target, traced.captured, nestings[0], results)


def _is_traced(leaf: object) -> TypeGuard[Array]:
    return isinstance(leaf, Array) and leaf.traced


def _array_or_constant(leaf: object) -> object:
    """NumPy's arrays as ours, where we have their dtype."""
    if not isinstance(leaf, np.ndarray):
        return leaf
    array = cast(Concrete, leaf)
    return Array(array) if array.dtype in BY_NUMPY else array


def _key(leaf: object) -> Hashable:
    """What a function is traced anew for; None where that cannot be known."""
    if isinstance(leaf, Array):
        return leaf.type, leaf.weak
    if isinstance(leaf, CONSTANT):
        constant = cast(object, leaf)
        return type(constant), repr(constant)
    return leaf if isinstance(leaf, NAMED) else None


def _names(function: Function, structure: Structure) -> list[str]:
    """What the function calls the leaves of its arguments."""
    given, named = structure.children
    positions = zip(parameters(function, len(given.children)), given.children, strict=True)
    pairs = [*positions, *((str(key), child) for key, child in named.items())]
    return [path for name, child in pairs for path in child.paths(name)]


def _ranges(block: Block) -> dict[str, Range]:
    """The symbols in a block with their ranges."""
    known = known_ranges()
    if not known:
        return {}
    used = {symbol for value in block.args for symbol in _symbols(shape_of(value.type))}
    for op in block.walk():
        used.update(s for result in op.results for s in _symbols(shape_of(result.type)))
        used.update(_symbols(getattr(each, "data", None) for each in op.properties.values()))
    return {symbol: limits for symbol, limits in known.items() if symbol in used}


def _symbols(values: Iterable[object]) -> Iterator[str]:
    """The symbols of sizes, and of those in tuples."""
    for value in values:
        if isinstance(value, Size):
            yield from value.symbols
        elif isinstance(value, tuple):
            yield from _symbols(cast(tuple[object, ...], value))
