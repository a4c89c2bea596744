"""Pages of documentation as programs: their Python runs, and what they show is compared or renewed.

The ```python fences of a page are one program, run from top to bottom. An ```output fence shows
what the Python above it printed since the last one. A dump, in an ```mlir, ```llvm or ```asm
fence, begins with a comment that holds the expression whose value it shows:

    // compiled.ir("loop")

A ```console fence holds commands, each after `$ `, and what they print. A fence that names a file
after its language (```toml tiny/pyproject.toml) is that file. A line `...` in a dump or an output
stands for any number of lines. The GPU of a page, `cuda`, is an emulated one.
"""

import contextlib
import functools
import io
import linecache
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import final
from unittest.mock import patch

from emulator.card import open_emulated
from stepwell.runtime.devices import registry

COMMENTS = {"mlir": "//", "llvm": ";", "asm": "#"}
PROMPT = "$ "
GAP = "..."


@final
@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, its text, and the number of its first line of text."""

    language: str
    lines: list[str]
    line: int
    file: str = ""
    """The file that it is, if it is one."""


@final
class DumpError(ValueError):
    """A dump that does not say which expression prints it, or a command that fails."""


@final
@dataclass
class Page:
    """A page that is run: one namespace, and what it printed and has not shown yet."""

    path: Path
    name: str
    namespace: dict[str, object] = field(default_factory=lambda: {"__name__": "__main__"})
    printed: io.StringIO = field(default_factory=io.StringIO)

    def check(self, fence: Fence) -> str | None:
        """Runs or compares one fence; what is wrong with it, if something is."""
        try:
            actual = self.shown(fence)
        except DumpError as error:
            return str(error)
        if actual is None or matches(actual, fence.lines):
            return None
        text = "\n".join(actual)
        return f"{self.name}:{fence.line}: `make docs` would show this instead:\n{text}"

    def shown(self, fence: Fence) -> list[str] | None:
        """Runs a fence of Python; of others the lines that they should hold, if that is known."""
        if fence.file:
            Path(fence.file).parent.mkdir(parents=True, exist_ok=True)
            Path(fence.file).write_text("\n".join(fence.lines) + "\n")
            return None
        if fence.language == "python":
            self.run(fence)
        if fence.language == "output":
            return trimmed(self.taken())
        if fence.language == "console":
            return list(_console(fence))
        if fence.language in COMMENTS:
            return self.dump(fence, COMMENTS[fence.language])
        return None

    def run(self, fence: Fence) -> None:
        """Runs a fence, each line under its number in the page, so that errors can show it."""
        text = self.path.read_text()
        lines = text.splitlines(keepends=True)
        linecache.cache[self.name] = (len(text), None, lines, self.name)
        source = "\n" * (fence.line - 1) + "\n".join(fence.lines) + "\n"
        openers = patch.dict(registry._openers, {registry.CUDA: _card})
        with contextlib.redirect_stdout(self.printed), openers, patch.dict(registry._open):
            exec(compile(source, self.name, "exec"), self.namespace)

    def taken(self) -> str:
        text = self.printed.getvalue()
        self.printed = io.StringIO()
        return text

    def dump(self, fence: Fence, comment: str) -> list[str]:
        first = fence.lines[0] if fence.lines else ""
        if not first.startswith(comment):
            raise DumpError(
                f"{self.name}:{fence.line}: a dump begins with the expression that prints it, "
                f'such as `{comment} compiled.ir("loop")`'
            )
        value = eval(first.removeprefix(comment).strip(), self.namespace)
        return [first, *trimmed(str(value))]


def refreshed(page: Page) -> str:
    """The page's text with the outputs and dumps of today; those with a gap stay as they are."""
    lines = page.path.read_text().splitlines()
    shown = [(fence, page.shown(fence)) for fence in fences("\n".join(lines))]
    for old, new in reversed(shown):
        if new is not None and GAP not in map(str.strip, old.lines):
            lines[old.line - 1 : old.line - 1 + len(old.lines)] = new
    return "\n".join(lines) + "\n"


def fences(text: str) -> Iterator[Fence]:
    """The fenced blocks of a page. Raises ValueError for one that is not closed."""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if line.startswith("```"):
            language, _, file = line[3:].strip().partition(" ")
            yield Fence(language, list(_until_closed(lines, number)), number + 1, file)


def matches(actual: list[str], shown: list[str]) -> bool:
    """Whether the lines are those shown, where `...` stands for any number of lines."""
    if not shown:
        return not actual
    if shown[0].strip() == GAP:
        return any(matches(actual[start:], shown[1:]) for start in range(len(actual) + 1))
    return bool(actual) and actual[0] == shown[0].rstrip() and matches(actual[1:], shown[1:])


def trimmed(text: str) -> list[str]:
    """The lines without blanks at their ends and without empty lines around them."""
    return [line.rstrip() for line in text.strip("\n").splitlines()]


_card = functools.cache(open_emulated)


def _console(fence: Fence) -> Iterator[str]:
    """The commands of a fence, each with what it prints; those of this environment come first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    for line in fence.lines:
        if line.startswith(PROMPT):
            done = subprocess.run(
                line.removeprefix(PROMPT),
                shell=True,
                env={**os.environ, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            if done.returncode:
                raise DumpError(f"line {fence.line}: `{line}` failed:\n{done.stdout}")
            yield from [line, *trimmed(done.stdout)]


def _until_closed(lines: Iterator[tuple[int, str]], opened: int) -> Iterator[str]:
    for _, line in lines:
        if line.startswith("```"):
            return
        yield line
    raise ValueError(f"the fence of line {opened} is not closed")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        path = Path(argument).absolute()
        with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
            path.write_text(refreshed(Page(path, argument)))
