"""The transforms of functions: derivatives in both modes, and vectorisation.

Each traces its function into a block, asks the compiler for the transformed block, and runs it: op
by op where the arguments are here, or as part of the program that is being traced.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from xdsl.ir import Block

from stepwell import nested
from stepwell.array import Array, asarray, here, lifted
from stepwell.compiler.dialects.nd import is_float, shape_of, tensor
from stepwell.compiler.ops.base import Path, evaluate
from stepwell.compiler.ops.emission import current_or_none
from stepwell.compiler.ops.paths import paths
from stepwell.compiler.ops.regions import inline
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value
from stepwell.compiler.transforms import BlockTransforms
from stepwell.indexing import normal_axis
from stepwell.nested import Structure
from stepwell.places import user_line
from stepwell.runtime.errors import CompileError
from stepwell.settings import integer, refuse
from stepwell.trace import current_trace
from stepwell.tracing import (
    TracedBlock,
    expect_like,
    expect_pair,
    flatten_arguments,
    flatten_arrays,
    trace_block,
    weakness,
)

F = TypeVar("F", bound=Callable[..., Any])
TRANSFORMS = BlockTransforms()


def in_a_program(function: Callable[..., Any]) -> Callable[..., Any]:
    """Runs `function` while tracing: in the program at hand, or in one evaluated at once."""

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        if current_or_none() is not None:
            return function(*arguments, **named)
        leaves, structure = flatten_arguments(arguments, named)
        types = [leaf.type for leaf in leaves]
        traced = trace_block(unpacking(function), structure, types, weak=weakness(leaves))
        values = evaluate(traced.block, list(map(here, leaves)))
        return traced.structure.rebuild([Array(value) for value in values])

    return run


def unpacking(function: Callable[..., Any]) -> Callable[[Sequence[Any], dict[str, Any]], Any]:
    """The function of its arguments as a tuple and a dictionary."""
    return lambda given, named: function(*given, **named)


def _trace(
    function: Callable[..., Any], arguments: Sequence[Any]
) -> tuple[TracedBlock, list[Value]]:
    leaves, structure = flatten_arrays(tuple(arguments), "argument ")
    values = [lifted(leaf) for leaf in leaves]
    return trace_block(function, structure, [value.type for value in values]), values


def vjp(function: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The result, and the function from a cotangent of the result to those of the primals.

    With `has_aux` the function gives `(result, rest)`, and the rest comes third.
    """
    _refuse_integers(primals)
    whole = _pairs(function) if has_aux else function
    if current_or_none() is None:
        result, pull_back = _eager_vjp(whole, primals, has_aux)
    else:
        result, pull_back = _vjp(whole, primals, has_aux=has_aux)
    return (result[0], pull_back, result[1]) if has_aux else (result, pull_back)


def _pairs(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which has to give a value and the rest."""

    @functools.wraps(function)
    def checked(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        expect_pair(result, "the function, with has_aux,", "its value and the rest")
        return result

    return checked


def _vjp(
    function: Callable[..., Any],
    primals: Sequence[Any],
    places: Sequence[int] | None = None,
    has_aux: bool = False,
) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """As `vjp`, of the arguments at these places; the result is the pair, if it is one."""
    traced, values = _trace(function, primals)
    structure = nested.flatten(tuple(primals))[1]
    differentiated = traced.structure.children[0] if has_aux else traced.structure
    count, outputs = differentiated.size, yielded(traced.block)
    active = [n < count and is_float(Value(output).dtype) for n, output in enumerate(outputs)]
    wanted = [is_float(value.dtype) for value in values]
    _expect_paths(traced.block, _leaf_names(primals, places), active)
    half = TRANSFORMS.split(traced.block, wanted, active)
    last = traced.block.last_op
    assert last is not None
    last.operands = [*last.operands, *half.residuals]
    found = inline(traced.block, values)
    results, residuals = found[: len(active)], found[len(active) :]

    def pull_back(cotangent: Any) -> tuple[Any, ...]:
        leaves, given = flatten_arrays(cotangent, "the cotangent")
        nested.expect_same(differentiated, given, "the result", "the cotangent")
        names = differentiated.paths("the result")
        seeds = _derivatives(leaves, results[:count], active[:count], names, "cotangent")
        gradients = inline(half.back, [*residuals, *seeds])
        return structure.rebuild([Array(None, g.ssa, current_trace()) for g in gradients])

    arrays = [Array(None, result.ssa, current_trace()) for result in results]
    return traced.structure.rebuild(arrays), pull_back


def _eager_vjp(
    function: Callable[..., Any], primals: Sequence[Any], has_aux: bool
) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Both halves are evaluated apart: the pullback computes the forward pass again."""
    result = function(*primals)

    def pull_back(cotangent: Any) -> tuple[Any, ...]:
        def both(*given: Any) -> Any:
            return _vjp(function, given[:-1], has_aux=has_aux)[1](given[-1])

        return in_a_program(both)(*primals, cotangent)

    return result, pull_back


def _leaf_names(primals: Sequence[Any], places: Sequence[int] | None = None) -> list[str]:
    """What the leaves of the arguments at these places are called; without places, of all."""
    structure = nested.flatten(tuple(primals))[1]
    pairs = zip(places or range(len(primals)), structure.children, strict=True)
    return [name for place, child in pairs for name in child.paths(f"argument [{place}]")]


def _expect_paths(block: Block, names: Sequence[str], active: Sequence[bool]) -> None:
    """Raises CompileError SW0161 where an argument matters, and no path to it has a derivative."""
    found = paths(block, [Path.WHOLE if flag else Path.NONE for flag in active])
    for name, path in zip(names, found, strict=True):
        if path is Path.BROKEN:
            raise CompileError(
                "SW0161",
                f"{name} reaches the result through integers or booleans alone, which have no"
                " derivative",
                hint="compute with floats all the way; or read stop_gradient(x), whose slope is 0",
                where=user_line(),
            )


def _refuse_integers(primals: Sequence[Any], places: Sequence[int] | None = None) -> None:
    leaves, _ = flatten_arguments(tuple(primals))
    for name, leaf in zip(_leaf_names(primals, places), leaves, strict=True):
        if not is_float(leaf.dtype):
            known = leaf.weak and not leaf.traced and leaf.dtype != "bool"
            way = f"write {leaf.item()}.0" if known else "convert it with .astype('f32')"
            raise CompileError(
                "SW0109",
                f"{name} holds integers or booleans, which have no derivative",
                hint=f"{way}, or do not differentiate by it",
                where=user_line(),
            )


def value_and_grad(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Like `grad`, with the value: `(value, gradient)`, or `((value, aux), gradient)`."""

    @functools.wraps(function)
    def transformed(*arguments: Any, **named: Any) -> Any:
        numbers = _places(argnums, len(arguments))
        places = list(dict.fromkeys(numbers))
        _refuse_integers([arguments[place] for place in places], places)

        def both(*given: Any, **by_name: Any) -> Any:
            def scalar(*chosen: Any) -> Any:
                replaced = dict(zip(places, chosen, strict=True))
                arguments = (replaced.get(n, x) for n, x in enumerate(given))
                if not has_aux:
                    return _expect_scalar(function(*arguments, **by_name))
                result, rest = _pairs(function)(*arguments, **by_name)
                return _expect_scalar(result), rest

            chosen = [given[place] for place in places]
            result, pull_back = _vjp(scalar, chosen, places, has_aux)
            value, aux = result if has_aux else (result, None)
            found = dict(zip(places, pull_back(_one(value)), strict=True))
            gradients = tuple(found[number] for number in numbers)
            gradient = gradients if isinstance(argnums, tuple | list) else gradients[0]
            return ((value, aux) if has_aux else value), gradient

        return in_a_program(both)(*arguments, **named)

    return transformed


def _places(argnums: int | Sequence[int], count: int) -> list[int]:
    """The places of the arguments to differentiate by, of so many given by position.

    One that is named twice has its gradient twice.
    """
    given: Sequence[object] = argnums if isinstance(argnums, tuple | list) else [argnums]
    wanted = "an integer, or a tuple of integers"
    numbers = [integer(each, "argnums", wanted) for each in given]
    if not all(-count <= number < count for number in numbers):
        raise CompileError(
            "SW0139",
            "argnums is for other arguments than those given",
            details=[f"argnums: {', '.join(map(str, numbers))}", f"{count} arguments by position"],
            hint="arguments given by name are not differentiated by",
            where=user_line(),
        )
    return [number % count for number in numbers]


def _expect_scalar(value: Any) -> Any:
    structure = nested.flatten(value)[1]
    if structure != Structure.LEAF:
        several = "return one of them, or the rest beside it with has_aux=True: value, rest"
        _refuse_result(str(structure), "is a return missing?" if value is None else several)
    array = asarray(value)
    if array.ndim or not is_float(array.dtype):
        found = f"{array.dtype}[{', '.join(map(str, array.shape))}]"
        _refuse_result(found, "sum or average the result, or use vjp")
    return array


def _refuse_result(found: str, way_out: str) -> NoReturn:
    sentence = f"grad needs a function to one float, and this one gives {found}"
    raise CompileError("SW0117", sentence, hint=way_out, where=user_line())


def _one(value: Array) -> Array:
    return asarray(1.0, value.dtype)


def zero_like(value: Array) -> Array:
    """Zeros of the dtype and the shape of an array."""
    from_number = asarray(0, value.dtype)
    return from_number if value.ndim == 0 else _spread(from_number, value)


def _spread(x: Array, like: Array) -> Array:
    return Array(None, lifted(x).broadcast(shape_of(like.type), ()).ssa, current_trace())


def grad(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The gradient of a function to one float by the arguments `argnums`, nested as they are.

    Negative `argnums` count from the last one given by position. Arguments given by name are not
    differentiated by.
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def transformed(*arguments: Any, **named: Any) -> Any:
        value, gradient = both(*arguments, **named)
        return (gradient, value[1]) if has_aux else gradient

    return transformed


def jvp(
    function: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """The result, and its derivative in the direction of the tangents.

    With `has_aux` the function gives `(result, rest)`, and the rest comes third.
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            refuse(given, name, "a tuple or a list, with one for each argument")
    count, whole = len(primals), _pairs(function) if has_aux else function
    result, moved = in_a_program(lambda *given: _jvp(whole, given[:count], given[count:]))(
        *primals, *tangents
    )
    return (result[0], moved[0], result[1]) if has_aux else (result, moved)


def _jvp(
    function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Any, Any]:
    traced, values = _trace(function, primals)
    leaves, given = flatten_arrays(tuple(tangents), "tangent ")
    structure = nested.flatten(tuple(primals))[1]
    nested.expect_same(structure, given, "the primals", "the tangents")
    on = [is_float(value.dtype) for value in values]
    moved = _derivatives(leaves, values, on, structure.paths("argument "), "tangent")
    block, flags = TRANSFORMS.forward(traced.block, on)
    found = inline(block, [*values, *moved])
    results, derived = found[: len(flags)], iter(found[len(flags) :])
    trace = current_trace()
    outputs = [Array(None, result.ssa, trace) for result in results]
    directions = [
        Array(None, next(derived).ssa, trace) if flag else zero_like(output)
        for flag, output in zip(flags, outputs, strict=True)
    ]
    return traced.structure.rebuild(outputs), traced.structure.rebuild(directions)


def _derivatives(
    leaves: Sequence[Array],
    values: Sequence[Value],
    on: Sequence[bool],
    names: Sequence[str],
    what: str,
) -> list[Value]:
    """The derivatives given for the values marked `on`: of their shapes, in their dtypes."""
    pairs = zip(leaves, values, on, strict=True)
    found = [lifted(leaf.astype(value.dtype)) for leaf, value, flag in pairs if flag]
    types = [value.type for value, flag in zip(values, on, strict=True) if flag]
    places = [name for name, flag in zip(names, on, strict=True) if flag]
    expect_like([each.type for each in found], types, places, what + " of ")
    return found


def vmap(function: Callable[..., Any], in_axes: Any = 0, out_axes: int = 0) -> Callable[..., Any]:
    """The function over an axis of its arguments; None in `in_axes` gives an argument to all.

    Arguments given by name are mapped along axis 0.
    """

    integer(out_axes, "out_axes")

    @functools.wraps(function)
    def transformed(*arguments: Any, **named: Any) -> Any:
        def mapped(*given: Any, **by_name: Any) -> Any:
            return _vmap(function, given, by_name, in_axes, out_axes)

        return in_a_program(mapped)(*arguments, **named)

    return transformed


def _vmap(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    named: dict[str, Any],
    in_axes: Any,
    out_axes: int,
) -> Any:
    leaves, structure = flatten_arguments(arguments, named)
    by_position, by_name = structure.children
    axes = [*_spread_prefix(in_axes, by_position, "in_axes"), *[0] * by_name.size]
    values = [lifted(leaf) for leaf in leaves]
    moved = [
        value if axis is None else value.move_axis(normal_axis(axis, value.rank), 0)
        for value, axis in zip(values, axes, strict=True)
    ]
    on = [axis is not None for axis in axes]
    sizes = {value.shape[0] for value, flag in zip(moved, on, strict=True) if flag}
    if len(sizes) != 1:
        found = ", ".join(sorted(map(str, sizes))) or "none"
        raise CompileError(
            "SW0118",
            f"vmap needs one size for its axis, and the arguments have {found}",
            hint="give in_axes, with None for arguments that all share",
            where=user_line(),
        )
    (size,) = sizes
    types = [
        tensor(x.dtype, x.shape[1:]) if flag else x.type for x, flag in zip(moved, on, strict=True)
    ]
    traced = trace_block(unpacking(function), structure, types, weak=weakness(leaves))
    block, flags = TRANSFORMS.batch(traced.block, size, on)
    results = [
        value if flag else value.broadcast((size, *value.shape), range(1, value.rank + 1))
        for value, flag in zip(inline(block, moved), flags, strict=True)
    ]
    trace = current_trace()
    arrays = [
        Array(None, value.move_axis(0, normal_axis(out_axes, value.rank)).ssa, trace)
        for value in results
    ]
    return traced.structure.rebuild(arrays)


def _spread_prefix(prefix: Any, structure: Structure, place: str) -> list[int | None]:
    """The mapped axis of every leaf; `in_axes` is one for all, or a prefix of the arguments."""
    if structure == Structure.LEAF and prefix is not None:
        return [integer(prefix, place, "an integer or None")]
    if prefix is None or isinstance(prefix, int):
        return [prefix] * structure.size
    parts = nested.children(prefix)
    if set(parts) != set(structure.keys):
        raise CompileError(
            "SW0139",
            f"{place} is for other arguments than those given",
            details=[f"{place}: {nested.flatten(prefix)[1]}", f"the arguments: {structure}"],
            where=user_line(),
        )
    return [
        axis
        for key, child in structure.items()
        for axis in _spread_prefix(parts[key], child, f"{place}[{key!r}]")
    ]
