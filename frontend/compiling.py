"""From a Python function to a program that runs: `jit` and `compile`."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from stepwell import nested
from stepwell.array import Array
from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.machines.x86 import X86_64_V3
from stepwell.compiler.ops.creation import WeightOp
from stepwell.compiler.ops.emission import current_or_none
from stepwell.compiler.pipeline import Image, compile_module, text_at, without_collection
from stepwell.compiler.targets.cpu import host
from stepwell.compiler.targets.pool import pool_object
from stepwell.nested import Structure
from stepwell.places import pointing_at_the_user, user_line
from stepwell.runtime import artifact, safetensors, samples
from stepwell.runtime.dtypes import BY_NAME
from stepwell.runtime.entry import Argument, ArrayType, Entry, Result, SizeRange
from stepwell.runtime.errors import CompileError
from stepwell.runtime.manifest import Manifest, Target
from stepwell.runtime.model import EntryPoint, Model
from stepwell.runtime.sizes import Ranges
from stepwell.runtime.tree import Items
from stepwell.specs import Spec, ranges_of, spec_tree
from stepwell.tracing import TracedFunction, flatten_arrays, trace_function

Function = Callable[..., Any]
Specs = tuple[Any, ...]
SAVED = ("tensor", "loop")
"""The levels whose IR travels in an artifact, for `stepwell inspect --ir`."""

LEVELS = {"tensor": "tensor", "loop": "plans", "llvm": "llvm", "asm": "asm"}
"""What `ir` shows of each level, by the stage that ends it."""


@dataclass(frozen=True)
class Signature:
    """What is known of an entry point's arguments before it is traced."""

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
        return Signature(_parameters(function, len(specs)), structure, types, ranges)

    def leaf_names(self) -> list[str]:
        """Names such as `params['w']` for the leaves."""
        return [
            name + path
            for name, child in zip(self.names, self.structure.children, strict=True)
            for path in child.paths()
        ]


def _parameters(function: Function, count: int) -> tuple[str, ...]:
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


class Compiled:
    """A compiled program: called like the function it was made from, inspected, or saved."""

    def __init__(
        self,
        traced: Mapping[str, TracedFunction],
        signatures: Mapping[str, Signature],
        machine: Machine,
        numerics: str,
    ) -> None:
        self._traced = traced
        self._signatures = signatures
        self._machine = machine
        self._numerics = numerics
        self._constants = _weights(traced.values())
        with without_collection():
            image = compile_module(self._module(), machine)
            pool = pool_object(machine)
        manifest = self._manifest([image])
        self._model = Model(manifest, image.code, self._constants, pool=pool)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Calls the only entry point, by position or by name; the result is nested Arrays."""
        if len(self._traced) != 1:
            raise CompileError(
                "SW0134",
                f"this program has the entry points {', '.join(self._traced)}",
                hint=f"name one, as in program[{next(iter(self._traced))!r}](…)",
                where=user_line(),
            )
        (name,) = self._traced
        return self[name](*arguments, **named)

    def run(self, name: str, leaves: Sequence[Array]) -> Any:
        """Calls an entry point with the leaves of its arguments; how they nest is not checked."""
        return _run(self._model[name], self._traced[name], leaves)

    def __getitem__(self, name: str) -> Callable[..., Any]:
        """One entry point by name."""
        entry, traced, names = self._model[name], self._traced[name], self._signatures[name].names
        return functools.partial(_call, entry, traced, names)

    def ir(self, level: str) -> str:
        """The program's text at a level: `tensor`, `loop`, `llvm` or `asm`; or at any stage."""
        return text_at(self._module(), self._machine, LEVELS.get(level, level))

    def save(self, path: str | Path, *, sample: Mapping[str, Sequence[Any]] | None = None) -> None:
        """Writes the `.well` file: code for this machine and for the baseline, weights, and IR.

        `sample` has arguments for entry points by name: `stepwell verify` repeats these calls.
        """
        machines = [self._machine]
        machines += [X86_64_V3] if X86_64_V3 != self._machine else []
        images = [compile_module(self._module(), machine) for machine in machines]
        members: dict[str, bytes] = {}
        for image in images:
            members[f"code/{image.machine.name}.o"] = image.code
            members[f"code/{image.machine.name}.pool.o"] = pool_object(image.machine)
        for level in SAVED:
            members[f"ir/{level}.mlir"] = self.ir(level).encode()
        if self._constants:
            members[artifact.WEIGHTS] = safetensors.serialize(self._constants)
        if sample:
            calls = [self._sample(name, given) for name, given in sample.items()]
            members[artifact.SAMPLES] = safetensors.serialize(samples.pack(calls))
        artifact.write(path, self._manifest(images), members)

    def _sample(self, name: str, arguments: Sequence[Any]) -> samples.Sample:
        leaves, _ = flatten_arrays(tuple(arguments), "argument ")
        inputs = [leaf.value for leaf in leaves]
        return samples.Sample(name, inputs, self._model[name].run(inputs))

    def _module(self) -> ModuleOp:
        return ModuleOp([traced.op.clone() for traced in self._traced.values()])

    def _manifest(self, images: Sequence[Image]) -> Manifest:
        entries = {
            name: _entry(name, traced, self._signatures[name], images[0], self._numerics)
            for name, traced in self._traced.items()
        }
        return Manifest("stepwell 0.1.0", entries, tuple(map(_target, images)))


def _call(
    entry: EntryPoint,
    traced: TracedFunction,
    names: Sequence[str],
    *arguments: Any,
    **named: Any,
) -> Any:
    leaves, structure = flatten_arrays(_by_position(names, arguments, named), "argument ")
    with pointing_at_the_user():
        nested.expect_same(traced.inputs, structure, "the signature", "the arguments")
        return _run(entry, traced, leaves)


def _run(entry: EntryPoint, traced: TracedFunction, leaves: Sequence[Array]) -> Any:
    results = entry.run([leaf.value for leaf in leaves])
    return traced.outputs.rebuild([Array(cast(Any, result)) for result in results])


def _by_position(
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


def _weights(functions: Any) -> dict[str, NDArray[Any]]:
    """The arrays of all weights by their hashes."""
    found: dict[str, NDArray[Any]] = {}
    for traced in functions:
        for op in traced.op.walk():
            if isinstance(op, WeightOp):
                weight = op.value.data
                assert weight.values is not None
                found[weight.sha] = weight.values
    return found


def _array_type(type: Tensor) -> ArrayType:
    return ArrayType(BY_NAME[dtype_of(type)], shape_of(type))


def _entry(
    name: str, traced: TracedFunction, signature: Signature, image: Image, numerics: str
) -> Entry:
    """The entry point as the manifest describes it."""
    given = zip(signature.leaf_names(), signature.types, strict=True)
    arguments = [Argument("input", leaf, _array_type(type)) for leaf, type in given]
    types = {
        op.value.data.sha: op.result.type for op in traced.op.walk() if isinstance(op, WeightOp)
    }
    for number, sha in enumerate(image.constants[name]):
        arguments.append(Argument("constant", f"constant{number}", _array_type(types[sha]), sha))
    paths = traced.outputs.paths("result")
    results = [
        Result(path, _array_type(cast(Tensor, value.type)))
        for path, value in zip(paths, traced.op.returned, strict=True)
    ]
    sizes = tuple(SizeRange(symbol, low, high) for symbol, (low, high) in signature.ranges.items())
    return Entry(
        symbol=name,
        parameters=signature.names,
        arguments=tuple(arguments),
        results=tuple(results),
        sizes=sizes,
        inputs=cast(Items, nested.described(traced.inputs)),
        outputs=nested.described(traced.outputs),
        numerics=numerics,
        sites=image.sites[name],
        imports=image.imports[name],
        effects=bool(image.sites[name] or image.imports[name]),
    )


def _target(image: Image) -> Target:
    machine = image.machine
    return Target(
        name=machine.name,
        architecture=machine.architecture,
        features=machine.features,
        code=f"code/{machine.name}.o",
        workspace=image.workspace,
        pool=f"code/{machine.name}.pool.o",
        plans=dict(image.plans),
    )


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
    names = _parameters(function, given + len(named))[given:]
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
            names = _parameters(function, len(arguments) + len(named))
            arguments = _by_position(names, arguments, named)
        leaves, structure = flatten_arrays(arguments, "argument ")
        key = structure, *[(leaf.dtype, leaf.shape) for leaf in leaves]
        program = programs.get(key)
        if program is None:
            names = _parameters(function, len(arguments))
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
