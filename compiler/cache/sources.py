"""What compiles: the hash of the compiler's own sources, and the libraries that it stands on."""

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import llvmlite
import xdsl
from llvmlite import binding

from stepwell.compiler import IMPORTED
from stepwell.runtime import __file__ as _runtime

FOLDERS = (str(Path(__file__).parents[1]), str(Path(_runtime).parent))


@cache
def compiler() -> str | None:
    """The SHA-256 of the sources, some 200 files; None if they are not what this process runs.

    They are read when the first program is compiled: whatever was written since the process began
    to import them it may have in an older form.
    """
    digest = hashlib.sha256()
    for folder in FOLDERS:
        for path, changed in sorted(_files(folder)):
            if changed >= IMPORTED:
                return None
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
    }


def _installed(name: str, folder: Path) -> str | None:
    """The version of a package beside which pip noted it: `importlib.metadata` loads for 30 ms."""
    notes = (each for each in os.listdir(folder) if each.startswith(f"{name}-"))
    note = next((each for each in notes if each.endswith(".dist-info")), None)
    return note and note.removeprefix(f"{name}-").removesuffix(".dist-info")
