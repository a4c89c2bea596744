"""The artifact: one `.well` file, opened without copying it, each member checked before its use.

The first member identifies the format and holds the manifest's SHA-256, and the manifest holds that
of every other member.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, final

from stepwell.runtime import container, system
from stepwell.runtime.errors import LoadError
from stepwell.runtime.manifest import FORMAT, Manifest

IDENTIFICATION: Final = "stepwell"
MANIFEST: Final = "manifest.json"
WEIGHTS: Final = "weights.safetensors"
SAMPLES: Final = "samples.safetensors"

IDENTIFIED: Final = re.compile(
    rb"PK\x03\x04.{26}stepwell.{,70}?"
    rb"stepwell artifact ([1-9]\d{,8})\n(?:manifest sha256 (\w{64})\n)?",
    re.DOTALL,
)
"""The begin of an artifact: a zip's first header, and the first member's text."""


def write(path: str | Path, manifest: Manifest, members: Mapping[str, bytes]) -> None:
    """Writes an artifact whole or not at all; `manifest.members` is filled in here.

    The bytes depend on nothing but the arguments: members stand in the order of their names.
    A file that cannot be written is a LoadError SW0317.
    """
    ordered = dict(sorted(members.items()))
    digests = {name: _sha256(data) for name, data in ordered.items()}
    text = replace(manifest, members=digests).to_json()
    identification = f"stepwell artifact {FORMAT}\nmanifest sha256 {_sha256(text)}\n".encode()
    try:
        with system.whole_file(Path(path)) as file:
            container.write(file, {IDENTIFICATION: identification, MANIFEST: text, **ordered})
    except OSError as error:
        raise LoadError("SW0317", f"{path} cannot be written: {error.strerror}") from None


@final
class Artifact:
    """An open artifact: its manifest, and the bytes of its members."""

    def __init__(self, data: memoryview, name: str) -> None:
        """Opens the bytes of an artifact; `name` stands for it in errors."""
        self.name = name
        digest = _identify(data, name)
        try:
            self._members = container.read(data)
        except container.Garbled:
            raise self._damaged("it ends too early, or its directory is garbled") from None
        self._members.pop(IDENTIFICATION, None)
        text = self._members.pop(MANIFEST, memoryview(b""))
        self._check(MANIFEST, text, digest)
        self.manifest = Manifest.from_json(bytes(text), f"{name}: {MANIFEST}")
        for member in sorted(self._members.keys() ^ self.manifest.members.keys()):
            raise self._damaged(f"{member} is not both a member and in the manifest")

    @staticmethod
    def open(source: str | Path | bytes) -> "Artifact":
        """Opens a file, which stays mapped, or the bytes of one."""
        if isinstance(source, bytes):
            return Artifact(memoryview(source), "the artifact")
        try:
            return Artifact(system.map_file(Path(source)), str(source))
        except OSError as error:
            raise LoadError("SW0301", f"{source} cannot be read: {error.strerror}") from None

    def __contains__(self, member: str) -> bool:
        return member in self._members

    def read(self, member: str, *, check: bool = True) -> memoryview:
        """A member's bytes, which are compared with its SHA-256 unless `check` is False."""
        if member not in self._members:
            raise self._damaged(f"{member} is missing")
        content = self._members[member]
        if check:
            self._check(member, content, self.manifest.members[member])
        return content

    def check(self) -> None:
        """Compares every member with its SHA-256."""
        for member in self._members:
            self.read(member)

    def _check(self, member: str, content: memoryview, digest: str) -> None:
        if _sha256(content) != digest:
            raise LoadError(
                "SW0306", f"{self.name} is damaged: {member} does not have its SHA-256 any more"
            )

    def _damaged(self, reason: str) -> LoadError:
        return LoadError("SW0303", f"{self.name} is damaged: {reason}")


def _sha256(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def _identify(data: memoryview, name: str) -> str:
    """The manifest's SHA-256, if the bytes begin like an artifact in a format that is known."""
    found = IDENTIFIED.match(data[:256])
    if found is None:
        raise LoadError("SW0302", f"{name} is not a stepwell artifact")
    if int(found[1]) > FORMAT:
        raise LoadError(
            "SW0304",
            f"{name} has format {int(found[1])}, and this runtime reads formats up to {FORMAT}",
            hint="install a newer stepwell",
        )
    return (found[2] or b"").decode(errors="replace")
