"""The compiler's own hash follows its sources, and is none where they are not what runs."""

import os
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from stepwell.compiler.cache import sources


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Two folders in the place of the compiler's and the runtime's."""
    folders = [tmp_path / "one" / "compiler", tmp_path / "one" / "runtime"]
    for folder in folders:
        (folder / "inner").mkdir(parents=True)
        (folder / "a.py").write_text("a")
        (folder / "inner" / "b.py").write_text("b")
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__" / "c.py").write_text("no source")
    monkeypatch.setattr(sources, "FOLDERS", tuple(map(str, folders)))
    monkeypatch.setattr(sources, "IMPORTED", time.time_ns() + 10**12)
    sources.compiler.cache_clear()
    yield folders
    sources.compiler.cache_clear()


def now() -> str | None:
    sources.compiler.cache_clear()
    return sources.compiler()


def test_it_follows_names_and_contents(folders: list[Path]) -> None:
    before = now()
    assert before is not None
    (folders[0] / "notes.txt").write_text("no source")
    (folders[0] / "__pycache__" / "d.py").write_text("no source")
    os.utime(folders[0] / "a.py", (0, 0))
    assert now() == before
    (folders[0] / "a.py").rename(folders[0] / "c.py")
    renamed = now()
    (folders[0] / "c.py").write_text("c")
    assert len({before, renamed, now()}) == 3


def test_the_place_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = now()
    (tmp_path / "one").rename(tmp_path / "another")
    there = tuple(str(tmp_path / "another" / name) for name in ("compiler", "runtime"))
    monkeypatch.setattr(sources, "FOLDERS", there)
    assert now() == before


def test_sources_newer_than_the_process_are_not_what_it_runs(
    folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "IMPORTED", time.time_ns() - 10**12)
    assert now() is None


def test_without_files_nobody_knows(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "stepwell.zip"):
        monkeypatch.setattr(sources, "FOLDERS", (str(folders[0]), str(folder)))
        assert now() is None


def test_versions_are_those_that_are_installed() -> None:
    libraries = sources.libraries()
    assert libraries is not None
    assert libraries["xdsl"] == version("xdsl")
    assert libraries["llvmlite"] == version("llvmlite")
    assert libraries["llvm"].count(".") == 2
