"""A compiled program: called like the function it was made from, inspected, or saved."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast, final

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from stepwell.compiler.cache.lookup import image_of, support_of
from stepwell.compiler.dialects.nd import Weight
from stepwell.compiler.dump import Dump
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.ops.structure import FuncOp
from stepwell.compiler.pipeline import Image, compile_module, text_at, without_collection
from stepwell.compiler.tuning.plans import NONE, Plans
from stepwell.compiler.tuning.search import search, subjects
from stepwell.entry_points import EntryPoint
from stepwell.manifests import manifest
from stepwell.modules import module_of, named
from stepwell.places import pointing_at_the_user, user_line
from stepwell.runtime import artifact, safetensors, samples, system
from stepwell.runtime.devices.place import on_device
from stepwell.runtime.errors import CompileError
from stepwell.runtime.loading import select
from stepwell.runtime.manifest import Manifest
from stepwell.runtime.model import Model
from stepwell.runtime.signature import Signature as Called
from stepwell.signatures import Signature
from stepwell.states import State, States
from stepwell.targets import Targets
from stepwell.tracing import TracedFunction

SAVED = ("tensor", "loop")
"""The levels whose IR travels in an artifact, for `stepwell inspect --ir`."""

LEVELS = {"loop": "plans"}
"""The stage that `ir` shows of a level whose name is not that of a stage."""

_LOADING = system.fork_safe_lock()


@final
class Compiled:
    """One or several entry points in machine code, with the weights that they share."""

    def __init__(
        self,
        traced: Mapping[str, TracedFunction],
        signatures: Mapping[str, Signature],
        targets: Targets,
        numerics: str,
        plans: Plans = NONE,
    ) -> None:
        """Code for all `targets` is made by `save`; kernels that `plans` has run under those."""
        self._traced = traced
        self._signatures = signatures
        self._targets = targets
        self._machine = targets.here
        self._numerics = numerics
        self._plans = plans
        self._states = {each.name: each for s in signatures.values() for each in s.states}
        self._dump = Dump.from_environment(traced)
        self._image = self._compiled(self._machine)
        self._weights = _weights(self._image, self._states.values())
        self._called: Model | None = None
        self._entries: dict[str, EntryPoint] = {}
        self._function: Callable[..., Any] | None = None

    @property
    def _model(self) -> Model:
        """The program in memory, made by the first call, of whichever thread.

        What is only saved needs neither that nor the thread pool, which a process compiles once.
        """
        if self._called is None:
            with _LOADING:
                self._called = self._called or self._loaded()
        return self._called

    def _loaded(self) -> Model:
        """A model in memory, with states of its own."""
        keys = {weight: str(number) for number, weight in enumerate(self._weights)}
        manifest = self._manifest([self._image], keys)
        with pointing_at_the_user():
            device = self._targets.device
            target = select(manifest.targets, "the program", device=device)
            if device is not None and target.device is not None:
                place = on_device(device, target.device, self._image.ptx.encode(), "the program")
                return Model(manifest, self._image.code, _arrays(keys), place=place)
        with without_collection():
            pool = support_of(self._machine)
        return Model(manifest, self._image.code, _arrays(keys), pool=pool)

    def __call__(self, /, *arguments: Any, **named: Any) -> Any:
        """Calls the only entry point, by position or by name; the result is nested Arrays."""
        return (self._function or self._only())(*arguments, **named)

    def _only(self) -> Callable[..., Any]:
        if len(self._traced) != 1:
            raise CompileError(
                "SW0134",
                f"this program has the entry points {', '.join(self._traced)}",
                hint=f"name one, as in program[{next(iter(self._traced))!r}](…)",
                where=user_line(),
            )
        (name,) = self._traced
        self._function = self[name].function
        return self._function

    def __getitem__(self, name: str) -> EntryPoint:
        """One entry point by name (CallError SW0418 if there is none of that name)."""
        found = self._entries.get(name)
        if found is None:
            with pointing_at_the_user():
                found = self._entry_point(self._model, name)
            found = self._entries.setdefault(name, found)
        return found

    def _entry_point(self, model: Model, name: str) -> EntryPoint:
        return EntryPoint(model[name], self._traced[name], self._signatures[name].names)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """One entry point, as in `program.decode(…)`."""
        known: Mapping[str, TracedFunction] = self.__dict__.get("_traced", {})
        if name not in known:
            there = ", ".join(known)
            raise AttributeError(f"there is no entry point {name}; there is {there}")
        return self[name]

    def __repr__(self) -> str:
        entries = self._manifest([self._image], dict.fromkeys(self._weights, "")).entries
        return f"<Compiled {'; '.join(repr(Called(*each)) for each in entries.items())}>"

    def __reduce__(self) -> NoReturn:
        """Machine code of this process is not what another one should be sent."""
        raise CompileError(
            "SW0156",
            "a compiled program can be neither pickled nor copied",
            hint='write it with program.save("program.well"), and use stepwell.load there',
        )

    @property
    def state(self) -> States:
        """The trees of arrays that outlive a call, by name: to read, to set, and to `reset()`."""
        return States(self._model.state, self._states)

    @property
    def copies(self) -> Mapping[str, Sequence[str]]:
        """The arrays that each entry point copies as a whole: where in the source, and why."""
        return {name: tuple(map(str, self._image.copies[name])) for name in self._traced}

    def ir(self, level: str) -> str:
        """The program's text at a level, `tensor`, `loop`, `llvm` or `asm`, or at any stage.

        The stages are `tensor`, `simple`, `kernels`, `nests`, `plans` (which is what `loop` shows),
        `buffers`, `explicit`, `llvm`, `ll` and `asm`. Of another name: CompileError SW0220.
        """
        with pointing_at_the_user():
            return text_at(self._module(), self._machine, LEVELS.get(level, level), self._plans)

    def tune(self, budget: float = 60.0, sizes: Mapping[str, int] | None = None) -> Plans:
        """Measures other plans for the program's kernels on this machine: those that are faster.

        It takes `budget` seconds, or less if all that is near was tried. `sizes` gives symbolic
        sizes; others are taken to be 512, within their ranges. The plans are for `compile`, here or
        from a file: `program.tune().save("f.plans")`, `compile(f, …, plans="f.plans")`.

        Raises CompileError SW0163 for a size that no spec has, or not in its range, SW0164 if the
        program is for a GPU, and LoadError SW0308 if it is for another processor.
        """
        with pointing_at_the_user():
            _expect_sizes(sizes or {}, self._signatures.values())
            if self._machine.is_gpu:
                raise CompileError(
                    "SW0164",
                    f"the program is for {self._machine.name}, and plans for GPUs are not measured",
                    hint='compile it for the CPU: target="host"',
                    where=user_line(),
                )
            manifest = self._manifest([self._image], dict.fromkeys(self._weights, ""))
            select(manifest.targets, "the program")
            found = subjects(self._module(), self._machine, sizes or {}, self._plans)
            return search(found, self._machine, budget)

    def save(self, path: str | Path, *, sample: Mapping[str, Sequence[Any]] | None = None) -> None:
        """Writes the `.well` file: code for each of the targets, weights, and IR.

        States begin in it as they were declared. `sample` has arguments for entry points by name:
        `stepwell verify` repeats these calls. Raises CompileError (SW0154) and CallError (SW0418)
        for samples that are no arguments of entry points.
        """
        calls = self._samples(sample)
        images = [
            self._image if each == self._machine else self._compiled(each)
            for each in self._targets.machines
        ]
        members: dict[str, bytes] = {}
        for image in images:
            members[f"code/{image.machine.name}.o"] = image.code
            if image.ptx:
                members[f"code/{image.machine.name}.ptx"] = image.ptx.encode()
            else:
                members[f"code/{image.machine.name}.pool.o"] = support_of(image.machine)
        for level in SAVED:
            members[f"ir/{level}.mlir"] = self.ir(level).encode()
        hashes = {weight: weight.sha for weight in self._weights}
        if hashes:
            members[artifact.WEIGHTS] = safetensors.serialize(_arrays(hashes))
        if calls:
            members[artifact.SAMPLES] = safetensors.serialize(samples.pack(calls))
        artifact.write(path, self._manifest(images, hashes), members)

    def _samples(self, given: Mapping[str, Sequence[Any]] | None) -> list[samples.Sample]:
        """The calls of entry points with these arguments, in their order."""
        if not given:
            return []
        with pointing_at_the_user():
            _expect_dict(given, next(iter(self._traced)))
            model = self._loaded()
            return [self._sample(model, name, each) for name, each in given.items()]

    def _sample(self, model: Model, name: str, arguments: Sequence[Any]) -> samples.Sample:
        if not isinstance(arguments, tuple | list):
            raise _no_sample(f"of {name}", f"a {type(arguments).__name__}", "a tuple", name)
        inputs = self._entry_point(model, name).inputs(tuple(arguments))
        # An input that is overwritten holds something else after the call.
        given = [np.array(each) for each in inputs]
        return samples.Sample(name, given, list(map(np.asarray, model[name].run(inputs))))

    def _module(self) -> ModuleOp:
        return module_of(self._functions(), self._numerics)

    def _functions(self) -> dict[FuncOp, str]:
        return named(traced.op for traced in self._traced.values())

    def _compiled(self, machine: Machine) -> Image:
        with pointing_at_the_user(), without_collection():
            names = self._functions()
            make = functools.partial(
                _compile, names, machine, self._numerics, self._dump, self._plans
            )
            return image_of(names, machine, self._numerics, self._plans, make)

    def _manifest(self, images: Sequence[Image], keys: Mapping[Weight, str]) -> Manifest:
        tuned = self._plans.digest if self._plans.found else None
        return manifest(self._traced, self._signatures, images, self._numerics, keys, tuned)


def _compile(
    names: Mapping[FuncOp, str], machine: Machine, numerics: str, dump: Dump | None, plans: Plans
) -> Image:
    return compile_module(module_of(names, numerics), machine, dump, plans)


def _expect_sizes(sizes: Mapping[str, int], signatures: Iterable[Signature]) -> None:
    """Raises CompileError SW0163 unless each size is one of a signature's, and in its range."""
    ranges = {name: each for signature in signatures for name, each in signature.ranges.items()}
    for name, value in sizes.items():
        if name not in ranges:
            sentence = f"there is no symbolic size {name}"
            hint = f"there is {', '.join(ranges) or 'none'}"
            raise CompileError("SW0163", sentence, hint=hint, where=user_line())
        low, high = ranges[name]
        if value < low or (high is not None and value > high):
            most = "any" if high is None else high
            sentence = f"the size {name} is from {low} to {most}, and cannot be {value}"
            raise CompileError("SW0163", sentence, where=user_line())


def _expect_dict(sample: object, name: str) -> None:
    if not isinstance(sample, Mapping):
        found = f"a {type(sample).__name__}"
        raise _no_sample("", found, "a dict of arguments by entry point", name)


def _no_sample(what: str, found: str, wanted: str, name: str) -> CompileError:
    return CompileError(
        "SW0154",
        f"the sample {what}".rstrip() + f" is {found}, and should be {wanted}",
        hint=f'write sample={{"{name}": (x, …)}}, with all arguments of {name}',
    )


def _weights(image: Image, states: Iterable[State]) -> list[Weight]:
    """The first arrays of states, and all weights, each once."""
    found = [weight for state in states for weight in state.first]
    found += [weight for constants in image.constants.values() for weight in constants]
    return list(dict.fromkeys(found))


def _arrays(keys: Mapping[Weight, str]) -> dict[str, NDArray[Any]]:
    """The arrays of weights by their keys."""
    return {key: cast(Any, weight.values) for weight, key in keys.items()}
