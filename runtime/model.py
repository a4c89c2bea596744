"""A model: entry points that are called like functions, and the state that they share."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self, final

from stepwell.runtime import code as machine_code
from stepwell.runtime import pool as thread_pool
from stepwell.runtime import tree
from stepwell.runtime.arguments import mismatch
from stepwell.runtime.calling import ALONE, Call, Calls
from stepwell.runtime.context import Contexts
from stepwell.runtime.devices.array import Value
from stepwell.runtime.devices.place import HERE, Place
from stepwell.runtime.dtypes import Array
from stepwell.runtime.entry import Argument, Entry
from stepwell.runtime.errors import CallError, LoadError
from stepwell.runtime.manifest import Manifest, Target
from stepwell.runtime.program import Parts, Program
from stepwell.runtime.signature import Signature
from stepwell.runtime.state import State
from stepwell.runtime.thunk import Case


@final
class EntryPoint:
    """One entry point, called like the function that it was compiled from.

    Calls may come from several threads: they run side by side, or one after the other if the entry
    point changes state. Those that only read it see what one call left, and wait for none.
    """

    def __init__(self, signature: Signature, program: Program, state: State) -> None:
        entry = signature.entry
        self.name = signature.name
        self.signature = signature
        self._reads = [each.name for each in entry.arguments if each.kind == "state"]
        self._keeps = [(i, each.state) for i, each in enumerate(entry.results) if each.state]
        self._program: Program | None = program
        self._state = state
        self._positional = entry.inputs == tree.flat(len(self.signature.entry.parameters))
        self._rebuild = _rebuilding(entry)
        self._flat = Calls(self._computed)
        """The program alone, which takes states as it takes inputs, and gives all results."""
        self._calls = Calls(self._called)
        self.function = self._calls.function
        """The fastest way to call this, for as long as it lives."""

    def __call__(self, /, *args: object, **kwargs: object) -> Any:
        """The result: NumPy arrays, nested as the function nested them (a dataclass as a dict).

        Raises CallError: SW0401 to SW0406 before anything runs, SW0410 to SW0412 if it fails.
        """
        return self.function(*args, **kwargs)

    def _called(self, /, *args: object, **kwargs: object) -> Any:
        """A call that is none of the thunk's cases; the next one like it may be."""
        inputs = self.signature.bind(args, kwargs)
        results = self.run(inputs)
        if self._positional:
            shapes = tuple([array.shape for array in inputs])
            self._calls.learn(shapes, lambda: self.case(inputs, self._rebuild))
        if self._program is None:
            self._calls.forget()
        return self._rebuild(results)

    def case(self, inputs: Sequence[Value], rebuild: Call) -> Case | None:
        """The call for inputs like these in a thunk; `rebuild` is as for `Program.case`.

        None where states are read or changed: that takes their lock, and other arrays each time,
        which `_flat` does behind it.
        """
        program = self._program
        if program is None or self._reads or self._keeps:
            return None
        return program.case(inputs, rebuild)

    def run(self, inputs: Sequence[Value]) -> Sequence[Value]:
        """All results, states too, for dense inputs of the right dtypes and ranks."""
        if not self._keeps:
            return self._flat.function(*inputs, *self._state.arrays(self._reads))
        with self._state.lock:
            results = self._flat.function(*inputs, *self._state.arrays(self._reads))
            self._state.update({name: results[i] for i, name in self._keeps})
        return results

    def _computed(self, *arrays: Value) -> Sequence[Value]:
        """A call of the program that is none of the thunk's cases; the next one like it may be."""
        program = self._program
        if program is None:
            raise CallError("SW0417", f"{self.name}: the model is closed")
        results = program.run(arrays)
        if self._reads or self._keeps:
            shapes = tuple([array.shape for array in arrays])
            self._flat.learn(shapes, lambda: program.case(arrays, tuple))
        if self._program is None:
            self._flat.forget()
        return results

    def close(self) -> None:
        """Lets go of the code, whose memory is freed when no call runs in it any more."""
        self._program = None
        self._calls.forget()
        self._flat.forget()


def _rebuilding(entry: Entry) -> Call:
    """What makes the answer of an entry point's results."""
    if entry.outputs == tree.Leaf(0) and len(entry.results) == 1:
        return ALONE
    if entry.outputs == tree.flat(len(entry.results)):
        return tuple
    return partial(tree.rebuild, entry.outputs)


@final
class Model:
    """Entry points, called as `model.name(…)` or `model["name"](…)`, or if it is one as `model(…)`.

    `state` has the arrays that outlive a call. As a context manager the model closes itself.
    """

    def __init__(
        self,
        manifest: Manifest,
        code: bytes | memoryview,
        constants: Mapping[str, Array],
        *,
        target: Target | None = None,
        pool: bytes | memoryview | None = None,
        name: str = "the program",
        place: Place = HERE,
    ) -> None:
        """A model in memory, from the object for `target` (the manifest's first, if not given).

        `constants` are found by the digests in the manifest, `pool` is the object of a thread pool,
        and `name` stands for the model in errors (LoadError).
        """
        self.manifest = manifest
        self.target = target or manifest.targets[0]
        loaded = machine_code.load(code, f"{name}: {self.target.code}")
        if pool is not None:
            thread_pool.provide(pool, f"{name}: {self.target.pool}")
        states = _states(manifest, name)
        values = {key: place.keep(array) for key, array in constants.items()}
        first = {key: _value(each, values, name) for key, each in states.items()}
        self.state = State(states, first, manifest.states, place.put, place.take)
        contexts = Contexts()
        self.entries: dict[str, EntryPoint] = {}
        for key, entry in manifest.entries.items():
            fixed = [_value(a, values, name) for a in entry.arguments if a.kind == "constant"]
            need, pairs = self.target.workspace[key], self.target.overwrites.get(key, ())
            program = place.program(Parts(key, entry, loaded, fixed, need, pairs, contexts))
            signature = Signature(key, entry, place.take)
            self.entries[key] = EntryPoint(signature, program, self.state)
        only = len(self.entries) == 1
        self._function = next(iter(self.entries.values())).function if only else None

    @property
    def signature(self) -> Signature:
        """The signature of the only entry point (CallError SW0416 if there are several)."""
        return self._only.signature

    def __call__(self, /, *args: object, **kwargs: object) -> Any:
        """Calls the only entry point (CallError SW0416 if there are several)."""
        return (self._function or self._only)(*args, **kwargs)

    def __getitem__(self, name: str) -> EntryPoint:
        """One entry point by name (CallError SW0418 if there is none of that name)."""
        found = self.entries.get(name)
        if found is None:
            known = ", ".join(self.entries)
            raise CallError("SW0418", f"there is no entry point {name}; there is {known}")
        return found

    def __repr__(self) -> str:
        return f"<Model {'; '.join(repr(each.signature) for each in self.entries.values())}>"

    def __getattr__(self, name: str) -> EntryPoint:
        entries: dict[str, EntryPoint] = self.__dict__.get("entries", {})
        if name not in entries:
            known = ", ".join(entries)
            raise AttributeError(f"there is no entry point {name}; there is {known}")
        return entries[name]

    def close(self) -> None:
        """Lets go of the code and the weights; calls that are running finish."""
        for entry in self.entries.values():
            entry.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def _only(self) -> EntryPoint:
        first, *others = self.entries.values()
        if others:
            sentence = f"this model has the entry points {', '.join(self.entries)}"
            raise CallError("SW0416", sentence, hint=f"name one, as in model.{first.name}(…)")
        return first


def _states(manifest: Manifest, name: str) -> dict[str, Argument]:
    """The states of all entry points, which must agree on their dtype and first value."""
    found: dict[str, Argument] = {}
    for entry in manifest.entries.values():
        for argument in entry.arguments:
            if argument.kind == "state":
                known = found.setdefault(argument.name, argument)
                if (known.sha256, known.type.dtype) != (argument.sha256, argument.type.dtype):
                    raise _unusable(name, f"entry points differ in the state {argument.name}")
        for result in entry.results:
            if result.state and result.type.dtype != found[result.state].type.dtype:
                raise _unusable(name, f"{result.name} is not of the dtype of {result.state}")
    return found


def _value(argument: Argument, constants: Mapping[str, Value], name: str) -> Value:
    """A constant, or a state's first value, from the weights."""
    array = constants.get(argument.sha256 or "")
    if array is None:
        raise _unusable(name, f"the weights lack {argument.name}")
    if not argument.type.admits(array):
        raise _unusable(name, mismatch(argument, array).sentence)
    return array


def _unusable(name: str, reason: str) -> LoadError:
    return LoadError("SW0314", f"{name}: {reason}")
