"""The settings of functions, integers and counts: checked where they are given."""

import operator
from collections.abc import Iterable
from textwrap import shorten
from typing import Any, NoReturn, cast

from stepwell.compiler.dialects.sizes import Shape, shape_text
from stepwell.places import user_line
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size


def integer(value: object, name: str, wanted: str = "an integer") -> int:
    """A setting that is an integer, Python's or NumPy's; a truth value is none.

    Raises CompileError SW0160, which says what the setting `name` should be.
    """
    try:
        number = operator.index(cast(Any, value))
    except TypeError:
        refuse(value, name, wanted)
    if value is True or value is False:
        refuse(value, name, wanted)
    return number


def count(value: object, name: str) -> Size:
    """A setting that says how often, as a size: an integer of 0 or more, or a symbolic one."""
    if isinstance(value, Size) and value.static is None:
        return value
    wanted = "an integer of 0 or more"
    number = value.static if isinstance(value, Size) else integer(value, name, wanted)
    if number is None or number < 0:
        refuse(number, name, wanted)
    return Size.of(number)


def extents(given: Iterable[object]) -> list[Size]:
    """The sizes of a shape, symbolic ones and integers, of which -1 may stand for something."""
    return [
        each if isinstance(each, Size) else Size.of(integer(each, "a size of a shape"))
        for each in given
    ]


def expect_sizes(shape: Shape) -> None:
    """Raises CompileError SW0142 where a size is known to be negative."""
    if any((size.static or 0) < 0 for size in shape):
        sentence = f"the shape {shape_text(shape)} has a negative size"
        raise CompileError("SW0142", sentence, where=user_line())


def refuse(value: object, name: str, wanted: str) -> NoReturn:
    """Raises the error of a setting that is something else."""
    found = shorten(repr(value), 40)
    sentence = f"{name} should be {wanted}, and is {found}"
    raise CompileError("SW0160", sentence, where=user_line())
