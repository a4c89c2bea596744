"""Tracing: a Python function run once on arrays without values, and what it wrote down."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from xdsl.dialects.builtin import LocationAttr
from xdsl.ir import Block, SSAValue

from stepwell import nested
from stepwell.array import Array, ArrayLike, argument, asarray, lifted
from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.dialects.locations import file_location
from stepwell.compiler.dialects.nd import Tensor, text_of
from stepwell.compiler.dialects.sizes import Range, SymbolsAttr
from stepwell.compiler.ops.regions import as_function, free_variables, lift
from stepwell.compiler.ops.structure import FuncOp, YieldOp
from stepwell.nested import Structure
from stepwell.places import user_line
from stepwell.runtime.errors import CompileError
from stepwell.trace import tracing

Function = Callable[..., Any]
_UNPRINTABLE = re.compile(r"[^A-Za-z0-9_$.-]+")
"""What the name of a value may not hold: `w['a']` is printed as `%w_a`."""


@dataclass(frozen=True)
class TracedBlock:
    """A block over the leaves of some arguments, which ends by yielding those of the result."""

    block: Block
    structure: Structure
    captured: tuple[SSAValue, ...] = ()
    """What a closed block reads of the programs around it: its first arguments."""


def trace_block(
    function: Function,
    structure: Structure,
    types: Sequence[Tensor],
    *,
    weak: Sequence[bool] = (),
    close: bool = False,
    ranges: Mapping[str, Range] | None = None,
    names: Sequence[str] = (),
) -> TracedBlock:
    """Runs `function` on the arguments of `structure`, a tuple, whose leaves have these types.

    `weak` says which of them are Python's numbers; without it, none is.
    With `close`, values of the programs around become arguments, in front of the others. `ranges`
    are those of a whole function's symbols, `names` what its arguments are called in errors.
    """
    block = Block(arg_types=types)
    with tracing(block, ranges) as trace:
        trace.names.update(zip(block.args, names, strict=False))
        flags = weak or [False] * len(types)
        pairs = zip(block.args, flags, strict=True)
        arrays = [Array(None, value, trace, flag) for value, flag in pairs]
        result = function(*structure.rebuild(arrays))
        leaves, out = flatten_arrays(result, "the result")
        values = [lifted(leaf).ssa for leaf in leaves]
    append(block, construct(YieldOp, values))
    captured = free_variables(block) if close else ()
    lift(block, captured)
    return TracedBlock(block, out, captured)


def flatten_arguments(
    arguments: tuple[Any, ...], named: Mapping[str, Any] | None = None, what: str = "argument "
) -> tuple[list[Array], Structure]:
    """The leaves of a function's arguments, where Python's numbers stay weak.

    The structure is that of the tuple, or where `named` is given of both.
    """
    leaves, structure = flatten_arrays(arguments, what, argument)
    if named is None:
        return leaves, structure
    others, by_name = flatten_arrays(dict(named), what, argument)
    return leaves + others, Structure(tuple, (0, 1), (structure, by_name))


def weakness(arrays: Sequence[Array]) -> list[bool]:
    """Which of the arrays are Python's numbers."""
    return [array.weak for array in arrays]


def flatten_arrays(
    tree: object, what: str, convert: Callable[[ArrayLike], Array] = asarray
) -> tuple[list[Array], Structure]:
    """The leaves of a tree as arrays; an error names the one that is none."""
    leaves, structure = nested.flatten(tree)
    arrays: list[Array] = []
    for leaf in leaves:
        try:
            arrays.append(convert(cast(ArrayLike, leaf)))
        except (TypeError, ValueError, CompileError) as error:
            place = structure.paths(what)[len(arrays)]
            if isinstance(error, CompileError) and error.code != "SW0108":
                error.details = (*error.details, place)
                raise
            raise CompileError(
                "SW0108",
                f"{place} is a {type(leaf).__name__}, which is no array",
                hint="give arrays, numbers, and tuples, lists, dicts or dataclasses of them",
                where=user_line(),
            ) from error
    return arrays, structure


def expect_like(
    one: Sequence[Tensor], other: Sequence[Tensor], names: Sequence[str], what: str
) -> None:
    """Raises CompileError unless values that belong to others, by their `names`, have their types.

    `what` says what the first and the second are, as in `cotangent of result`.
    """
    for given, wanted, name in zip(one, other, names, strict=True):
        if given != wanted:
            raise CompileError(
                "SW0115",
                f"the {what}{name} is {text_of(given)}, and should be {text_of(wanted)}",
                hint="a derivative has the shape and the dtype of what it belongs to",
                where=user_line(),
            )


def expect_pair(result: object, what: str, parts: str) -> None:
    """Raises CompileError unless a function gave a pair."""
    structure = nested.flatten(result)[1]
    if structure.kind is not tuple or len(structure.children) != 2:
        sentence = f"{what} gives {structure}, and should give a pair: {parts}"
        raise CompileError("SW0140", sentence, where=user_line())


@dataclass(frozen=True)
class TracedFunction:
    """A function of the tensor level, and how its arguments and results are nested."""

    op: FuncOp
    inputs: Structure
    outputs: Structure


def trace_function(
    function: Function,
    structure: Structure,
    types: Sequence[Tensor],
    name: str,
    ranges: Mapping[str, Range],
    argument_names: Sequence[str] = (),
    weak: Sequence[bool] = (),
) -> TracedFunction:
    """A whole function as an `nd.func` with these symbols."""
    names = argument_names
    traced = trace_block(function, structure, types, weak=weak, ranges=ranges, names=names)
    block, location = traced.block, definition_of(function)
    name_arguments(block.args, argument_names)
    op = as_function(name, SymbolsAttr.of(ranges), block, location)
    return TracedFunction(op, structure, traced.structure)


def name_arguments(arguments: Sequence[SSAValue], names: Sequence[str]) -> None:
    """Gives arguments the names that they have in Python, for whoever reads the text."""
    for value, name in zip(arguments, names, strict=False):
        value.name_hint = _UNPRINTABLE.sub("_", name).rstrip("_")


def definition_of(function: Function) -> LocationAttr:
    """Where a function is defined."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return file_location(getattr(function, "__module__", None) or "<unknown>", 1, 0)
    return file_location(code.co_filename, code.co_firstlineno, 0)
