"""The strategy `dots` with tiles: products of bytes of any signs and layout, under any plan."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byte_products import KERNELS, product
from drawing import examples
from expanding import agree, expanded
from loop_text import parse_kernel
from products import fixed, lengths
from stepwell.compiler.dialects.loop.explicit import DotTilesOp
from stepwell.compiler.lower.strategies import choose_plan
from stepwell.compiler.lower.strategies.dots import Dots
from stepwell.compiler.machines import MACHINES
from stepwell.compiler.machines.dots import TILE, TILE_DOTS, TILE_ROW
from stepwell.compiler.targets.cpu import host
from stepwell.runtime.errors import CompileError

AMX = "x86-64-v4-amx"
RUNS_HERE = all(host().has(dot, TILE) for dot in TILE_DOTS.values())


def deep(name: str, rows: int = 1) -> str:
    """A kernel whose sums are of so many rows of tiles."""
    count = TILE_ROW * rows // (4 if "words" in name else 1)
    text = KERNELS[name].replace(", K: 0>", ">").replace("M + K", f"M + {count}")
    return re.sub(r"\bK\b", str(count), text)


def chosen(text: str, machine: str = AMX) -> Dots:
    plan = choose_plan(parse_kernel(text), MACHINES[machine])
    assert isinstance(plan, Dots)
    return plan


@pytest.mark.parametrize("name", KERNELS)
@examples(3)
@given(st.integers(0, 40), st.integers(1, 100), lengths, lengths, st.integers(1, 2))
def test_any_task_gives_the_bits_of_the_nests(
    name: str, mc: int, nc: int, m: int, n: int, rows: int
) -> None:
    text = deep(name, rows)
    plan = replace(chosen(text), mc=mc, nc=nc)
    assert plan.dot in TILE_DOTS
    agree(text, {"M": m, "N": n}, plan, machine=AMX)


@pytest.mark.skipif(not RUNS_HERE, reason="this processor has no tiles")
@pytest.mark.parametrize("name", KERNELS)
def test_machine_code_gives_the_bits_of_the_nests(name: str) -> None:
    for m, n, rows, mc in ((75, 41, 3, 40), (16, 32, 1, 16), (0, 5, 1, 9), (50, 33, 1, 0)):
        text = deep(name, rows)
        plan = replace(chosen(text), mc=mc, nc=70)
        agree(text, {"M": m, "N": n}, plan, native=True, machine=AMX)


@pytest.mark.parametrize("signs", ["ss", "su", "us", "uu"])
def test_bytes_of_all_signs_have_an_instruction(signs: str) -> None:
    kernel = expanded(fixed(product(signs), 40, 70, 128), machine=AMX)
    (op, *_) = (op for op in kernel.walk() if isinstance(op, DotTilesOp))
    assert op.instruction.data == f"tdpb{signs}d"


def test_tiles_are_used_where_there_are_some_and_sums_fill_them() -> None:
    machines = "sapphirerapids", AMX, "x86-64-v4-vnni", "znver5"
    for depth, tiles in ((128, 2), (100, 0)):
        text = fixed(product("us"), 64, 64, depth)
        found = [chosen(text, machine).dot for machine in machines]
        assert found == ["tdpbusd"] * tiles + ["vpdpbusd"] * (4 - tiles)


def test_panels_of_another_width_are_left_to_vectors() -> None:
    """A weight whose rows are no whole panels is one panel, as wide as they are."""
    text = re.sub(r"\b32\b", "48", KERNELS["right in words, us"]).replace("i48", "i32")
    assert chosen(fixed(text, 64, 2, 64)).dot == "vpdpbusd"


def test_a_task_multiplies_a_panel_at_once() -> None:
    text = fixed(product("us"), 64, 96, 128)
    plan = replace(chosen(text), mc=32, nc=64)
    kernel = expanded(text, plan, machine=AMX)
    assert sum(isinstance(op, DotTilesOp) for op in kernel.walk()) == 1
    agree(text, strategy=plan, machine=AMX)


@pytest.mark.parametrize("shape", ["mr = 8, nv = 2", "mr = 16, nv = 3"])
def test_tiles_have_one_shape(shape: str) -> None:
    text = fixed(product("us"), 64, 96, 128)
    text = text.replace("x i32>) {", f"x i32>) plan <dots, {shape}, dot = tdpbusd> {{")
    with pytest.raises(CompileError, match="SW0234: tdpbusd does not compute these products in"):
        expanded(text, machine=AMX)
