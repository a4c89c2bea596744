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


def most(every: Iterable[Taken]) -> Taken:
    """What any of several kernels takes."""
    return Taken(*(max(each, default=0) for each in zip(*map(astuple, every), strict=True)))


@dataclass(frozen=True)
class Budgets:
    """A file with a line for each name: registers and bytes of shared memory, the same two as they
    were at least, and why they are more. Nobody raises the first two alone unseen."""

    path: Path

    def allows(self, name: str, taken: Taken) -> bool:
        """Whether nothing is spilled, and no more is taken."""
        registers, shared, *_ = self._numbers().get(name, [0, 0])
        return taken.registers <= registers and taken.shared <= shared and taken.spilled == 0

    def write(self, name: str, taken: Taken, reason: str) -> None:
        """What takes no more than before keeps its reason."""
        new = [taken.registers, taken.shared]
        known = self._numbers().get(name, [*new, *new])
        is_raised = any(now > before for now, before in zip(new, known, strict=False))
        lines, why = self._lines(), reason if is_raised else self._reasons().get(name)
        numbers = [*new, *map(min, new, known[2:])]
        lines[name] = f"{numbers}  # {why}" if why else str(numbers)
        head = "".join(f"{each}\n" for each in self._text() if each.startswith("#"))
        rows = "".join(f"{each} = {lines[each]}\n" for each in sorted(lines))
        self.path.write_text(head + rows)

    def unexplained(self) -> list[str]:
        """The names of which nobody says why they may take more than at least."""
        reasons = self._reasons()
        return [
            name
            for name, numbers in self._numbers().items()
            if not _is_explained(numbers[:2], numbers[2:], reasons[name])
        ]

    def _text(self) -> list[str]:
        return self.path.read_text().splitlines()

    def _lines(self) -> dict[str, str]:
        return dict(line.split(" = ", 1) for line in self._text() if not line.startswith("#"))

    def _numbers(self) -> dict[str, list[int]]:
        return tomllib.loads(self.path.read_text())

    def _reasons(self) -> dict[str, str]:
        return {name: line.partition("  # ")[2] for name, line in self._lines().items()}


def _is_explained(now: list[int], least: list[int], why: str) -> bool:
    more = [new - old for new, old in zip(now, least, strict=True)]
    return min(more) >= 0 and (max(more) == 0 or why != "")


KERNELS = Budgets(Path(__file__).with_name("budgets.toml"))
OPS = Budgets(KERNELS.path.with_name("op_budgets.toml"))


def within_budget(name: str, taken: Taken) -> bool:
    """Whether nothing is spilled, and no more is taken than `budgets.toml` allows."""
    return KERNELS.allows(name, taken)


def op_within_budget(op: str, taken: Taken) -> bool:
    """The same for an op of the catalogue and `op_budgets.toml`, which is written anew by

    STEPWELL_BUDGETS="why some are higher" pytest tests/gpu/test_every_op_on_gpu.py
    """
    if reason := os.environ.get(WRITE):
        OPS.write(op, taken, reason)
    return OPS.allows(op, taken)
