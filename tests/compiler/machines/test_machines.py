"""Machines are data, each level of x86-64 with all that the level below has."""

from stepwell.compiler.machines import MACHINES, X86_64_V3, X86_64_V4


def test_levels_include_each_other() -> None:
    assert X86_64_V4.runs_on(X86_64_V4.features)
    assert X86_64_V3.runs_on(X86_64_V4.features)
    assert not X86_64_V4.runs_on(X86_64_V3.features)


def test_every_machine_fuses_multiply_and_add() -> None:
    assert all("fma" in machine.features for machine in MACHINES.values())
    assert all(name == machine.name for name, machine in MACHINES.items())


def test_lanes_of_a_register() -> None:
    assert (X86_64_V3.lanes(4), X86_64_V4.lanes(4), X86_64_V4.lanes(8)) == (8, 16, 8)
