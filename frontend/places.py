"""Where in the user's code something happens: the frame that is theirs, with its columns."""

import contextlib
import functools
from collections.abc import Generator
from inspect import currentframe
from pathlib import Path
from types import CodeType, FrameType

from xdsl.dialects.builtin import UNKNOWN_LOC, LocationAttr

from stepwell.compiler import __file__ as _compiler
from stepwell.compiler.dialects.locations import file_location
from stepwell.runtime import __file__ as _runtime
from stepwell.runtime.errors import SourceLine, StepwellError

_OWN = (
    *(str(Path(file or "").parent) for file in (__file__, _compiler, _runtime)),
    contextlib.__file__,
    functools.__file__,
)
"""Frames of these files are not the user's."""


def user_location() -> LocationAttr:
    """The location of the innermost line of the user's, on the stack of this call."""
    frame = _user_frame(currentframe())
    if frame is None:
        return UNKNOWN_LOC
    return _location(frame.f_code, frame.f_lasti)


def user_line() -> SourceLine | None:
    """The same, with its columns, for an error."""
    frame = _user_frame(currentframe())
    return None if frame is None else _line(frame.f_code, frame.f_lasti)


@contextlib.contextmanager
def pointing_at_the_user() -> Generator[None, None, None]:
    """Within this scope, an error that does not say where it happened gets the user's line."""
    try:
        yield
    except StepwellError as error:
        error.where = error.where or innermost(error) or user_line()
        raise


def innermost(error: BaseException, besides: tuple[str, ...] = ()) -> SourceLine | None:
    """The user's last line on the way from here to where the error was raised.

    Files that begin with one of `besides` are not the user's either.
    """
    found, step = None, error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if not code.co_filename.startswith((*_OWN, *besides)):
            found = _line(code, step.tb_lasti)
        step = step.tb_next
    return found


def _user_frame(frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    return frame


@functools.lru_cache(maxsize=8192)
def _location(code: CodeType, instruction: int) -> LocationAttr:
    line = _line(code, instruction)
    return file_location(line.file, line.line, line.column)


@functools.lru_cache(maxsize=8192)
def _line(code: CodeType, instruction: int) -> SourceLine:
    """`f_lasti` counts bytes, `co_positions` instructions of two."""
    for number, (line, last, column, end) in enumerate(code.co_positions()):
        if number == instruction // 2 and line is not None:
            first = column or 0
            stop = end if end is not None and last == line else 0
            return SourceLine(code.co_filename, line, first, max(stop, first + 1))
    return SourceLine(code.co_filename, code.co_firstlineno, 0, 1)
