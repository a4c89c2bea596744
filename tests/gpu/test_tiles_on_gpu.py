"""The strategy `tiles` on the emulated GPU: products of any shape and layout, bit for bit."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler import assemble, needs_assembler, within_budget
from drawing import examples
from emulator.block import Order
from expanding import expanded
from gpu_kernels import agree_on_gpu, ptx_of_kernel
from loop_text import parse_kernel
from products import KERNELS, ORDER, fixed
from stepwell.compiler.lower.grids.blocked import FEW, SHAPES
from stepwell.compiler.lower.grids.plans import GRIDS
from stepwell.compiler.lower.grids.staging import DEPTH
from stepwell.compiler.lower.grids.tiles import Tiles
from stepwell.compiler.lower.strategies import choose_plan
from stepwell.compiler.lower.strategies.base import Strategy
from stepwell.compiler.machines.gpu.nvidia import GPUS, SM_80
from stepwell.runtime.errors import CompileError

pytestmark = pytest.mark.device
WHOLE = {"doubles", "integers", "long integers", "bytes"}
"""Whose sums are not in f32."""
CONVOLUTIONS = {name for name in KERNELS if "convolution" in name}
PRODUCTS = sorted(KERNELS.keys() - WHOLE - CONVOLUTIONS)
DEEP = KERNELS["plain"].replace(ORDER, "<serial, 1024>")


shapes = st.sampled_from([Tiles(shape.rows, shape.lanes) for shape in SHAPES])
lengths = st.sampled_from([0, 1, 4, 15, 16, 33, 64, 70])
depths = st.sampled_from([0, 1, 3, 16, 20, 33, 48])


@examples(10)
@given(
    name=st.sampled_from(PRODUCTS),
    plan=shapes,
    m=lengths,
    n=lengths,
    k=depths,
    static=st.booleans(),
)
def test_any_plan_gives_the_bits_of_the_nests(
    name: str, plan: Tiles, m: int, n: int, k: int, static: bool
) -> None:
    """Of sizes that are small along an axis a block has mostly rows and lanes that lie outside."""
    if static:
        m, n, k = max(m, FEW), max(n, FEW), max(k, DEPTH + 1)
        agree_on_gpu(fixed(KERNELS[name], m, n, k), {}, plan, special=True)
    else:
        agree_on_gpu(KERNELS[name], {"M": m, "N": n, "K": k}, plan, special=True)


@pytest.mark.parametrize("order", ["<serial>", "<serial, 64>"])
@pytest.mark.parametrize("name", sorted(CONVOLUTIONS))
def test_convolutions_give_the_bits_of_the_nests(name: str, order: str) -> None:
    """Blocks go over the rows of several images; products in the padding are left out."""
    text = fixed(KERNELS[name], 5, 20, 16).replace("<serial>", order)
    agree_on_gpu(text, {}, Tiles(64, 64), special=True)


@pytest.mark.parametrize("order", Order)
def test_no_order_of_warps_and_blocks_matters(order: Order) -> None:
    agree_on_gpu(fixed(KERNELS["right turned"], 70, 70, 40), {}, Tiles(64, 64), order=order)


def chosen(text: str, m: int, n: int, k: int) -> Strategy:
    return choose_plan(parse_kernel(fixed(text, m, n, k)), SM_80, GRIDS)


def test_blocks_are_as_large_as_keeps_the_card_busy() -> None:
    assert chosen(DEEP, 4096, 4096, 4096) == Tiles(128, 128)
    assert chosen(DEEP, 1024, 1024, 4096) == Tiles(64, 128)
    assert chosen(DEEP, 256, 256, 4096) == Tiles(64, 64)
    assert chosen(KERNELS["batch"], 1024, 1024, 64) == Tiles(128, 128)


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_sums_that_are_not_in_f32_are_left_to_threads(name: str) -> None:
    assert not isinstance(chosen(KERNELS[name], 512, 512, 512), Tiles)


@pytest.mark.parametrize("sizes", [(4, 512, 512), (512, 4, 512), (512, 512, 4)])
def test_what_is_small_along_an_axis_is_left_to_threads(sizes: tuple[int, int, int]) -> None:
    assert not isinstance(chosen(DEEP, *sizes), Tiles)


@pytest.mark.parametrize(
    ("name", "m"), [("batch", 64), ("batch of one operand", 16), ("plain", 70)]
)
def test_sums_of_one_stage_are_left_to_threads(name: str, m: int) -> None:
    """As tiles they took more registers than there are."""
    assert not isinstance(chosen(KERNELS[name], m, 33, DEPTH), Tiles)
    assert isinstance(chosen(KERNELS[name], m, 33, DEPTH + 1), Tiles)


@pytest.mark.parametrize("order", [ORDER, "<serial>"])
def test_sums_of_nothing_are_zero(order: str) -> None:
    text = KERNELS["bare"].replace(ORDER, order)
    agree_on_gpu(text, {"M": 5, "N": 6, "K": 0}, Tiles(64, 64))


def test_chunks_and_guards_change_between_stages() -> None:
    with pytest.raises(CompileError, match="multiples of 16"):
        expanded(fixed(DEEP.replace("1024", "24"), 64, 64, 64), Tiles(), SM_80.name)
    with pytest.raises(CompileError, match="left out"):
        expanded(fixed(KERNELS["convolution"], 8, 64, 20), Tiles(), SM_80.name)


@pytest.mark.parametrize("parameter", ["rows = 32", "lanes = 32", "depth = 8"])
def test_only_known_shapes_are_plans(parameter: str) -> None:
    name, _, value = parameter.partition(" = ")
    with pytest.raises(CompileError, match=f"no parameter {parameter}"):
        Tiles.of({name: int(value)})


@pytest.mark.parametrize("name", ["plain", "left turned", "right turned", "both turned"])
def test_a_product_reads_and_writes_sixteen_bytes_at_a_time(name: str) -> None:
    """All sums in registers, four loads from shared memory for 64 products, two barriers."""
    ptx = ptx_of_kernel(fixed(KERNELS[name].replace(ORDER, "<serial, 1024>"), 4096, 4096, 4096))
    assert ptx.count("fma.rn.f32") == 64 * 16
    assert ptx.count("ld.shared.v4.b32") == 4 * 16
    assert ptx.count("bar.sync") == 2
    assert not re.search(r"\.local|ld\.shared\.b32|(ld|st)\.global(\.nc)?\.b32", ptx)


BUDGETED = {
    "tiles": fixed(DEEP, 4096, 4096, 4096),
    "tiles_of_any_size": DEEP,
    "tiles_of_images": fixed(KERNELS["convolution"], 56, 128, 128).replace(
        "<serial>", "<serial, 1024>"
    ),
}


@needs_assembler
@pytest.mark.parametrize("machine", GPUS)
@pytest.mark.parametrize("name", BUDGETED)
def test_products_assemble_within_their_budgets(name: str, machine: str, tmp_path: Path) -> None:
    """In all versions."""
    ptx = ptx_of_kernel(BUDGETED[name], GPUS[machine])
    for taken in assemble(ptx, machine, tmp_path).values():
        assert within_budget(name, taken), taken
