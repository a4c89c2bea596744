"""The public surface: every name is there, typed, and fetched only when asked for."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import stepwell
from source_tree import modules


def declared() -> dict[str, str]:
    """Names that type checkers see, and the modules they come from."""
    tree = ast.parse(Path(str(stepwell.__file__)).read_text())
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {
        alias.name: node.module or ""
        for node in imports
        for alias in node.names
        if (node.module or "").startswith("stepwell")
    }


def listed() -> list[str]:
    return [name for name in dir(stepwell) if name in vars(stepwell)["_HOME"]]


def test_type_checkers_see_the_same_names() -> None:
    assert sorted(declared()) == sorted(listed())


@pytest.mark.parametrize("name", sorted(declared()))
def test_a_name_is_what_its_module_defines(name: str) -> None:
    value = getattr(stepwell, name)
    if isinstance(value, ModuleType):
        assert value.__name__ == f"stepwell.{name}"
    else:
        assert value is getattr(import_module(declared()[name]), name)
        assert f"stepwell.{name}" not in modules(), (
            f"stepwell.{name} would become the module once that is imported"
        )


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'stepwell' has no attribute 'nope'$"):
        getattr(stepwell, "nope")


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    program = "import sys, stepwell; print(*(n for n in sys.modules if n.startswith('stepwell')))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.split() == ["stepwell"]
