"""Verification: whether an artifact, on this machine, does what it did where it was made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from stepwell.runtime import safetensors
from stepwell.runtime.arguments import dense
from stepwell.runtime.artifact import SAMPLES, Artifact
from stepwell.runtime.loading import instantiate, select, supported
from stepwell.runtime.model import Model
from stepwell.runtime.samples import Sample, unpack
from stepwell.runtime.ulps import largest_error


@final
@dataclass(frozen=True, slots=True)
class OutputError:
    """The largest error of one result over all samples, in units in the last place."""

    target: str
    sample: int
    output: str
    ulps: float

    def __str__(self) -> str:
        return f"{self.target}: sample {self.sample}: {self.output}: {self.ulps:g} ulp"


@final
@dataclass(frozen=True, slots=True)
class Report:
    """What was found: how many members are whole, and how far results are from the samples'."""

    name: str
    members: int
    outputs: Sequence[OutputError]

    @property
    def worst(self) -> float:
        """The largest error of all, in units in the last place; 0 where all bits are the same."""
        return max((output.ulps for output in self.outputs), default=0.0)

    def __str__(self) -> str:
        whole = f"{self.name}: {self.members} members have their SHA-256"
        return "\n".join([whole, *map(str, self.outputs)])


def verify(source: str | Path | bytes) -> Report:
    """Checks every member of an artifact, and runs its samples on each target that can run here.

    Raises LoadError if the artifact is damaged, or none of its targets can run.
    """
    artifact = Artifact.open(source)
    artifact.check()
    select(artifact.manifest.targets, artifact.name)
    outputs: list[OutputError] = []
    for target in supported(artifact.manifest.targets):
        with instantiate(artifact, target) as model:
            outputs += _errors(model, _samples(artifact))
    return Report(artifact.name, len(artifact.manifest.members), outputs)


def _samples(artifact: Artifact) -> list[Sample]:
    if SAMPLES not in artifact:
        return []
    name = f"{artifact.name}: {SAMPLES}"
    packed = safetensors.parse(artifact.read(SAMPLES), name)
    return unpack(packed, artifact.manifest.entries, name)


def _errors(model: Model, samples: Sequence[Sample]) -> Iterator[OutputError]:
    """Repeats the samples in their order, as states pass from one to the next."""
    for number, sample in enumerate(samples):
        entry = model.manifest.entries[sample.entry]
        inputs = map(dense, entry.arguments, sample.inputs)
        found = model[sample.entry].run(list(inputs))
        for result, one, other in zip(entry.results, found, sample.results, strict=True):
            name = f"{sample.entry}.{result.name}"
            yield OutputError(model.target.name, number, name, largest_error(one, other))
