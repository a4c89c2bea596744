"""The errors that reach a user: a code, one sentence, the user's own line, facts and a way out."""

import linecache
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

LONGEST = 15
"""Lines of the longest message: details beyond it are cut."""


@final
@dataclass(frozen=True, slots=True)
class SourceLine:
    """A place in a user's Python file: lines count from 1, columns from 0, the end is exclusive."""

    file: str
    line: int
    column: int
    end_column: int

    def render(self) -> list[str]:
        """The arrow line, and where the file can still be read its text with a caret below."""
        arrow = f"  --> {self.file}:{self.line}"
        text = linecache.getline(self.file, self.line).rstrip()
        if not text.strip():
            return [arrow]
        stripped = text.lstrip()
        indent = len(text) - len(stripped)
        start = max(self.column - indent, 0)
        width = max(min(self.end_column, len(text)) - self.column, 1)
        return [arrow, f"   |     {stripped}", f"   |     {' ' * start}{'^' * width}"]


class StepwellError(Exception):
    """What a user sees when something is wrong: `code` (`SWnnnn`) and one `sentence` always."""

    def __init__(
        self,
        code: str,
        sentence: str,
        *,
        details: Sequence[str] = (),
        hint: str | None = None,
        where: SourceLine | None = None,
    ) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence
        self.details = tuple(details)
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        head = [f"{self.code}: {self.sentence}", *(self.where.render() if self.where else ())]
        tail = [f"  help: {self.hint}"] if self.hint else []
        details = [f"  {line}" for detail in self.details for line in detail.splitlines()]
        room = LONGEST - len(head) - len(tail)
        if len(details) > room:
            details = [*details[: room - 1], "  …"]
        return "\n".join([*head, *details, *tail])

    def __reduce__(self) -> tuple[object, ...]:
        """Pickles with its keyword arguments, so that process pools can pass an error on."""
        rest = {"details": self.details, "hint": self.hint, "where": self.where}
        return partial(type(self), **rest), (self.code, self.sentence)


@final
class CompileError(StepwellError):
    """A program that cannot be traced, differentiated or compiled (SW01xx, SW02xx)."""


@final
class LoadError(StepwellError):
    """A file that is no `.well` file for this runtime and this machine (SW03xx)."""


@final
class CallError(StepwellError):
    """A call whose arguments do not fit, or that failed while it ran (SW04xx)."""
