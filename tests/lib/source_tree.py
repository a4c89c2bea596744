"""The project's own files, for the tests that hold the house in order."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import final

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"frontend": "stepwell", "compiler": "stepwell.compiler", "runtime": "stepwell.runtime"}
"""Top-level folders that are packages, and the names they are imported by."""
OTHERS = ("tests", "filecheck", "examples", "benchmarks")


@final
@dataclass(frozen=True)
class Module:
    """A Python file of the package."""

    path: Path
    name: str

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.path)


def expect_none(breaches: Iterable[str]) -> None:
    """Fails with all of `breaches`, one in a line."""
    found = list(breaches)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@cache
def modules() -> dict[str, Module]:
    """The package's modules by name."""
    return {
        _name(path, folder, package): Module(path, _name(path, folder, package))
        for folder, package in PACKAGES.items()
        for path in python_files(folder)
    }


def python_files(*folders: str) -> Iterator[Path]:
    """The Python files below top-level folders, in order."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def _name(path: Path, folder: str, package: str) -> str:
    parts = path.relative_to(ROOT / folder).with_suffix("").parts
    return ".".join((package, *(part for part in parts if part != "__init__")))
