"""The manifest: everything about an artifact but its bytes, as typed data and as canonical JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

from stepwell.runtime.devices.image import DeviceCode
from stepwell.runtime.entry import Entry, read_size
from stepwell.runtime.errors import LoadError
from stepwell.runtime.fields import Field, Json
from stepwell.runtime.sizes import Size
from stepwell.runtime.state import Nesting

FORMAT: Final = 1
"""The format of artifacts that this runtime writes, and the newest that it reads."""

RUNTIME: Final = 1
"""The runtime's version, which an artifact's `minimum_runtime` is compared with."""

PRODUCER: Final = "stepwell 0.1.0"
"""What writes artifacts."""

Pairs: TypeAlias = tuple[tuple[int, int], ...]


@final
@dataclass(frozen=True, slots=True)
class Target:
    """Code for one kind of processor, which has all of `features` (LLVM's names).

    `code` and `pool` are names of members; `workspace` is each entry's need, in bytes, and
    `overwrites` each entry's pairs of an input and the result that lies in its place. Of a target
    for a `device` they are the host code's; `architecture` is the device's.
    """

    name: str
    architecture: str
    features: tuple[str, ...]
    code: str
    workspace: Mapping[str, Size]
    pool: str | None = None
    plans: Json = field(default_factory=dict[str, Json])
    overwrites: Mapping[str, Pairs] = field(default_factory=dict[str, Pairs])
    device: DeviceCode | None = None

    def to_json(self) -> Json:
        """The target as it stands in a manifest."""
        pool: dict[str, Json] = {} if self.pool is None else {"pool": self.pool}
        device = {} if self.device is None else {"device": self.device.to_json()}
        return {
            "name": self.name,
            "architecture": self.architecture,
            "features": self.features,
            "code": self.code,
            **pool,
            **device,
            "workspace": {name: str(need) for name, need in self.workspace.items()},
            "plans": self.plans,
            "overwrites": {name: pairs for name, pairs in self.overwrites.items() if pairs},
        }

    @staticmethod
    def from_json(field: Field, entries: Mapping[str, Entry]) -> "Target":
        """The target that a manifest describes."""
        pool, device = field.get("pool"), field.get("device")
        needs = field["workspace"]
        return Target(
            field["name"].text(),
            field["architecture"].text(),
            field["features"].texts(),
            field["code"].text(),
            {name: read_size(needs[name], entry.ranges) for name, entry in entries.items()},
            None if pool is None else pool.text(),
            field["plans"].json(),
            _overwrites(field.get("overwrites"), entries),
            None if device is None else DeviceCode.from_json(device),
        )


def _overwrites(field: Field | None, entries: Mapping[str, Entry]) -> dict[str, Pairs]:
    """Of each entry, pairs of inputs and results, none of which is in two."""
    found: dict[str, Pairs] = {}
    for name, item in (field.members() if field else {}).items():
        pairs = tuple(_pair(each, entries.get(name)) for each in item.items())
        if any(len(set(side)) < len(pairs) for side in zip(*pairs, strict=True)):
            raise item.refusal("pairs of different inputs and results")
        found[name] = pairs
    return found


def _pair(field: Field, entry: Entry | None) -> tuple[int, int]:
    numbers = [item.count() for item in field.items()]
    if entry is None or len(numbers) != 2 or not entry.may_overwrite(*numbers):
        raise field.refusal("an input and a result of its type")
    return numbers[0], numbers[1]


@final
@dataclass(frozen=True, slots=True)
class Manifest:
    """What an artifact holds; targets stand best first, `members` are SHA-256 digests by name.

    `states` says how those are nested that are more than an array; `tuned` is the hash of the plans
    that were measured for it.
    """

    producer: str
    entries: Mapping[str, Entry]
    targets: tuple[Target, ...]
    members: Mapping[str, str] = field(default_factory=dict[str, str])
    minimum_runtime: int = RUNTIME
    states: Mapping[str, Nesting] = field(default_factory=dict[str, Nesting])
    tuned: str | None = None

    def to_json(self) -> bytes:
        """Canonical text: equal manifests give equal bytes."""
        document: Json = {
            "format": FORMAT,
            "minimum_runtime": self.minimum_runtime,
            "producer": self.producer,
            "byteorder": "little",
            "entries": {name: entry.to_json() for name, entry in self.entries.items()},
            "states": {name: state.to_json() for name, state in self.states.items()},
            "targets": [target.to_json() for target in self.targets],
            "members": self.members,
            **({} if self.tuned is None else {"tuned": self.tuned}),
        }
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return text.encode()

    @staticmethod
    def from_json(text: bytes, file: str) -> "Manifest":
        """The manifest in a text; LoadError SW0307 names the wrong field and `file`.

        Members that this runtime does not know are left out, so that newer ones may be added.
        """
        root = Field.parse(text, file)
        try:
            return Manifest._read(root)
        except RecursionError:
            raise LoadError("SW0307", f"{file}: it is nested too deeply") from None

    @staticmethod
    def _read(root: Field) -> "Manifest":
        if root["format"].count() != FORMAT:
            raise root["format"].refusal(f"{FORMAT}, as the first member says")
        root["byteorder"].choice(("little",))
        producer = root["producer"].text()
        minimum = root["minimum_runtime"].count()
        if minimum > RUNTIME:
            raise LoadError(
                "SW0305",
                f"{root.file} needs runtime {minimum}, and this is runtime {RUNTIME}",
                hint=f"install a newer stepwell; the file was made by {producer}",
            )
        entries = {name: Entry.from_json(item) for name, item in root["entries"].members().items()}
        if not entries:
            raise root["entries"].refusal("an entry point at least")
        targets = tuple(Target.from_json(item, entries) for item in root["targets"].items())
        members = {name: item.text() for name, item in root["members"].members().items()}
        leaves = [
            each.name for e in entries.values() for each in e.arguments if each.kind == "state"
        ]
        nested = root.get("states")
        states = {
            name: Nesting.from_json(item, leaves)
            for name, item in (nested.members() if nested else {}).items()
        }
        tuned = root.get("tuned")
        digest = None if tuned is None else tuned.text()
        return Manifest(producer, entries, targets, members, minimum, states, digest)
