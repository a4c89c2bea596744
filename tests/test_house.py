"""The habits of the house that a program can check."""

import ast
import re
import tokenize
from collections.abc import Iterable
from pathlib import Path

from source_tree import OTHERS, PACKAGES, ROOT, expect_none, python_files

LONGEST_FILE = 600
LARGEST_CORE = 21_000
CORE = [
    "runtime",
    *(f"compiler/{room}" for room in ("machines", "dialects", "ops", "autodiff", "batching")),
    *(f"compiler/{room}" for room in ("passes", "lower", "targets")),
]
SUPPORT = {ROOT / "compiler" / "targets" / "support"}
GPU = {
    ROOT / "runtime" / "devices",
    *(
        ROOT / "compiler" / room
        for room in ("lower/grids", "dialects/gpu", "machines/gpu", "targets/gpu")
    ),
}
LARGEST_GPU = 5_000
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
VAGUE = {"utils", "util", "helpers", "helper", "common", "core", "misc"}
OPEN = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b|NotImplemented" r"Error")
SILENCED = re.compile(r"#\s*(type|pyright|basedpyright):\s*ignore")
SENTENCE = re.compile(r"[^\n](?:[^\n]|\n(?!\n))*[.!?`](\n\n|$)")
MACHINE = re.compile(r"(?<![\w.])/(home|root|work|Users|mnt)/")
TEXTS = {".py", ".md", ".mlir", ".toml", ".txt", ".yml", ".yaml", ".sh", ""}


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in files()}
    expect_none(
        f"{place(path)}: {length} lines; find the seam"
        for path, length in lengths.items()
        if length > LONGEST_FILE
    )


def test_modules_say_what_they_are() -> None:
    expect_none(
        f"{place(path)}: begin with a docstring of one sentence that says what this module is"
        for path in files()
        if not SENTENCE.match(ast.get_docstring(ast.parse(path.read_text())) or "")
    )


def test_names_say_something() -> None:
    expect_none(
        f"{place(path)}: {part!r} does not say what is in it"
        for path in files()
        for part in path.relative_to(ROOT).with_suffix("").parts
        if part in VAGUE
    )


def test_nothing_is_left_open_or_silenced() -> None:
    expect_none(
        f"{place(path, number)}: {line.strip()}"
        for path in files()
        for number, line in numbered(path)
        if OPEN.search(line) or SILENCED.search(line)
    )


def test_no_paths_of_one_machine() -> None:
    expect_none(
        f"{place(path, number)}: {line.strip()}"
        for path in text_files()
        for number, line in numbered(path)
        if MACHINE.search(line) and path != Path(__file__)
    )


def test_the_core_can_be_read_in_a_weekend() -> None:
    """Lines of code, as docs/decisions/0007-what-the-core-counts.md says."""
    paths = [path for room in CORE for path in (ROOT / room).rglob("*.py")]
    lines = sum(code_lines(path) for path in paths if not (SUPPORT | GPU) & set(path.parents))
    assert 15_000 < lines < LARGEST_CORE


def test_the_rooms_of_gpus_can_be_read_in_a_day() -> None:
    """docs/decisions/0026-a-grid-is-the-gpus-parallel.md says why they are counted apart."""
    lines = sum(code_lines(path) for room in GPU for path in room.rglob("*.py"))
    assert lines < LARGEST_GPU


def files() -> Iterable[Path]:
    """Every Python file that people read."""
    return python_files(*PACKAGES, *OTHERS)


def place(path: Path, line: int | None = None) -> str:
    return f"{path.relative_to(ROOT)}:{line}" if line else str(path.relative_to(ROOT))


def code_lines(path: Path) -> int:
    """The lines of a file that hold code: neither empty, nor a comment, nor documentation."""
    with tokenize.open(path) as file:
        tokens = [each for each in tokenize.generate_tokens(file.readline) if each.string.strip()]
    code = {
        number
        for token in tokens
        if token.type not in LAYOUT
        for number in range(token.start[0], token.end[0] + 1)
    }
    texts = (each for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.Expr))
    documented = {
        number
        for each in texts
        if isinstance(each.value, ast.Constant) and isinstance(each.value.value, str)
        for number in range(each.lineno, (each.end_lineno or each.lineno) + 1)
    }
    return len(code - documented)


def numbered(path: Path) -> Iterable[tuple[int, str]]:
    return enumerate(path.read_text().splitlines(), 1)


def text_files() -> Iterable[Path]:
    """Files at the top of the project and in its folders, other than what tools leave behind."""
    folders = (*PACKAGES, *OTHERS, "docs", "requirements", ".ci")
    yield from (path for path in sorted(ROOT.iterdir()) if path.is_file())
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXTS and "__pycache__" not in path.parts:
                yield path
