"""`stepwell cache` says what is there, why it was compiled, and hands it on."""

from collections.abc import Callable
from pathlib import Path

import pytest

import stepwell as sw
from stepwell.cli import main
from stepwell.compiler.machines.x86 import X86_64_V3

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEPWELL_CACHE", str(tmp_path / "cache"))
    # Whoever edits the compiler while its tests run would turn the cache off.
    monkeypatch.setattr("stepwell.compiler.cache.key.compiler", lambda: "of these tests")
    return tmp_path / "cache"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """What `stepwell cache` prints, or the error that it ends with."""

    def run(*arguments: str) -> str:
        status = main(["cache", *arguments])
        said = capsys.readouterr()
        assert status == bool(said.err)
        return said.err or said.out

    return run


def add(scale: float = 1.0, target: str = X86_64_V3.name) -> None:
    def add(x: sw.Array) -> sw.Array:
        return x + scale

    sw.compile(add, "f32[B]", target=target)


def test_an_empty_cache(run: Run, folder: Path) -> None:
    assert run("ls") == f"{folder}: 0 entries, 0 bytes of {1 << 30}\n"
    assert run("clear") == f"{folder}: removed 0 entries, 0 bytes\n"
    nothing = f"SW0510: there is no entry in {folder}\n  help: see stepwell cache ls\n"
    assert run("why") == nothing


def test_entries_are_listed(run: Run, folder: Path) -> None:
    add(1)
    add(2)
    *entries, total = run("ls").splitlines()
    assert len(entries) == 2
    (file,) = (each for each in folder.iterdir() if each.name.startswith(entries[0][:8]))
    assert f" {file.stat().st_size}  20" in entries[0]
    assert entries[0].endswith("x86-64-v3  add(f32[B]) -> (f32[B])")
    assert total.startswith(f"{folder}: 2 entries, ")


def test_why_names_the_field_that_differs(run: Run) -> None:
    add(1)
    first = run("ls")[:8]
    said = f"{first}  add(f32[B]) -> (f32[B])\n"
    assert run("why") == f"{said}  was compiled when there was nothing of its kind\n"
    add(2)
    title, although, field, here, there = run("why").splitlines()
    assert title.endswith("add(f32[B]) -> (f32[B])")
    assert although == f"  was compiled although there was {first}, which differs in"
    assert field == "    operations"
    assert here.startswith("      here   ")
    assert there.startswith("      there  ")
    assert run("why", first).startswith(said)
    assert "SW0510: there is no entry zz in" in run("why", "zz")


def test_why_compares_with_what_is_most_alike(run: Run) -> None:
    add(1)
    first = run("ls")[:8]
    sw.compile(lambda x, y: x * y, "f64[3]", "f64[3]", target="x86-64-v4")
    add(2)
    assert f"although there was {first}, " in run("why")


def test_why_names_the_machine(run: Run) -> None:
    add(target="x86-64-v3")
    add(target="x86-64-v4")
    lines = run("why").splitlines()
    assert "    machine.name" in lines
    assert "      here   x86-64-v4" in lines
    assert "      there  x86-64-v3" in lines
    assert "    operations" not in lines


def test_what_is_exported_is_a_cache(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    there = tmp_path / "there"
    assert run("export", str(there)).startswith(f"{there}: 1 entry, ")
    listed = run("ls").splitlines()[0]
    assert run("clear").endswith(": removed 1 entry, " + size_of(listed) + " bytes\n")
    monkeypatch.setenv("STEPWELL_CACHE", str(there))
    assert run("ls").split()[0] == listed.split()[0]
    (tmp_path / "file").write_text("no folder")
    refused = run("export", str(tmp_path / "file"))
    assert refused == f"SW0317: {tmp_path / 'file'} cannot be written: File exists\n"


def size_of(line: str) -> str:
    """The bytes in a line of `ls`."""
    return line.split()[1]


def test_without_a_cache(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_CACHE", "off")
    said = "SW0509: the cache is off\n  help: see STEPWELL_CACHE in the environment\n"
    for command in ("ls", "why", "clear"):
        assert run(command) == said
