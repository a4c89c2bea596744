"""From a Python function to a program that runs: `jit` and `compile`."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from stepwell.calls import call_jitted
from stepwell.compiled import Compiled as Compiled
from stepwell.compiler.dialects.sizes import IntsAttr
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.machines.x86 import MACHINES, X86_64_V3
from stepwell.compiler.ops.emission import current_or_none
from stepwell.compiler.ops.structure import DONATED
from stepwell.compiler.pipeline import without_collection
from stepwell.compiler.targets.cpu import host
from stepwell.places import pointing_at_the_user, user_line
from stepwell.runtime.errors import CompileError
from stepwell.signatures import Function, Signature, by_position, parameters
from stepwell.states import expect_agreement, threaded
from stepwell.tracing import TracedFunction, flatten_arrays, trace_function

Specs = tuple[Any, ...]
HOST = "host"
"""The target that is this machine."""


def compile(
    fn: Function | Mapping[str, tuple[Any, ...]],
    *specs: Any,
    target: str | Sequence[str] = HOST,
    numerics: str = "strict",
    donate: str | Sequence[str] = (),
    **named: Any,
) -> Compiled:
    """Compiles a function for arguments of these specs, or several by name, which share weights.

    `compile(f, spec("f32[B, 784]"))`, `compile(f, x="f32[B, 784]")`, or
    `compile({"prefill": (f, *specs), "decode": (g, *specs)})`. A `state` in the place of a spec is
    an argument that the program keeps between its calls.

    `donate` names arguments that callers give away: a result of the same type may lie in an array's
    place, which then holds what it held no longer (one that is read-only is copied).

    `target` names what machine code is for: "host", this machine and in a file also the least that
    Stepwell compiles for; or exactly one level, "x86-64-v4", or several, of which the best that
    runs is taken. The program can be saved where it cannot be run (LoadError SW0308).
    """
    machines = _machines((target,) if isinstance(target, str) else target)
    if numerics != "strict":
        sentence = f"there are no numerics {numerics!r} yet, only 'strict'"
        raise CompileError("SW0137", sentence, where=user_line())
    entries = {name: (function, given) for name, function, given in _entries(fn, specs, named)}
    with pointing_at_the_user():
        signatures = {name: Signature.of_specs(*entry) for name, entry in entries.items()}
        expect_agreement({name: signature.states for name, signature in signatures.items()})
    traced = {
        name: _traced(function, name, signatures[name]) for name, (function, _) in entries.items()
    }
    _donate(traced, signatures, (donate,) if isinstance(donate, str) else donate)
    return Compiled(traced, signatures, machines, numerics)


def _donate(
    traced: Mapping[str, TracedFunction], signatures: Mapping[str, Signature], names: Sequence[str]
) -> None:
    """Marks the leaves of these arguments in all entry points (CompileError SW0151)."""
    known = [name for signature in signatures.values() for name in signature.names]
    for name in names:
        if name not in known:
            raise CompileError(
                "SW0151",
                f"there is no argument {name} to donate",
                hint=f"there is {', '.join(dict.fromkeys(known)) or 'none'}",
                where=user_line(),
            )
    for name, function in traced.items():
        if leaves := signatures[name].leaves_of(names):
            function.op.attributes[DONATED] = IntsAttr(leaves)


def _machines(names: Sequence[str]) -> list[Machine]:
    """The machines of these names, the best first (CompileError SW0136)."""
    for name in names or ("()",):
        if name not in (HOST, *MACHINES):
            known = ", ".join((HOST, *MACHINES))
            raise CompileError(
                "SW0136",
                f"there is no target {name}",
                hint=f"give one or several of {known}",
                where=user_line(),
            )
    found = [MACHINES[name] for name in MACHINES if name in names]
    if HOST in names:
        found += [host(), X86_64_V3]
    by_name = {machine.name: machine for machine in found}
    return sorted(by_name.values(), key=lambda machine: len(machine.features), reverse=True)


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


def _name(function: Function, otherwise: str = "main") -> str:
    name = getattr(function, "__name__", otherwise)
    return name if name.isidentifier() else otherwise


def jit(function: Function) -> Function:
    """The function, compiled once for each structure, dtypes and shapes of its arguments.

    Within a traced function, it is a function of that program, which is called there.
    """
    programs: dict[object, Compiled] = {}
    name = _name(function)

    @functools.wraps(function)
    def compiled(*arguments: Any, **named: Any) -> Any:
        if current_or_none() is not None:
            return call_jitted(function, _name(function, "function"), arguments, named)
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
    traced = _traced(function, name, signature)
    return Compiled({name: traced}, {name: signature}, [host()], "strict")


def _traced(function: Function, name: str, signature: Signature) -> TracedFunction:
    """The inputs, then the states, to the result and then the next states."""
    states = signature.states
    with without_collection():
        traced = trace_function(
            threaded(function, name, states, signature.places) if states else function,
            signature.all_arguments,
            signature.all_types,
            name,
            signature.ranges,
            signature.all_leaf_names(),
        )
    outputs = traced.outputs.children[0] if states else traced.outputs
    return TracedFunction(traced.op, signature.structure, outputs)
