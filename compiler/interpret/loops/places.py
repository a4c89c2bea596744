"""Errors of interpreted programs: what went wrong, in which op, from which line of the user."""

from xdsl.ir import Operation

from stepwell.compiler.dialects.locations import source_line
from stepwell.runtime.errors import CompileError

WIDEST = 160
"""Characters of an op's text in an error."""


def refuse(op: Operation, code: str, sentence: str) -> CompileError:
    """The error that this op makes in the interpreter."""
    where = source_line(op.location)
    return CompileError(code, f"{op.name}: {sentence}", details=[text(op)], where=where)


def text(op: Operation) -> str:
    """The first line of the op as printed, and its location."""
    line = str(op).split("\n", 1)[0]
    return f"{line[:WIDEST]} {op.location}"
