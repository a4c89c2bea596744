"""Machines are data, each level of x86-64 with all that the level below has."""

import itertools
from dataclasses import replace

from stepwell.compiler.machines import LEVELS, MACHINES, X86_64_V3, X86_64_V4
from stepwell.compiler.machines.dots import DOTS
from stepwell.compiler.machines.x86 import PROCESSORS, ZNVER5
from stepwell.compiler.pipeline import level_of


def test_levels_include_each_other() -> None:
    assert X86_64_V4.runs_on(X86_64_V4.features)
    assert X86_64_V3.runs_on(X86_64_V4.features)
    assert not X86_64_V4.runs_on(X86_64_V3.features)


def test_every_machine_fuses_multiply_and_add() -> None:
    fused = {"x86_64": "fma", "aarch64": "neon"}
    assert all(fused[each.architecture] in each.features for each in MACHINES.values())
    assert all(name == machine.name for name, machine in MACHINES.items())


def test_levels_stand_in_order_and_processors_are_of_the_best() -> None:
    assert not any(a.runs_on(b.features) for a, b in itertools.pairwise(reversed(LEVELS)))
    for machine in PROCESSORS:
        *_, best = (level for level in LEVELS if level.runs_on(machine.features))
        assert best.name == (
            "x86-64-v4-amx" if "amx-int8" in machine.features else "x86-64-v4-vnni"
        )
        assert level_of(machine) is machine
        assert level_of(replace(machine, name="another")) is best
    assert level_of(replace(ZNVER5, features=X86_64_V4.features)) is X86_64_V4


def test_instructions_belong_to_features() -> None:
    has = {name: {dot.name for dot in DOTS.values() if m.has(dot)} for name, m in MACHINES.items()}
    assert has["x86-64-v4"] == {"vpmaddwd"}
    assert has["x86-64-v3-vnni"] == {"vpmaddwd", "vpdpbusd"}
    assert has["znver5"] == has["znver4"] == {"vpmaddwd", "vpdpbusd", "vdpbf16ps"}
    assert (has["aarch64"], has["aarch64-dotprod"]) == (set(), {"sdot", "udot"})


def test_lanes_of_a_register() -> None:
    assert (X86_64_V3.lanes(4), X86_64_V4.lanes(4), X86_64_V4.lanes(8)) == (8, 16, 8)


def test_places_of_a_line_repeat_after_whole_pages_or_powers_of_two() -> None:
    """So many sets as the bits of an address can tell apart."""
    for each in MACHINES.values():
        sets, rest = divmod(each.l1, each.l1_ways * 64)
        assert (rest, sets & (sets - 1)) == (0, 0), each.name
