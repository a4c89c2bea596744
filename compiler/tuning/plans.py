"""Plans that were measured to be faster than those that are chosen, by kernel, and their files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from xdsl.dialects.builtin import StringAttr

from stepwell.compiler.cache.structure import operations_of
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import Parameter, Plan, PlanAttr
from stepwell.runtime import system
from stepwell.runtime.errors import LoadError, StepwellError
from stepwell.runtime.fields import Field, Json

FORMAT: Final = 1
"""The format of the files, and the newest that is read."""
ANONYMOUS: Final = "kernel"


@final
@dataclass(frozen=True, order=True)
class Place:
    """A kernel, by the hash of its nests, on machines of a level."""

    machine: str
    kernel: str

    @staticmethod
    def of(kernel: KernelOp, machine: str) -> "Place":
        """That of a kernel at the stage `nests`; neither names nor lines of source matter."""
        same = kernel.clone()
        same.properties["sym_name"] = StringAttr(ANONYMOUS)
        return Place(machine, operations_of(same)[:32])


@final
@dataclass(frozen=True)
class Tuned:
    """A plan, the nanoseconds that a launch took under it, and those under the chosen plan.

    `name` is what the kernel was called where it was measured.
    """

    plan: Plan
    nanoseconds: int
    before: int
    name: str

    def __str__(self) -> str:
        gain = self.before / max(1, self.nanoseconds)
        return f"{self.name}: {gain:.2f} times as fast by {PlanAttr(self.plan)}"


@final
@dataclass(frozen=True)
class Plans:
    """Plans by the places that they are for. The empty ones change nothing."""

    found: Mapping[Place, Tuned] = field(default_factory=dict[Place, Tuned])

    def __or__(self, other: "Plans") -> "Plans":
        """Both; where both have a plan, that of `other`."""
        return Plans({**self.found, **other.found})

    @property
    def digest(self) -> str:
        """The hash of all that code depends on, which is not how long anything took."""
        plans = [
            [place.machine, place.kernel, str(PlanAttr(self.found[place].plan))]
            for place in sorted(self.found)
        ]
        return hashlib.sha256(json.dumps(plans).encode()).hexdigest()

    def save(self, path: str | Path) -> None:
        """Writes the file, which appears under its name when it is whole (StepwellError SW0317)."""
        document = {"format": FORMAT, "plans": [self._entry(each) for each in sorted(self.found)]}
        try:
            with system.whole_file(Path(path)) as stream:
                stream.write((json.dumps(document, indent=1) + "\n").encode())
        except OSError as error:
            sentence = f"{path} cannot be written: {error.strerror or error}"
            raise StepwellError("SW0317", sentence) from None

    def _entry(self, place: Place) -> Json:
        tuned = self.found[place]
        return {
            "machine": place.machine,
            "kernel": place.kernel,
            "name": tuned.name,
            "strategy": tuned.plan.strategy,
            "parameters": dict(tuned.plan.parameters),
            "nanoseconds": tuned.nanoseconds,
            "before": tuned.before,
        }

    @staticmethod
    def load(path: str | Path) -> "Plans":
        """The plans of a file (LoadError SW0301, SW0304, SW0307)."""
        root = Field.parse(_bytes(path), str(path))
        if (version := root["format"].count()) > FORMAT:
            sentence = (
                f"{path} has format {version}, and this stepwell reads formats up to {FORMAT}"
            )
            raise LoadError("SW0304", sentence, hint="update stepwell, or tune again")
        return Plans(dict(map(_read, root["plans"].items())))


NONE: Final = Plans()


def _bytes(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        sentence = f"{path} cannot be read: {error.strerror or error}"
        raise LoadError("SW0301", sentence) from None


def _read(entry: Field) -> tuple[Place, Tuned]:
    parameters = tuple(
        (name, _parameter(each)) for name, each in entry["parameters"].members().items()
    )
    tuned = Tuned(
        Plan(entry["strategy"].text(), parameters),
        entry["nanoseconds"].count(),
        entry["before"].count(),
        entry["name"].text(),
    )
    return Place(entry["machine"].text(), entry["kernel"].text()), tuned


def _parameter(field: Field) -> Parameter:
    match field.value:
        case list():
            return field.texts()
        case str():
            return field.text()
        case _:
            return field.count()
