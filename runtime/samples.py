"""Samples: calls with their results that travel in an artifact, to be repeated where it arrives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from stepwell.runtime.dtypes import Array
from stepwell.runtime.entry import Entry
from stepwell.runtime.errors import LoadError


@final
@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A call of an entry point: its inputs and all its results, in the manifest's order."""

    entry: str
    inputs: Sequence[Array]
    results: Sequence[Array]


def pack(samples: Sequence[Sample]) -> dict[str, Array]:
    """The arrays of samples, under names like `0.f.inputs.1`: sample 0 calls f."""
    packed: dict[str, Array] = {}
    for number, sample in enumerate(samples):
        for role, arrays in (("inputs", sample.inputs), ("results", sample.results)):
            for index, array in enumerate(arrays):
                packed[f"{number}.{sample.entry}.{role}.{index}"] = array
    return packed


def unpack(packed: Mapping[str, Array], entries: Mapping[str, Entry], name: str) -> list[Sample]:
    """The samples that `pack` packed; `name` stands for their file in errors (SW0318)."""
    samples: list[Sample] = []
    calls = {key.rsplit(".", 2)[0] for key in packed}
    try:
        for call in sorted(calls, key=lambda call: int(call.partition(".")[0])):
            entry = call.partition(".")[2]
            inputs = [each for each in entries[entry].arguments if each.kind == "input"]
            samples.append(
                Sample(
                    entry,
                    [packed[f"{call}.inputs.{i}"] for i in range(len(inputs))],
                    [packed[f"{call}.results.{i}"] for i in range(len(entries[entry].results))],
                )
            )
    except (KeyError, ValueError):
        samples = []
    if len(packed) != sum(len(each.inputs) + len(each.results) for each in samples):
        raise LoadError("SW0318", f"{name} does not hold samples of these entry points")
    return samples
