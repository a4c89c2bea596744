"""NVIDIA's assembler, where it is installed, and what it may give each kernel."""

import importlib.util
import os
import re
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

WRITE = "STEPWELL_BUDGETS"
BUDGETS = Path(__file__).parent / "budgets.toml"
OPS = BUDGETS.with_name("op_budgets.toml")
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


ASSEMBLED: Final = set[tuple[str, bytes]]()
"""What was assembled: processors and hashes of texts."""

needs_assembler = pytest.mark.skipif(assembler() is None, reason="needs ptxas: the extra gpu-check")


def assemble(ptx: str, processor: str, folder: Path) -> Mapping[str, Taken]:
    """What each kernel takes; fails with what the assembler says about errors."""
    text = folder / "kernel.ptx"
    text.write_text(ptx)
    command = [str(assembler()), f"-arch={processor}", "-v", "-o", str(folder / "cubin"), str(text)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[:2000]
    ASSEMBLED.add((processor, hash_of(ptx)))
    return {found["name"]: _taken(found) for found in KERNEL.finditer(run.stderr)}


def hash_of(ptx: str) -> bytes:
    return sha256(ptx.encode()).digest()


def _taken(found: re.Match[str]) -> Taken:
    shared = SHARED.search(found["rest"])
    spilled = int(found["stores"]) + int(found["loads"])
    return Taken(int(found["registers"]), int(shared[1]) if shared else 0, spilled)


def within_budget(name: str, taken: Taken) -> bool:
    """Whether nothing is spilled, and no more is taken than `budgets.toml` allows."""
    budget = tomllib.loads(BUDGETS.read_text())[name]
    few = taken.registers <= budget["registers"] and taken.shared <= budget["shared"]
    return few and taken.spilled == 0


def most(every: Iterable[Taken]) -> Taken:
    """What any of several kernels takes."""
    return Taken(*(max(each, default=0) for each in zip(*map(astuple, every), strict=True)))


@dataclass(frozen=True)
class OpBudgets:
    """A line for each op: registers, bytes of shared memory, and why they are more than they were.
    It is written by

        STEPWELL_BUDGETS="why some are higher" pytest tests/gpu/test_every_op_on_gpu.py
    """

    path: Path = OPS

    def allows(self, op: str, taken: Taken) -> bool:
        if reason := os.environ.get(WRITE):
            self.write(op, taken, reason)
        known = tomllib.loads(self.path.read_text()).get(op, [0, 0])
        return taken.registers <= known[0] and taken.shared <= known[1] and taken.spilled == 0

    def write(self, op: str, taken: Taken, reason: str) -> None:
        """An op that takes no more than before keeps its reason."""
        lines = dict(line.split(" = ", 1) for line in self.path.read_text().splitlines())
        numbers = [taken.registers, taken.shared]
        before, _, why = lines.get(op, str(numbers)).partition("  # ")
        known = tomllib.loads(f"was = {before}")["was"]
        higher = any(new > old for new, old in zip(numbers, known, strict=True))
        why = reason if higher else why
        lines[op] = f"{numbers}  # {why}" if why else str(numbers)
        self.path.write_text("".join(f"{name} = {lines[name]}\n" for name in sorted(lines)))
