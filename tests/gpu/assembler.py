"""NVIDIA's assembler, where it is installed, and what it may give each kernel."""

import importlib.util
import re
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

BUDGETS = Path(__file__).parent / "budgets.toml"
KERNEL = re.compile(
    r"Compiling entry function '(?P<name>[^']+)'.*?"
    r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)
SHARED = re.compile(r"(\d+) bytes smem")


@dataclass(frozen=True)
class Taken:
    """Registers of a thread, and bytes: of shared memory, and of registers kept in memory."""

    registers: int
    shared: int
    spilled: int


@cache
def assembler() -> Path | None:
    """`ptxas`, where the wheel `nvidia-cuda-nvcc` is installed."""
    found = importlib.util.find_spec("nvidia")
    for folder in (found.submodule_search_locations or ()) if found else ():
        for path in Path(folder).glob("*/bin/ptxas"):
            return path
    return None


needs_assembler = pytest.mark.skipif(assembler() is None, reason="needs ptxas: the extra gpu-check")


def assemble(ptx: str, processor: str, folder: Path) -> Mapping[str, Taken]:
    """What each kernel takes; fails with what the assembler says about errors."""
    text = folder / "kernel.ptx"
    text.write_text(ptx)
    command = [str(assembler()), f"-arch={processor}", "-v", "-o", str(folder / "cubin"), str(text)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[:2000]
    return {found["name"]: _taken(found) for found in KERNEL.finditer(run.stderr)}


def _taken(found: re.Match[str]) -> Taken:
    shared = SHARED.search(found["rest"])
    spilled = int(found["stores"]) + int(found["loads"])
    return Taken(int(found["registers"]), int(shared[1]) if shared else 0, spilled)


def within_budget(name: str, taken: Taken) -> bool:
    """Whether nothing is spilled, and no more is taken than `budgets.toml` allows."""
    budget = tomllib.loads(BUDGETS.read_text())[name]
    few = taken.registers <= budget["registers"] and taken.shared <= budget["shared"]
    return few and taken.spilled == 0
