"""Verification: whether an artifact, on this machine, does what it did where it was made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np

from stepwell.runtime import safetensors
from stepwell.runtime.arguments import dense, mismatch
from stepwell.runtime.artifact import SAMPLES, Artifact
from stepwell.runtime.devices.array import Value
from stepwell.runtime.devices.registry import CUDA, device_named
from stepwell.runtime.errors import CallError, LoadError
from stepwell.runtime.loading import instantiate, select
from stepwell.runtime.model import Model
from stepwell.runtime.samples import Sample, unpack
from stepwell.runtime.symbols import Symbols, lengths
from stepwell.runtime.ulps import largest_error, repeats

TENSOR: Final = "plan<tensor"


@final
@dataclass(frozen=True, slots=True)
class OutputError:
    """How far one result of a sample is from what it was, in units in the last place.

    It `repeats` where the entry point's numerics allow that: under `strict`, if no bit differs.
    """

    target: str
    sample: int
    output: str
    ulps: float
    repeats: bool

    def __str__(self) -> str:
        bits = "" if self.repeats or self.ulps else ", and zeros of other signs"
        return f"{self.target}: sample {self.sample}: {self.output}: {self.ulps:g} ulp{bits}"


@final
@dataclass(frozen=True, slots=True)
class Report:
    """What was found: how many members are whole, how far results are from the samples', and which
    targets were `skipped`, and why."""

    name: str
    members: int
    outputs: Sequence[OutputError]
    skipped: Mapping[str, str]

    @property
    def worst(self) -> float:
        """The largest error of all, in units in the last place; 0 where all numbers are equal."""
        return max((output.ulps for output in self.outputs), default=0.0)

    def expect_repeated(self) -> None:
        """Raises LoadError SW0319 if some result is not what it was."""
        other = [str(output) for output in self.outputs if not output.repeats]
        if other:
            raise LoadError(
                "SW0319",
                f"{self.name} does not do here what it did where it was made:"
                f" {len(other)} of {len(self.outputs)} results of its samples differ",
                details=other,
                hint="code and samples are not of one program, or this is an error of stepwell's",
            )

    def __str__(self) -> str:
        whole = f"{self.name}: {self.members} members have their SHA-256"
        skipped = [f"{name}: not verified here: {why}" for name, why in self.skipped.items()]
        run = map(str, self.outputs or ["no samples: nothing was run"])
        return "\n".join([whole, *run, *skipped])


def verify(source: str | Path | bytes, *, device: str = CUDA) -> Report:
    """Checks every member of an artifact, and runs its samples on each target that can run here.

    Those for GPUs run on `device`. Raises LoadError if the artifact is damaged, none of its targets
    can run, or its samples are not of its entry points; whether they repeat is in the report.
    """
    artifact = Artifact.open(source)
    artifact.check()
    samples = _samples(artifact)
    outputs: list[OutputError] = []
    errors: dict[str, LoadError] = {}
    for target in artifact.manifest.targets:
        try:
            there = device_named(device) if target.device else None
            select([target], artifact.name, device=there)
        except LoadError as error:
            errors[target.name] = error
            continue
        with instantiate(artifact, target, there) as model:
            _expect_fit(model, samples, f"{artifact.name}: {SAMPLES}")
            outputs += _errors(model, samples)
    if len(errors) == len(artifact.manifest.targets):
        raise next(iter(errors.values()), LoadError("SW0309", f"{artifact.name} holds no code"))
    skipped = {name: error.sentence for name, error in errors.items()}
    return Report(artifact.name, len(artifact.manifest.members), outputs, skipped)


def _samples(artifact: Artifact) -> list[Sample]:
    if SAMPLES not in artifact:
        return []
    name = f"{artifact.name}: {SAMPLES}"
    packed = safetensors.parse(artifact.read(SAMPLES), name)
    return unpack(packed, artifact.manifest.entries, name)


def _expect_fit(model: Model, samples: Sequence[Sample], name: str) -> None:
    """Raises LoadError SW0318 for wrong dtypes and shapes, before anything runs.

    What a sample leaves as a state is among its results: so all shapes are known.
    """
    entries = model.manifest.entries.values()
    kept = [each.name for e in entries for each in e.arguments if each.kind == "state"]
    states = dict(zip(kept, model.state.arrays(kept), strict=True))
    for number, sample in enumerate(samples):
        try:
            _expect_types(model, sample, states)
        except CallError as error:
            raise LoadError("SW0318", f"{name}: sample {number}: {error.sentence}") from None


def _expect_types(model: Model, sample: Sample, states: dict[str, Value]) -> None:
    """Puts the next states into `states` (CallError)."""
    entry = model.manifest.entries[sample.entry]
    given = list(map(dense, entry.arguments, sample.inputs))
    kept = [states[each.name] for each in entry.arguments if each.kind == "state"]
    values = Symbols(sample.entry, entry).solve([*given, *kept])
    for result, array in zip(entry.results, sample.results, strict=True):
        if array.dtype != result.type.dtype.numpy or array.shape != lengths(result, values):
            raise mismatch(result, array)
        if result.state is not None:
            states[result.state] = array


def _errors(model: Model, samples: Sequence[Sample]) -> Iterator[OutputError]:
    """Repeats the samples in their order, as states pass from one to the next.

    A plan `tensor` adds up as its card does: the CPU, or another card, has other bits.
    """
    own = TENSOR in str(model.target.plans)
    for number, sample in enumerate(samples):
        entry = model.manifest.entries[sample.entry]
        numerics = "fast" if own else entry.numerics
        inputs = map(dense, entry.arguments, sample.inputs)
        found = map(np.asarray, model[sample.entry].run(list(inputs)))
        for result, one, other in zip(entry.results, found, sample.results, strict=True):
            name = f"{sample.entry}.{result.name}"
            same = repeats(one, other, numerics)
            yield OutputError(model.target.name, number, name, largest_error(one, other), same)
