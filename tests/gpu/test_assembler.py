"""NVIDIA's assembler takes what LLVM writes, and all that the emulator's table has on numbers.

It comes in the wheel `nvidia-cuda-nvcc`, the extra `gpu-check`; without it these tests are skipped,
which an environment that `make test` has made must not do.
"""

import sys
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from assembler import assemble, assembler, needs_assembler, within_budget
from emulator.rows import Kind
from emulator.syntax import Instruction
from emulator.table import TABLE
from lanewise import constants, declared, types_of
from llvm_ptx import KERNELS, ptx_of
from source_tree import ROOT
from spilling import spilling

MOST = 100
"""Mnemonics of one row that are assembled."""

LINUX = {"platform_system": "Linux", "platform_machine": "x86_64"}


@pytest.fixture
def wheel() -> Requirement:
    """What `make test` installs for it."""
    lines = (ROOT / "requirements" / "gpu.txt").read_text().splitlines()
    (wheel,) = [Requirement(line) for line in lines if not line.startswith("#")]
    return wheel


@pytest.fixture
def installed(wheel: Requirement) -> list[str]:
    """The versions of the wheel that are here: one or none."""
    return [each.version for each in distributions(name=wheel.name)]


def test_the_assembler_is_found_where_its_wheel_is_installed(installed: list[str]) -> None:
    """Or all that it has to say would be skipped."""
    assert not installed or assembler() is not None


def test_it_is_installed_where_the_requirements_say(
    wheel: Requirement, installed: list[str]
) -> None:
    assert wheel.name == "nvidia-cuda-nvcc"
    assert wheel.marker is None or wheel.marker.evaluate(LINUX)
    prefix = Path(sys.prefix)
    if not (prefix / "ready").exists() or (prefix.parent / "ready").exists():
        pytest.skip("this environment is none that `make test` has made")
    if wheel.marker is None or wheel.marker.evaluate():
        assert installed
        assert wheel.specifier.contains(installed[0])


@needs_assembler
@pytest.mark.parametrize(("processor", "version"), [("sm_80", "+ptx80"), ("sm_90a", "+ptx80")])
@pytest.mark.parametrize("kernel", sorted(path.stem for path in KERNELS.glob("*.ll")))
def test_kernels_assemble_within_their_budgets(
    kernel: str, processor: str, version: str, tmp_path: Path
) -> None:
    taken = assemble(ptx_of(kernel, processor, version), processor, tmp_path)
    assert within_budget(kernel, taken[kernel]), taken


@needs_assembler
def test_spills_and_shared_memory_are_seen(tmp_path: Path) -> None:
    taken = assemble(spilling(), "sm_80", tmp_path)["spilling"]
    assert taken.shared == 256
    assert taken.spilled > 0


@needs_assembler
def test_the_table_has_no_instruction_that_a_card_has_not(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = [".version 8.7", ".target sm_90a", ".address_size 64", ".visible .entry k()", "{"]
    for place, row in enumerate(each for each in TABLE.rows if each.kind is Kind.LANES):
        every = list(row.mnemonics())
        for number, index in enumerate(random.permutation(len(every))[:MOST]):
            lines += _instruction(every[index], f"%x{place}_{number}_")
    assemble("\n".join([*lines, "ret;", "}"]), "sm_90a", tmp_path)


def _instruction(mnemonic: str, prefix: str) -> list[str]:
    row, how = TABLE.find(Instruction(0, mnemonic, mnemonic, ()))
    results, sources = types_of(row, how)
    types = [*results, *sources]
    names = [f"{prefix}{each}" for each in range(len(types))]
    declarations = [
        f".reg .{type.name if type.name in ('f32', 'f64') else declared(type)} {name};"
        for type, name in zip(types, names, strict=True)
    ]
    for place in constants(row):
        names[len(results) + place] = "27"
    operands = ["|".join(names[: len(results)]), *names[len(results) :]]
    return [*declarations, f"{mnemonic} {', '.join(operands)};"]
