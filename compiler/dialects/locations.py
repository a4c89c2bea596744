"""Source locations: from IR attributes to the user's line, and the names of derived code."""

from xdsl.dialects.builtin import (
    FileLineColLoc,
    IntAttr,
    LocationAttr,
    NameLoc,
    StringAttr,
    UnknownLoc,
)
from xdsl.ir import Attribute

from stepwell.runtime.errors import SourceLine


def file_location(file: str, line: int, column: int) -> LocationAttr:
    """Lines count from 1, columns from 0."""
    return FileLineColLoc(StringAttr(file), IntAttr(line), IntAttr(column))


def derived(what: str, location: LocationAttr) -> LocationAttr:
    """The location of code that stands for `what` of other code, such as its gradient."""
    return location if isinstance(location, UnknownLoc) else NameLoc(StringAttr(what), location)


def is_derivative(location: Attribute) -> bool:
    """Whether code was made by differentiation, of either mode."""
    if not isinstance(location, NameLoc):
        return False
    return location.desc.data in ("gradient", "tangent") or is_derivative(location.location)


def source_line(location: Attribute) -> SourceLine | None:
    """The user's line that a location leads back to."""
    match location:
        case FileLineColLoc():
            column = location.column.data
            return SourceLine(location.filename.data, location.line.data, column, column + 1)
        case NameLoc():
            return source_line(location.location)
        case _:
            return None
