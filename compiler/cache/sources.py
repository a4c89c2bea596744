"""What compiles: the hash of the compiler's own sources, and the libraries that it stands on."""

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import llvmlite
import numpy as np
import xdsl
from llvmlite import binding

from stepwell.compiler import IMPORTED
from stepwell.runtime import __file__ as _runtime

FOLDERS = (str(Path(__file__).parents[1]), str(Path(_runtime).parent))


@cache
def compiler() -> str | None:
    """The SHA-256 of the sources, some 200 files; None if they are not what this process runs.

    They are read when the first program is compiled: whatever was written since the process began
    to import them it may have in an older form. Where they are not files at all, nobody knows.
    """
    try:
        return _hash([(folder, sorted(_files(folder))) for folder in FOLDERS])
    except OSError:
        return None


def _hash(folders: Iterable[tuple[str, Sequence[tuple[str, int]]]]) -> str | None:
    """The hash of files by their places in folders; None if one is too new, or a folder empty."""
    digest = hashlib.sha256()
    for folder, files in folders:
        if not files or max(changed for _, changed in files) >= IMPORTED:
            return None
        for path, _ in files:
            with open(path, "rb", buffering=0) as file:
                content = file.read()
            digest.update(f"{path[len(folder) :]} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def _files(folder: str) -> Iterator[tuple[str, int]]:
    """The Python files in a folder, with the time of their last change in ns."""
    for entry in os.scandir(folder):
        if entry.name.endswith(".py"):
            status = entry.stat()
            yield entry.path, max(status.st_mtime_ns, status.st_ctime_ns)
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from _files(entry.path)


@cache
def libraries() -> dict[str, str] | None:
    """The versions of what the compiler is made with; None for an xDSL that was not installed."""
    xdsl_version = _installed("xdsl", Path(xdsl.__file__).parents[1])
    if xdsl_version is None:
        return None
    return {
        "llvm": ".".join(map(str, binding.llvm_version_info)),
        "llvmlite": llvmlite.__version__,
        "xdsl": xdsl_version,
        "numpy": np.__version__,
        "python": ".".join(map(str, sys.version_info[:2])),
    }


def _installed(name: str, folder: Path) -> str | None:
    """The version of a package beside which pip noted it: `importlib.metadata` loads for 30 ms."""
    note = next(folder.glob(f"{name}-*.dist-info"), None)
    return note and note.name.removeprefix(f"{name}-").removesuffix(".dist-info")
