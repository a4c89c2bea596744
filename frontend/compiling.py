"""From a Python function to a program that runs: `jit` and `compile`."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, cast

from stepwell.compiled import Compiled as Compiled
from stepwell.compiler.ops.emission import current_or_none
from stepwell.compiler.targets.cpu import host
from stepwell.places import pointing_at_the_user, user_line
from stepwell.runtime.errors import CompileError
from stepwell.signatures import Function, Signature, by_position, parameters
from stepwell.tracing import TracedFunction, flatten_arrays, trace_function

Specs = tuple[Any, ...]


def compile(
    fn: Function | Mapping[str, tuple[Any, ...]],
    *specs: Any,
    target: str = "host",
    numerics: str = "strict",
    **named: Any,
) -> Compiled:
    """Compiles a function for arguments of these specs, or several by name, which share weights.

    `compile(f, spec("f32[B, 784]"))`, `compile(f, x="f32[B, 784]")`, or
    `compile({"prefill": (f, *specs), "decode": (g, *specs)})`.
    """
    if target != "host":
        raise CompileError(
            "SW0136", f"there is no target {target}", hint="give target='host'", where=user_line()
        )
    if numerics != "strict":
        sentence = f"there are no numerics {numerics!r}"
        raise CompileError("SW0137", sentence, hint="give numerics='strict'", where=user_line())
    signatures: dict[str, Signature] = {}
    traced: dict[str, TracedFunction] = {}
    for name, function, given in _entries(fn, specs, named):
        with pointing_at_the_user():
            signature = signatures[name] = Signature.of_specs(function, given)
        traced[name] = _traced(function, name, signature)
    return Compiled(traced, signatures, host(), numerics)


def _entries(
    fn: Function | Mapping[str, Specs], specs: Specs, named: Mapping[str, Any]
) -> Iterator[tuple[str, Function, Specs]]:
    """Entry points by name with their specs, which may stand in a tuple of their own."""
    if not isinstance(fn, Mapping):
        yield _name(fn), fn, (*specs, *_in_order(fn, len(specs), named))
        return
    for name, (function, *given) in cast(Mapping[str, Specs], fn).items():
        single = len(given) == 1 and isinstance(given[0], tuple)
        yield name, function, cast(Specs, given[0]) if single else tuple(given)


def _in_order(function: Function, given: int, named: Mapping[str, Any]) -> list[Any]:
    """Specs by name, in the order of the function's parameters."""
    names = parameters(function, given + len(named))[given:]
    if set(names) != set(named):
        raise CompileError(
            "SW0138",
            f"the specs are for {', '.join(named)}, and the function takes {', '.join(names)}",
            where=user_line(),
        )
    return [named[name] for name in names]


def _name(function: Function) -> str:
    name = getattr(function, "__name__", "main")
    return name if name.isidentifier() else "main"


def jit(function: Function) -> Function:
    """The function, compiled once for each structure, dtypes and shapes of its arguments."""
    programs: dict[object, Compiled] = {}
    name = _name(function)

    @functools.wraps(function)
    def compiled(*arguments: Any, **named: Any) -> Any:
        if current_or_none() is not None:
            return function(*arguments, **named)
        if named:
            names = parameters(function, len(arguments) + len(named))
            arguments = by_position(names, arguments, named)
        leaves, structure = flatten_arrays(arguments, "argument ")
        key = structure, *[(leaf.dtype, leaf.shape) for leaf in leaves]
        program = programs.get(key)
        if program is None:
            names = parameters(function, len(arguments))
            types = tuple(leaf.type for leaf in leaves)
            program = _compiled(function, name, Signature(names, structure, types, {}))
            programs[key] = program
        return program.run(name, leaves)

    return compiled


def _compiled(function: Function, name: str, signature: Signature) -> Compiled:
    return Compiled({name: _traced(function, name, signature)}, {name: signature}, host(), "strict")


def _traced(function: Function, name: str, signature: Signature) -> TracedFunction:
    return trace_function(
        function,
        signature.structure,
        signature.types,
        name,
        signature.ranges,
        signature.leaf_names(),
    )
