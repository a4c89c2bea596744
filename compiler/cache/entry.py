"""An entry of the cache as bytes: its own SHA-256, a header in JSON, and an object file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

from stepwell.compiler.cache.key import Key, Kind
from stepwell.runtime.errors import LoadError
from stepwell.runtime.fields import Field, Json

MAGIC: Final = b"stepwell cache 1\n"
DIGEST: Final = 64
KINDS: Final[tuple[Kind, ...]] = ("image", "support")


@final
@dataclass(frozen=True)
class Header:
    """What stands in front of the code: the key, when the entry was made (ns), and other data."""

    key: Key
    made: int
    data: Field

    @staticmethod
    def parse(line: bytes) -> "Header | None":
        """The header in a line of a file; None if it is something else."""
        try:
            root = Field.parse(line, "an entry of the cache")
            fields = {name: each.text() for name, each in root["fields"].members().items()}
            key = Key(root["kind"].choice(KINDS), fields)
            return Header(key, root["made"].count(), root["data"])
        except LoadError:
            return None


@final
@dataclass(frozen=True)
class Entry:
    """A header and its code."""

    header: Header
    code: bytes

    @staticmethod
    def parse(content: bytes) -> "Entry | None":
        """The entry that a file holds; None unless every byte is there as it was written."""
        start = len(MAGIC) + DIGEST + 1
        if content[:start] != MAGIC + _digest(memoryview(content)[start:]) + b"\n":
            return None
        end = content.find(b"\n", start)
        header = Header.parse(content[start:end])
        return header and Entry(header, content[end + 1 :])


def pack(key: Key, made: int, data: Mapping[str, Json], code: bytes) -> bytes:
    """The bytes of an entry."""
    header = {"kind": key.kind, "fields": key.fields, "made": made, "data": data}
    rest = json.dumps(header, separators=(",", ":")).encode() + b"\n" + code
    return MAGIC + _digest(rest) + b"\n" + rest


def _digest(content: bytes | memoryview) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
