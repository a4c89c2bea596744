"""A function of a user's file: how it is found, and how what it raises is shown."""

import contextlib
import inspect
import sys
import sysconfig
from collections.abc import Callable, Generator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from stepwell.places import innermost
from stepwell.runtime.errors import SourceLine, StepwellError

LIBRARIES = tuple(sysconfig.get_paths()[each] for each in ("stdlib", "purelib", "platlib"))
"""What lies here is not the user's, and neither is what Python has built in."""


def function_at(place: str) -> Callable[..., Any]:
    """The function of `module.py:function` (StepwellError SW0502, SW0503, SW0506)."""
    file, colon, name = place.rpartition(":")
    if not colon:
        hint = f"write {place}:function"
        raise StepwellError("SW0503", f"{place} is not of the form module.py:function", hint=hint)
    if not Path(file).is_file():
        raise StepwellError("SW0502", f"there is no file {file!r}", hint="give module.py:function")
    with showing_the_users_line(file):
        module = _imported(Path(file))
    function = getattr(module, name, None)
    if not callable(function):
        known = ", ".join(_functions(module)) or "none"
        sentence = f"{file} defines no function {name!r}"
        raise StepwellError("SW0503", sentence, hint=f"it defines {known}")
    return function


@contextlib.contextmanager
def showing_the_users_line(file: str) -> Generator[None]:
    """Within this scope, what the code of a file raises becomes an error with one line of it.

    An exception on whose way there is none of the user's lines is none of theirs, and stays.
    """
    try:
        yield
    except StepwellError:
        raise
    except Exception as error:
        where = _line(error)
        if where is None:
            raise
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        first, *rest = text.splitlines() or [""]
        words = f"{type(error).__name__}: {first}".removesuffix(": ")
        raise StepwellError("SW0506", f"{file}: {words}", details=rest, where=where) from None


def _imported(path: Path) -> ModuleType:
    """The file as a module of its name, beside which it may import others."""
    loader = SourceFileLoader(path.stem, str(path))
    specification = spec_from_loader(path.stem, loader)
    assert specification is not None
    module = module_from_spec(specification)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.parent))
    loader.exec_module(module)
    return module


def _functions(module: ModuleType) -> list[str]:
    """The functions that a module defines itself."""
    found = inspect.getmembers(module, inspect.isfunction)
    return [name for name, each in found if each.__module__ == module.__name__]


def _line(error: Exception) -> SourceLine | None:
    """Where an exception comes from in the user's code."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        column = max((error.offset or 1) - 1, 0)
        end = max((error.end_offset or 0) - 1, column + 1)
        return SourceLine(error.filename, error.lineno, column, end)
    return innermost(error, (*LIBRARIES, "<frozen"))
