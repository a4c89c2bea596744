"""A compiled program: called like the function it was made from, inspected, or saved."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, final

from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from stepwell import nested
from stepwell.array import Array
from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.machines.x86 import X86_64_V3
from stepwell.compiler.ops.creation import WeightOp
from stepwell.compiler.pipeline import Image, compile_module, text_at, without_collection
from stepwell.compiler.targets.pool import pool_object
from stepwell.places import pointing_at_the_user, user_line
from stepwell.runtime import artifact, safetensors, samples
from stepwell.runtime.arguments import dense
from stepwell.runtime.dtypes import BY_NAME
from stepwell.runtime.entry import Argument, ArrayType, Entry, Result, SizeRange
from stepwell.runtime.errors import CompileError
from stepwell.runtime.manifest import Manifest, Target
from stepwell.runtime.model import EntryPoint, Model
from stepwell.runtime.tree import Items
from stepwell.signatures import Signature, by_position
from stepwell.tracing import TracedFunction, flatten_arrays

SAVED = ("tensor", "loop")
"""The levels whose IR travels in an artifact, for `stepwell inspect --ir`."""

LEVELS = {"tensor": "tensor", "loop": "plans", "llvm": "llvm", "asm": "asm"}
"""What `ir` shows of each level, by the stage that ends it."""


@final
class Compiled:
    """One or several entry points in machine code, with the weights that they share."""

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
        self._image = compile_module(self._module(), machine)

    @functools.cached_property
    def _model(self) -> Model:
        """The program in memory, made by the first call.

        What is only saved needs neither that nor the thread pool, which a process compiles once.
        """
        with without_collection():
            pool = pool_object(self._machine)
        return Model(self._manifest([self._image]), self._image.code, self._constants, pool=pool)

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
        """Calls an entry point with the leaves of its arguments, which must be of its types."""
        with pointing_at_the_user():
            inputs = [leaf.value for leaf in leaves]
            return _run(self._model[name], self._traced[name], inputs)

    def __getitem__(self, name: str) -> Callable[..., Any]:
        """One entry point by name."""
        entry, traced, names = self._model[name], self._traced[name], self._signatures[name].names
        return functools.partial(_call, entry, traced, names)

    def ir(self, level: str) -> str:
        """The program's text at a level: `tensor`, `loop`, `llvm` or `asm`; or at any stage."""
        with pointing_at_the_user():
            return text_at(self._module(), self._machine, LEVELS.get(level, level))

    def save(self, path: str | Path, *, sample: Mapping[str, Sequence[Any]] | None = None) -> None:
        """Writes the `.well` file: code for this machine and for the baseline, weights, and IR.

        `sample` has arguments for entry points by name: `stepwell verify` repeats these calls.
        """
        images = [self._image]
        if self._machine != X86_64_V3:
            images.append(compile_module(self._module(), X86_64_V3))
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
    leaves, structure = nested.flatten(by_position(names, arguments, named))
    with pointing_at_the_user():
        nested.expect_same(traced.inputs, structure, "the signature", "the arguments")
        known = entry.signature.entry.arguments[: len(leaves)]
        inputs = [dense(argument, leaf) for argument, leaf in zip(known, leaves, strict=True)]
        return _run(entry, traced, inputs)


def _run(entry: EntryPoint, traced: TracedFunction, inputs: Sequence[Any]) -> Any:
    return traced.outputs.rebuild([Array(cast(Any, result)) for result in entry.run(inputs)])


def _weights(functions: Iterable[TracedFunction]) -> dict[str, NDArray[Any]]:
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
