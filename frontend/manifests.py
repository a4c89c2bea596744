"""What an artifact says of a compiled program: its entry points, their states, and its targets."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from stepwell import nested
from stepwell.compiler.dialects.nd import Tensor, Weight, dtype_of, shape_of
from stepwell.compiler.machines import X86_64_V3
from stepwell.compiler.pipeline import Image
from stepwell.runtime.devices.image import DeviceCode
from stepwell.runtime.dtypes import BY_NAME, BY_NUMPY
from stepwell.runtime.entry import Argument, ArrayType, Entry, Result, SizeRange
from stepwell.runtime.manifest import PRODUCER, Manifest, Target
from stepwell.runtime.sizes import Size
from stepwell.runtime.state import Nesting
from stepwell.runtime.tree import Items
from stepwell.signatures import Signature
from stepwell.tracing import TracedFunction


def manifest(
    traced: Mapping[str, TracedFunction],
    signatures: Mapping[str, Signature],
    images: Sequence[Image],
    numerics: str,
    weights: Mapping[Weight, str],
    tuned: str | None = None,
) -> Manifest:
    """The manifest of entry points by name, with code for some machines, the best first.

    `weights` are the keys of weights, which are hashes in files; `tuned` is that of plans.
    """
    entries = {
        name: _entry(name, function, signatures[name], images[0], numerics, weights)
        for name, function in traced.items()
    }
    states = {
        state.name: Nesting(state.leaves, nested.described(state.structure))
        for signature in signatures.values()
        for state in signature.states
    }
    return Manifest(PRODUCER, entries, tuple(map(_target, images)), states=states, tuned=tuned)


def _entry(
    name: str,
    traced: TracedFunction,
    signature: Signature,
    image: Image,
    numerics: str,
    weights: Mapping[Weight, str],
) -> Entry:
    """The entry point as the manifest describes it."""
    sizes = tuple(SizeRange(symbol, low, high) for symbol, (low, high) in signature.ranges.items())
    return Entry(
        symbol=name,
        parameters=signature.names,
        arguments=tuple(_arguments(traced, signature, image.constants[name], weights)),
        results=tuple(_results(traced, signature)),
        sizes=sizes,
        inputs=cast(Items, nested.described(traced.inputs)),
        outputs=nested.described(traced.outputs),
        numerics=numerics,
        sites=image.sites[name],
        imports=image.imports[name],
        effects=bool(image.sites[name] or image.imports[name]),
    )


def _arguments(
    traced: TracedFunction,
    signature: Signature,
    constants: Sequence[Weight],
    keys: Mapping[Weight, str],
) -> Iterator[Argument]:
    """Inputs, states, and these weights: the order of the function's buffers."""
    for leaf, type in zip(signature.leaf_names(), signature.types, strict=True):
        yield Argument("input", leaf, _array_type(type))
    for state in signature.states:
        for leaf, type, first in zip(state.leaves, state.types, state.first, strict=True):
            yield Argument("state", leaf, _array_type(type), keys[first])
    for number, weight in enumerate(constants):
        values = weight.values
        assert values is not None
        type = ArrayType(BY_NUMPY[values.dtype], tuple(map(Size.of, values.shape)))
        yield Argument("constant", f"constant{number}", type, keys[weight])


def _results(traced: TracedFunction, signature: Signature) -> Iterator[Result]:
    """The leaves of the result, then the next states."""
    changed = [state for state in signature.states if state.changes]
    leaves = [leaf for state in changed for leaf in state.leaves]
    names = [*traced.outputs.paths("result"), *leaves]
    states = [*[None] * traced.outputs.size, *leaves]
    for name, value, state in zip(names, traced.op.returned, states, strict=True):
        yield Result(name, _array_type(cast(Tensor, value.type)), state)


def _array_type(type: Tensor) -> ArrayType:
    return ArrayType(BY_NAME[dtype_of(type)], shape_of(type))


def _target(image: Image) -> Target:
    machine = image.machine
    if image.ptx:
        return _device_target(image)
    return Target(
        name=machine.name,
        architecture=machine.architecture,
        features=machine.features,
        code=f"code/{machine.name}.o",
        workspace=image.workspace,
        pool=f"code/{machine.name}.pool.o",
        plans=dict(image.plans),
        overwrites=image.overwrites,
    )


def _device_target(image: Image) -> Target:
    """A target whose host code is for the least of machines."""
    name, host = image.machine.name, X86_64_V3
    code = DeviceCode(
        f"code/{name}.ptx",
        image.grids,
        image.shared,
        host.architecture,
        tuple(sorted(image.host_controlled)),
    )
    return Target(
        name=name,
        architecture=image.machine.architecture,
        features=host.features,
        code=f"code/{name}.o",
        workspace=image.workspace,
        plans=dict(image.plans),
        overwrites=image.overwrites,
        device=code,
    )
