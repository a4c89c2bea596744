"""The dump: a folder of numbered files for each compilation, where `STEPWELL_DUMP` asks for it."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import final

from stepwell.runtime import system
from stepwell.runtime.errors import CompileError

VARIABLE = "STEPWELL_DUMP"
"""The environment variable that names the folder of all compilations."""

LONGEST = 48
"""Characters of the entry points' names in the name of a folder."""


@final
@dataclass
class Dump:
    """Where the stages of one program go: `parent/0001-name/machine/00-tensor.mlir`."""

    parent: Path
    name: str
    folder: Path | None = None
    """That of this program, once something was written."""

    @staticmethod
    def from_environment(entries: Iterable[str]) -> "Dump | None":
        """The dump of a program with these entry points, if one is asked for."""
        parent = os.environ.get(VARIABLE)
        return Dump(Path(parent), "+".join(entries)[:LONGEST]) if parent else None

    def write(self, machine: str, file: str, text: str) -> None:
        """Writes a file for a machine, whole or not at all (CompileError SW0317)."""
        try:
            self.folder = self.folder or _numbered(self.parent, self.name)
            (self.folder / machine).mkdir(exist_ok=True)
            with system.whole_file(self.folder / machine / file) as stream:
                stream.write(text.encode())
        except OSError as error:
            sentence = f"{VARIABLE}: {self.folder or self.parent} cannot be written"
            raise CompileError("SW0317", f"{sentence}: {error.strerror}") from None


def _numbered(parent: Path, name: str) -> Path:
    """A new folder, with the number behind those that are there: other processes may add some."""
    parent.mkdir(parents=True, exist_ok=True)
    found = (re.match(r"(\d+)-", each.name) for each in parent.iterdir())
    for number in count(max((int(each[1]) for each in found if each), default=0) + 1):
        folder = parent / f"{number:04}-{name}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("numbers do not end")
