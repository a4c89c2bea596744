"""What is installed is what stands in the folders."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from source_tree import PACKAGES, ROOT, Module, expect_none, modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_package_list_names_every_folder() -> None:
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    folders = {package_of(module) for module in modules().values()}
    expect_none(
        [f"add {name} to `packages` in pyproject.toml" for name in sorted(folders - listed)]
        + [f"take {name} out of `packages` in pyproject.toml" for name in sorted(listed - folders)]
    )


def test_every_folder_with_code_is_a_package() -> None:
    folders = sorted({module.path.parent for module in modules().values()})
    expect_none(
        f"{folder.relative_to(ROOT)} holds code and no __init__.py"
        for folder in folders
        if not (folder / "__init__.py").exists()
    )


def package_of(module: Module) -> str:
    return module.name if module.is_package else module.name.rpartition(".")[0]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the working tree, built away from it: a stale build/ would leak into it."""
    scratch = tmp_path_factory.mktemp("wheel")
    for folder in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, scratch / folder, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, scratch / name)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(scratch)]
    command = [sys.executable, "-m", "pip", "wheel", *options, str(scratch)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return next(scratch.glob("*.whl"))


def test_the_wheel_holds_every_module(wheel: Path) -> None:
    wanted = {"stepwell/py.typed"}
    for module in modules().values():
        tail = "/__init__.py" if module.is_package else ".py"
        wanted.add(module.name.replace(".", "/") + tail)
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    expect_none(
        [f"{name} is not in the wheel" for name in sorted(wanted - held)]
        + [f"{name} is in the wheel and not in the tree" for name in sorted(held - wanted)]
    )


def test_the_wheel_names_the_commands(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        text = archive.read(entry).decode()
    scripts = PROJECT["project"]["scripts"]
    expect_none(
        f"the wheel has no command {command} = {target}"
        for command, target in scripts.items()
        if f"{command} = {target}" not in text.splitlines()
    )
    expect_none(
        f"the command {command} has no module {target}"
        for command, target in scripts.items()
        if target.partition(":")[0] not in modules()
    )
