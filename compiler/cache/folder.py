"""The folder of the cache: files that are written at once, and of which the oldest go first."""

import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from stepwell.compiler.cache.entry import DIGEST, MAGIC, Entry, Header, pack
from stepwell.compiler.cache.key import Key
from stepwell.runtime.errors import CompileError
from stepwell.runtime.fields import Json

PLACE: Final = "STEPWELL_CACHE"
"""The environment variable that names the folder, or is `off`."""
LIMIT: Final = "STEPWELL_CACHE_LIMIT"
"""The environment variable for the bytes that all entries may have together: `512M`, `2G`."""
DEFAULT_LIMIT: Final = "1G"

_SIZE = re.compile(r"(\d{1,15})([KMGT]?)")
_NAME = re.compile(r"[0-9a-f]{32}\.(image|support)")
_UNFINISHED = re.compile(r"\.[0-9a-f]{32}\.[0-9a-f]{16}")
ABANDONED = 3600
"""Seconds after which a file that was not finished belongs to a process that is no more."""


@dataclass(frozen=True)
class File:
    """An entry's file: its size in bytes, and when it was last written or read, in ns."""

    path: Path
    size: int
    used: int


@final
@dataclass(frozen=True)
class Folder:
    """A folder whose entries together have at most `limit` bytes.

    Entries are files of their own, named by their keys: the folder may be copied, and so may parts
    of it. A file that cannot be read or written is as good as none.
    """

    path: Path
    limit: int

    @staticmethod
    def from_environment() -> "Folder | None":
        """The folder of this process, which need not be there yet; None if there is to be none.

        Raises CompileError SW0260 if the limit is no size.
        """
        place = os.environ.get(PLACE)
        if place == "off":
            return None
        try:
            path = Path(place).expanduser() if place else default_place()
        except RuntimeError:  # nobody knows where this user is at home
            return None
        return Folder(path, _limit(os.environ.get(LIMIT) or DEFAULT_LIMIT))

    def read(self, key: Key) -> Entry | None:
        """The entry of a key, which is now the one that was used last."""
        path = self._path(key)
        try:
            entry = Entry.parse(path.read_bytes())
        except OSError:
            return None
        if entry is None or entry.header.key != key:
            return None
        with suppress(OSError):  # of a folder that others may only read
            os.utime(path)
        return entry

    def write(self, key: Key, data: Mapping[str, Json], code: bytes) -> None:
        """Puts an entry into the folder, and drops the oldest if there are too many now."""
        content = pack(key, time.time_ns(), data, code)
        with suppress(OSError):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.put(self._path(key), content)
            self._shrink()

    def put(self, path: Path, content: bytes) -> None:
        """Writes a file aside and gives it its name when it is whole (OSError)."""
        aside = self.path / f".{path.stem}.{secrets.token_hex(8)}"
        try:
            aside.write_bytes(content)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)

    def files(self) -> list[File]:
        """The entries' files, those first that have not been used for longest."""
        found = [File(Path(e.path), s.st_size, s.st_mtime_ns) for e, s in self._scan(_NAME)]
        return sorted(found, key=lambda each: (each.used, each.path))

    def clear(self) -> list[File]:
        """Removes all entries, and nothing else that is in the folder."""
        files = self.files()
        for each in files:
            _remove(each.path)
        return files

    def _path(self, key: Key) -> Path:
        return self.path / f"{key.digest}.{key.kind}"

    def _shrink(self) -> None:
        files = self.files()
        total = sum(each.size for each in files)
        for each in files:
            if total <= self.limit:
                break
            _remove(each.path)
            total -= each.size
        for entry, status in self._scan(_UNFINISHED):
            if status.st_mtime < time.time() - ABANDONED:
                _remove(Path(entry.path))

    def _scan(self, name: re.Pattern[str]) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
        """The files of such names; one that another process removes meanwhile is left out."""
        try:
            entries = list(os.scandir(self.path))
        except OSError:
            return
        for entry in entries:
            with suppress(OSError):
                if name.fullmatch(entry.name):
                    yield entry, entry.stat()


def header_of(path: Path) -> Header | None:
    """An entry's header, of which only the form is checked."""
    try:
        with path.open("rb") as file:
            if file.readline(len(MAGIC)) != MAGIC:
                return None
            file.seek(DIGEST + 1, os.SEEK_CUR)
            return Header.parse(file.readline())
    except OSError:
        return None


def default_place() -> Path:
    """`stepwell` in the user's folder for caches, as XDG has it (RuntimeError without a home)."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "stepwell"


def _limit(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise CompileError("SW0260", f"{LIMIT}: expected a size such as 512M, got {text!r}")
    number, unit = found.groups()
    return int(number) << 10 * " KMGT".index(unit or " ")


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
