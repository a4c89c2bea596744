"""The settings of functions, integers and counts: checked where they are given."""

import operator
from textwrap import shorten
from typing import Any, NoReturn, cast

import numpy as np

from stepwell.places import user_line
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size


def integer(value: object, name: str, wanted: str = "an integer") -> int:
    """A setting that is an integer, Python's or NumPy's; a truth value is none.

    Raises CompileError SW0160, which says what the setting `name` should be.
    """
    if isinstance(value, bool | np.bool_):
        refuse(value, name, wanted)
    try:
        return operator.index(cast(Any, value))
    except TypeError:
        refuse(value, name, wanted)


def count(value: object, name: str) -> Size:
    """A setting that says how often, as a size: an integer of 0 or more, or a symbolic one."""
    if isinstance(value, Size) and value.static is None:
        return value
    wanted = "an integer of 0 or more"
    number = value.static if isinstance(value, Size) else integer(value, name, wanted)
    if number is None or number < 0:
        refuse(number, name, wanted)
    return Size.of(number)


def refuse(value: object, name: str, wanted: str) -> NoReturn:
    """Raises the error of a setting that is something else."""
    found = shorten(repr(value), 40)
    sentence = f"{name} should be {wanted}, and is {found}"
    raise CompileError("SW0160", sentence, where=user_line())
