"""From a Python function to a program that runs: `jit` and `compile`."""

import functools
import keyword
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, final

from stepwell.array import Array
from stepwell.calls import call_jitted
from stepwell.compiled import Compiled as Compiled
from stepwell.compiler.dialects.sizes import IntsAttr
from stepwell.compiler.ops.emission import current_or_none
from stepwell.compiler.ops.host import buffer_of
from stepwell.compiler.ops.structure import DONATED, FuncOp
from stepwell.compiler.pipeline import without_collection
from stepwell.compiler.tuning.plans import Plans
from stepwell.entry_points import EntryPoint
from stepwell.nested import Structure, flat
from stepwell.places import pointing_at_the_user, user_line
from stepwell.runtime.calling import Calls
from stepwell.runtime.entry import NUMERICS
from stepwell.runtime.errors import CompileError
from stepwell.runtime.model import Model
from stepwell.signatures import Function, Signature, expect_takes, parameters, required, taking
from stepwell.states import expect_agreement, threaded
from stepwell.targets import HOST, Targets
from stepwell.tracing import TracedFunction, flatten_arguments, trace_function, weakness

Specs = tuple[Any, ...]
PlansLike = Plans | str | Path | Sequence[Plans | str | Path]
DEFAULTS: Mapping[str, object] = {"target": HOST, "numerics": "strict", "donate": (), "plans": ()}
"""The options of `compile`."""

ATTRIBUTES = {*dir(Compiled), *dir(Model), "entries", "manifest", "state", "target"}
"""What programs and models have already, and no entry point can be called."""


def compile(
    fn: Function | Mapping[str, tuple[Any, ...]],
    /,
    *specs: Any,
    target: str | Sequence[str] = HOST,
    numerics: str = "strict",
    donate: str | Sequence[str] = (),
    plans: PlansLike = (),
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
    runs is taken. "cuda" is for NVIDIA's GPUs: the program runs there if that is all it is for, and
    its results lie there. The program can be saved where it cannot be run (LoadError SW0308).

    `numerics` are "strict", the same bits on every machine and under every plan; or "fast", with
    which convolutions may be carried out by Winograd's filters, and arithmetic rearranged.

    `plans` are what `program.tune` or `stepwell tune` has found, or files of such; of several, the
    last that has a plan for a kernel decides. They never change a result.
    """
    _expect_options(fn, len(specs), target=target, numerics=numerics, donate=donate, plans=plans)
    tuned = _plans(plans)
    targets = Targets.of((target,) if isinstance(target, str) else target)
    if numerics not in NUMERICS:
        hint = f"there are {' and '.join(NUMERICS)}"
        sentence = f"there are no numerics {numerics!r}"
        raise CompileError("SW0137", sentence, hint=hint, where=user_line())
    entries = {name: (function, given) for name, function, given in _entries(fn, specs, named)}
    with pointing_at_the_user():
        signatures = {name: Signature.of_specs(*entry) for name, entry in entries.items()}
        expect_agreement({name: signature.states for name, signature in signatures.items()})
    traced = {
        name: _traced(function, name, signatures[name]) for name, (function, _) in entries.items()
    }
    _donate(traced, signatures, (donate,) if isinstance(donate, str) else donate)
    return Compiled(traced, signatures, targets, numerics, tuned)


def _expect_options(fn: object, given: int, **options: object) -> None:
    """Raises CompileError SW0158 where an option is meant to be the spec of a parameter."""
    if isinstance(fn, Mapping) or not callable(fn):
        return
    for name in required(fn)[given:]:
        if options.get(name, DEFAULTS.get(name)) != DEFAULTS.get(name):
            raise CompileError(
                "SW0158",
                f"the parameter {name} has the name of an option of compile",
                hint="give the specs by position, in the order of the parameters",
                where=user_line(),
            )


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
        leaves = (
            n for n in signatures[name].leaves_of(names) if _may_hold_a_result(function.op, n)
        )
        if given := tuple(leaves):
            function.op.attributes[DONATED] = IntsAttr(given)


def _may_hold_a_result(function: FuncOp, number: int) -> bool:
    """Whether what lies in an argument's place afterwards is of its type: memory of bytes does not
    tell i8 from u8, and an array does."""
    given = function.block.args[number].type
    results = [each.type for each in function.returned]
    return all(each == given or buffer_of(each) != buffer_of(given) for each in results)


def _plans(given: PlansLike) -> Plans:
    """All of these plans (LoadError SW0301, SW0304, SW0307 for a file that has none)."""
    if isinstance(given, Plans):
        return given
    if isinstance(given, str | Path):
        return Plans.load(given)
    return Plans({place: tuned for each in given for place, tuned in _plans(each).found.items()})


def _entries(
    fn: Function | Mapping[str, Specs], specs: Specs, named: Mapping[str, Any]
) -> Iterator[tuple[str, Function, Specs]]:
    """Entry points by name with their specs, which may stand in a tuple of their own."""
    if not isinstance(fn, Mapping):
        yield _name(fn), fn, (*specs, *_in_order(fn, len(specs), named))
        return
    _expect_names(cast(Mapping[object, object], fn))
    for name, entry in cast(Mapping[str, object], fn).items():
        function, *given = _parts(name, entry)
        single = len(given) == 1 and isinstance(given[0], tuple)
        yield name, function, cast(Specs, given[0]) if single else tuple(given)


def _expect_names(names: Collection[object]) -> None:
    """Raises CompileError SW0159 unless each entry point can be called as `model.name(…)`."""
    for name in names or ("",):
        if not isinstance(name, str) or not _is_free(name):
            raise CompileError(
                "SW0159",
                f"an entry point cannot be called {name!r}" if names else "there is no entry point",
                hint="give a name with which program.name(…) says nothing else, such as step",
                where=user_line(),
            )


def _is_free(name: str) -> bool:
    word = name.isidentifier() and not keyword.iskeyword(name)
    return word and not name.startswith("_") and name not in ATTRIBUTES


def _parts(name: str, entry: object) -> Specs:
    """An entry point's function and specs (CompileError SW0155 if it is something else)."""
    kind = type(entry)
    listed = issubclass(kind, tuple | list)
    parts = tuple(cast(Specs, entry)) if listed else ()
    if parts and callable(parts[0]):
        return parts
    found = "a function" if callable(entry) else f"a {kind.__name__}"
    rest = " that begins with none" if listed else ""
    raise CompileError(
        "SW0155",
        f"the entry point {name} should be a tuple of a function and its specs, and is"
        f" {found}{rest}",
        hint=f'write {{"{name}": (function, "f32[B, 2]")}}, or a spec for each argument',
        where=user_line(),
    )


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


def jit(function: Function, *, target: str = HOST) -> Function:
    """The function, compiled once for each structure, dtypes and shapes of its arguments.

    `target` is where it runs, "host" or "cuda" (CompileError SW0136), and where its results lie:
    arguments on the CPU are copied to a device by each call, those on another device are refused.
    Within a traced function, it is a function of that program, which is called there.
    """
    jitted = _Jitted(function, Targets.of((target,)))

    @functools.wraps(function)
    def compiled(*arguments: Any, **named: Any) -> Any:
        if current_or_none() is None:
            return jitted.calls.function(*arguments, **named)
        return call_jitted(function, _name(function, "function"), arguments, named)

    return compiled


ARRAY = {Array}


@final
class _Jitted:
    """The programs of a jitted function, each for arguments of one structure, dtypes and shapes."""

    def __init__(self, function: Function, targets: Targets) -> None:
        self._function = function
        self._targets = targets
        self._name = _name(function)
        self._programs: dict[object, tuple[EntryPoint, Structure]] = {}
        self.calls = Calls(self._called, Array)

    def _called(self, /, *arguments: Any, **named: Any) -> Any:
        """A call that is none of the thunk's cases; the next one like it may be."""
        if named:
            expect_takes(self._function, arguments, named)
        keys = tuple(sorted(named))
        given = *arguments, *(named[key] for key in keys)
        leaves, structure = given, flat(len(given))
        if not ARRAY.issuperset(map(type, given)):
            leaves, structure = flatten_arguments(given)
        key = keys, structure, *[(leaf.dtype, leaf.shape, leaf.weak) for leaf in leaves]
        found = self._programs.get(key)
        if found is None:
            found = self._programs[key] = self._compiled(keys, structure, leaves, len(arguments))
        entry, outputs = found
        with pointing_at_the_user():
            inputs = [leaf.held for leaf in leaves]
            result = outputs.rebuild(entry.of_leaves(inputs))
        if structure == flat(len(arguments)) and not any(weakness(leaves)):
            self.calls.learn(key, lambda: entry.case(inputs, outputs))
        return result

    def _compiled(
        self, keys: tuple[str, ...], structure: Structure, leaves: Sequence[Array], count: int
    ) -> tuple[EntryPoint, Structure]:
        """The program from leaves to leaves: what is not saved may be nested in any way."""
        names, types = (*parameters(self._function, count), *keys), [leaf.type for leaf in leaves]
        signature = Signature(names, structure, tuple(types), {})
        traced = _traced(taking(self._function, keys), self._name, signature, weakness(leaves))
        inputs, outputs = flat(traced.inputs.size), flat(traced.outputs.size)
        function = TracedFunction(traced.op, inputs, outputs)
        unnested = Signature(tuple(signature.leaf_names()), inputs, signature.types, {})
        targets = self._targets
        program = Compiled({self._name: function}, {self._name: unnested}, targets, "strict")
        return program[self._name], traced.outputs


def _traced(
    function: Function, name: str, signature: Signature, weak: Sequence[bool] = ()
) -> TracedFunction:
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
            weak,
        )
    outputs = traced.outputs.children[0] if states else traced.outputs
    return TracedFunction(traced.op, signature.structure, outputs)
