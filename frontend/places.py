"""Where in the user's code something happens: the frame that is theirs, with its columns."""

import sys
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType

from xdsl.dialects.builtin import UNKNOWN_LOC, LocationAttr

from stepwell.compiler import __file__ as _compiler
from stepwell.compiler.dialects.locations import file_location
from stepwell.runtime.errors import SourceLine

_OWN = (str(Path(__file__).parent), str(Path(_compiler or "").parent))


def user_location() -> LocationAttr:
    """The location of the innermost line of the user's, on the stack of this call."""
    frame = _user_frame(sys._getframe(1))
    if frame is None:
        return UNKNOWN_LOC
    return _location(frame.f_code, frame.f_lasti)


def user_line() -> SourceLine | None:
    """The same, with its columns, for an error."""
    frame = _user_frame(sys._getframe(1))
    return None if frame is None else _line(frame.f_code, frame.f_lasti)


def _user_frame(frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    return frame


@lru_cache(maxsize=8192)
def _location(code: CodeType, instruction: int) -> LocationAttr:
    line = _line(code, instruction)
    return file_location(line.file, line.line, line.column)


@lru_cache(maxsize=8192)
def _line(code: CodeType, instruction: int) -> SourceLine:
    """`f_lasti` counts bytes, `co_positions` instructions of two."""
    for number, (line, _, column, end) in enumerate(code.co_positions()):
        if number == instruction // 2 and line is not None:
            first = column or 0
            return SourceLine(code.co_filename, line, first, max(end or 0, first + 1))
    return SourceLine(code.co_filename, code.co_firstlineno, 0, 1)
