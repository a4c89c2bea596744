"""Imports go down only: frontend, compiler with its rooms, runtime."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from source_tree import Module, expect_none, modules

ROOMS = [
    {"stepwell.runtime"},
    {"stepwell.compiler.machines"},
    {"stepwell.compiler.dialects"},
    {"stepwell.compiler.ops"},
    {"stepwell.compiler.autodiff", "stepwell.compiler.batching"},
    {"stepwell.compiler.passes"},
    {"stepwell.compiler.lower"},
    {"stepwell.compiler.targets"},
    {"stepwell.compiler"},  # pipeline, interpret, opt
    {"stepwell"},
]
"""From the bottom up: a room may import what stands on its own floor and below."""
PUBLIC = "stepwell"
"""The one module that imports when asked, and names what it imports for type checkers only."""
RUNTIME_NEEDS = {"numpy", "ml_dtypes", "stepwell", *sys.stdlib_module_names}


def test_imports_go_down() -> None:
    expect_none(
        f"{module}:{line}: imports {name}, which stands above {module.name}"
        for module, line, name in imports()
        if floor(name) > floor(module.name)
    )


def test_no_modules_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for module, _, name in imports():
        if module.name != PUBLIC:
            graph.setdefault(module.name, set()).add(name)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("modules that import each other: " + " -> ".join(reversed(error.args[1])))


def test_imports_stand_at_the_top() -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    expect_none(
        f"{module}:{inner.lineno}: move the import to the top; if that makes a cycle, move the code"
        for module, outer in nodes()
        if isinstance(outer, functions)
        for inner in ast.walk(outer)
        if isinstance(inner, (ast.Import, ast.ImportFrom))
    )


def test_imports_are_absolute() -> None:
    expect_none(
        f"{module}:{node.lineno}: write the whole name, stepwell.…"
        for module, node in nodes()
        if isinstance(node, ast.ImportFrom) and node.level
    )


def test_only_the_public_module_imports_for_type_checkers() -> None:
    expect_none(
        f"{module}:{node.lineno}: TYPE_CHECKING hides an import from the layers"
        for module, node in nodes()
        if isinstance(node, ast.Name) and node.id == "TYPE_CHECKING" and module.name != PUBLIC
    )


def test_the_runtime_needs_numpy_and_no_more() -> None:
    expect_none(
        f"{module}:{node.lineno}: the runtime may not need {name}"
        for module, node in nodes()
        if module.name.startswith("stepwell.runtime") and isinstance(node, ast.stmt)
        for name in imported_names(node)
        if name.split(".")[0] not in RUNTIME_NEEDS
    )


def test_importing_the_runtime_loads_no_compiler() -> None:
    program = (
        "import sys, stepwell.runtime\n"
        "print(*(n for n in sys.modules if n.split('.')[0] in ('xdsl', 'llvmlite', 'numba')\n"
        "        or n.startswith('stepwell.compiler')))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.split() == [], "import stepwell.runtime loads these"


def nodes() -> Iterator[tuple[Module, ast.AST]]:
    """Every node of every module."""
    for module in modules().values():
        for node in ast.walk(module.tree):
            yield module, node


def imports() -> Iterator[tuple[Module, int, str]]:
    """Each import of one of the project's modules by another, with its line."""
    for module, node in nodes():
        if isinstance(node, ast.stmt):
            for name in imported_names(node):
                if name in modules() and name != module.name:
                    yield module, node.lineno, name


def imported_names(node: ast.stmt) -> Iterator[str]:
    """What an import statement names: `from a import b` is a.b where that is a module, else a."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in modules() else node.module


def floor(name: str) -> int:
    """The height of the room that a module is in: the longest prefix of its name that is one."""
    heights = {room: height for height, rooms in enumerate(ROOMS) for room in rooms}
    while name not in heights:
        name = name.rpartition(".")[0]
    return heights[name]
