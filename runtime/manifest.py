"""The manifest: everything about an artifact but its bytes, as typed data and as canonical JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, final

from stepwell.runtime.entry import Entry, read_size
from stepwell.runtime.errors import LoadError
from stepwell.runtime.fields import Field, Json
from stepwell.runtime.sizes import Size

FORMAT: Final = 1
"""The format of artifacts that this runtime writes, and the newest that it reads."""

RUNTIME: Final = 1
"""The runtime's version, which an artifact's `minimum_runtime` is compared with."""


@final
@dataclass(frozen=True, slots=True)
class Target:
    """Code for one kind of processor, which has all of `features` (LLVM's names).

    `code` and `pool` are names of members; `workspace` is each entry's need, in bytes.
    """

    name: str
    architecture: str
    features: tuple[str, ...]
    code: str
    workspace: Mapping[str, Size]
    pool: str | None = None
    plans: Json = field(default_factory=dict[str, Json])

    def to_json(self) -> Json:
        """The target as it stands in a manifest."""
        pool: dict[str, Json] = {} if self.pool is None else {"pool": self.pool}
        return {
            "name": self.name,
            "architecture": self.architecture,
            "features": self.features,
            "code": self.code,
            **pool,
            "workspace": {name: str(need) for name, need in self.workspace.items()},
            "plans": self.plans,
        }

    @staticmethod
    def from_json(field: Field, entries: Mapping[str, Entry]) -> "Target":
        """The target that a manifest describes."""
        pool = field.get("pool")
        needs = field["workspace"]
        return Target(
            field["name"].text(),
            field["architecture"].text(),
            field["features"].texts(),
            field["code"].text(),
            {name: read_size(needs[name], entry.symbols) for name, entry in entries.items()},
            None if pool is None else pool.text(),
            field["plans"].json(),
        )


@final
@dataclass(frozen=True, slots=True)
class Manifest:
    """What an artifact holds; targets stand best first, `members` are SHA-256 digests by name."""

    producer: str
    entries: Mapping[str, Entry]
    targets: tuple[Target, ...]
    members: Mapping[str, str] = field(default_factory=dict[str, str])
    minimum_runtime: int = RUNTIME

    def to_json(self) -> bytes:
        """Canonical text: equal manifests give equal bytes."""
        document: Json = {
            "format": FORMAT,
            "minimum_runtime": self.minimum_runtime,
            "producer": self.producer,
            "byteorder": "little",
            "entries": {name: entry.to_json() for name, entry in self.entries.items()},
            "targets": [target.to_json() for target in self.targets],
            "members": self.members,
        }
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return text.encode()

    @staticmethod
    def from_json(text: bytes, file: str) -> "Manifest":
        """The manifest in a text; LoadError SW0307 names the wrong field and `file`.

        Members that this runtime does not know are left out, so that newer ones may be added.
        """
        root = Field.parse(text, file)
        root["byteorder"].choice(("little",))
        producer = root["producer"].text()
        minimum = root["minimum_runtime"].count()
        if minimum > RUNTIME:
            raise LoadError(
                "SW0305",
                f"{file} needs runtime {minimum}, and this is runtime {RUNTIME}",
                hint=f"install a newer stepwell; the file was made by {producer}",
            )
        entries = {name: Entry.from_json(item) for name, item in root["entries"].members().items()}
        targets = tuple(Target.from_json(item, entries) for item in root["targets"].items())
        members = {name: item.text() for name, item in root["members"].members().items()}
        return Manifest(producer, entries, targets, members, minimum)
