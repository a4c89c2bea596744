"""Errors of interpreted programs: what went wrong, in which op, from which line of the user."""

from stepwell.runtime.errors import CompileError, SourceLine
from xdsl.dialects.builtin import FileLineColLoc
from xdsl.ir import Attribute, Operation

WIDEST = 160
"""Characters of an op's text in an error."""


def refuse(op: Operation, code: str, sentence: str) -> CompileError:
    """The error that this op makes in the interpreter."""
    return CompileError(
        code, f"{op.name}: {sentence}", details=[text(op)], where=_source(op.location)
    )


def text(op: Operation) -> str:
    """The first line of the op as printed, and its location."""
    line = str(op).split("\n", 1)[0]
    return f"{line[:WIDEST]} {op.location}"


def _source(location: Attribute) -> SourceLine | None:
    if not isinstance(location, FileLineColLoc):
        return None
    column = location.column.data
    return SourceLine(location.filename.data, location.line.data, column, column + 1)
