"""The strategy `gemm`: products of any shape and layout, under any parameters, bit for bit."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.math import FmaOp
from xdsl.ir import Operation

from drawing import examples
from expanding import agree, expanded
from loop_text import parse_kernel
from products import KERNELS, ORDER, fixed, lengths, product
from stepwell.compiler.dialects.loop.explicit import GatherOp, IfOp, LoadOp, ParallelOp
from stepwell.compiler.dialects.loop.scalar import CompareOp
from stepwell.compiler.lower.analysis import Analysis
from stepwell.compiler.lower.blocking import (
    AHEAD,
    PIECE,
    RUN,
    STREAMS,
    TASK,
    Product,
    tiles,
)
from stepwell.compiler.lower.contraction import contraction_of
from stepwell.compiler.lower.costs import evenly
from stepwell.compiler.lower.strategies import choose_plan
from stepwell.compiler.lower.strategies.gemm import Gemm
from stepwell.compiler.machines import MACHINES

MACHINE = MACHINES["x86-64-v4"]


@st.composite
def plans(draw: st.DrawFn) -> Gemm:
    bytes, mr, nv = (
        draw(st.sampled_from([32, 64])),
        draw(st.sampled_from([1, 2, 3, 4, 5, 9, 14])),
        draw(st.integers(1, 3)),
    )
    pack = draw(st.sampled_from([(), ("right",), ("left",), ("left", "right")]))
    ahead, share = draw(st.sampled_from([(0, 0), (3, 0), (9, 2), (0, 0)]))
    below = draw(st.sampled_from([(), ("left",), ("ends",), ("left", "ends")]))
    kc = draw(st.sampled_from([0, 1, 5, 16, 40]))
    mc, nc = draw(st.sampled_from([0, *range(1, 31)])), draw(st.integers(1, 200))
    return Gemm(bytes, mr, nv, mc, nc, kc, pack, ahead, share, below)


@pytest.mark.parametrize("name", KERNELS)
@examples(6)
@given(plan=plans(), m=lengths, n=lengths, k=lengths, static=st.booleans())
def test_any_plan_gives_the_bits_of_the_nests(
    name: str, plan: Gemm, m: int, n: int, k: int, static: bool
) -> None:
    m = 3 + m % 5 if name.startswith("convolution") else m
    text, sizes = KERNELS[name], {"M": m, "N": n, "K": k}
    if static:
        m, n, sizes = max(m, 3), max(n, 2), {}
        text = fixed(text, m, n, k)
    agree(text, sizes, plan)


@pytest.mark.parametrize("name", KERNELS)
def test_machine_code_gives_the_bits_of_the_nests(name: str) -> None:
    agree(KERNELS[name], {"M": 35, "N": 75, "K": 40}, special=True, native=True)
    agree(fixed(KERNELS[name], 35, 100, 40), native=True)


def test_tasks_of_a_number_of_rows_that_is_not_known_are_whole_tiles() -> None:
    text, sizes = re.sub("K: 0", "K: 1", KERNELS["bare"]), {"M": 29, "N": 32, "K": 8}
    agree(text, sizes, Gemm(64, 14, 2, 16, 32))


@pytest.mark.parametrize("n", [0, 70, 96])
def test_a_thread_takes_several_tasks_at_once(n: int) -> None:
    plan = Gemm(64, 1, 2, 3, 32, 8)
    agree(fixed(KERNELS["plain"], 3, 96, 40), {}, plan, native=True)
    text = fixed(KERNELS["plain"].replace("<M: 0, N: 0, K: 0>", "<B: 0>"), 3, 777, 40)
    agree(text.replace("777", "B"), {"B": n}, plan, native=True)


@pytest.mark.parametrize("name", KERNELS)
def test_it_is_chosen_for_products(name: str) -> None:
    assert isinstance(choose_plan(parse_kernel(KERNELS[name]), MACHINE), Gemm)


def chosen(m: int, n: int, k: int, text: str = KERNELS["plain"]) -> Gemm:
    plan = choose_plan(parse_kernel(fixed(text, m, n, k)), MACHINE)
    assert isinstance(plan, Gemm)
    return plan


def test_a_matrix_that_many_tiles_read_is_packed() -> None:
    assert chosen(1024, 1024, 1024).pack == ("right",)
    assert chosen(512, 512, 512).pack == ("right",)
    assert chosen(128, 512, 512).pack == ()
    assert chosen(1024, 32, 1024).pack == ()
    assert chosen(64, 1024, 1024).pack == ("right",)
    assert chosen(32, 256, 256).pack == ()


def test_what_does_not_stay_in_the_first_cache_is_asked_for_ahead() -> None:
    assert chosen(4, 4096, 1024).ahead > 0
    assert chosen(128, 512, 512).ahead > 0
    assert chosen(1024, 1024, 1024).ahead > 0
    assert chosen(4, 64, 64).ahead == 0
    assert chosen(1024, 1024, 64).ahead == 0


def test_rows_that_are_columns_in_memory_are_packed_if_they_are_long() -> None:
    turned = KERNELS["left turned"]
    assert chosen(1000, 512, 784, turned).pack == ("left", "right")
    assert chosen(1024, 512, 128, turned).pack == ("left", "right")
    assert chosen(1000, 512, 128, turned).pack == ("right",)
    assert chosen(1024, 32, 784, turned).pack == ()


def test_deep_products_are_cut_into_blocks_of_whole_chunks() -> None:
    long = KERNELS["plain"].replace(ORDER, "<serial, 1024>")
    assert chosen(1024, 1024, 1024, long).kc == 0
    assert chosen(1024, 1024, 5000, long).kc == 1024
    assert chosen(48, 1024, 5000, KERNELS["left turned"]).kc > 0
    assert chosen(8, 64, 5000, long).kc == 0
    assert chosen(48, 1024, 2048, KERNELS["convolution"]).kc > 0


def test_a_depth_that_is_not_known_counts_as_deep() -> None:
    text = fixed(KERNELS["left turned"], 128, 512, 0).replace("[0, 128]", "[K, 128]")
    plan = choose_plan(parse_kernel(re.sub("%k : 0", "%k : K", text)), MACHINE)
    assert isinstance(plan, Gemm)
    assert "left" in plan.pack


@pytest.mark.parametrize(
    ("kernel", "order", "positions", "steps"),
    [
        ("two axes folded apart", "<serial>", 40, [2]),
        ("two axes folded apart", "<serial>", 6, [1, 6]),
        ("two axes folded apart", "<serial, 40>", 41, [2]),
        ("two axes folded apart", "<serial, 16>", 40, []),
        ("two axes folded apart", "<serial>", 60, []),
        ("plain", "<serial, 8>", 17, [16]),
        ("plain", "<serial, 8>", 6, [2]),
        ("two axes folded apart", "<serial, 40>", 21, [1]),
        ("two axes folded apart", "<serial, 40>", 19, [2]),
    ],
)
def test_blocks_are_whole_chunks_or_parts_of_one(
    kernel: str, order: str, positions: int, steps: list[int]
) -> None:
    text = fixed(KERNELS[kernel].replace(ORDER, order), 8, 8, 20)
    contraction = contraction_of(Analysis(parse_kernel(text).nests[0]))
    assert not isinstance(contraction, str)
    assert [count for _, count in contraction.blocks(positions)] == steps


@pytest.mark.parametrize(("rows", "height"), [(1, 1), (5, 5), (16, 16)])
def test_a_matrix_that_few_tiles_need_turned_is_read_in_squares(rows: int, height: int) -> None:
    plan = chosen(rows, 5000, 768, KERNELS["right turned"])
    assert (plan.mr, plan.nv, plan.pack, plan.ahead) == (height, 1, (), 0)
    kernel = expanded(fixed(KERNELS["right turned"], rows, 5008, 768), plan)
    loops = [op for op in kernel.walk() if op.name == "loop.for" and not _loops_in(op)]
    counts = [sum(isinstance(op, FmaOp) for op in loop.walk()) for loop in loops]
    assert counts == [16 * height]
    assert not any(isinstance(op, GatherOp) for op in kernel.walk())


def test_what_lies_neither_along_the_fold_nor_the_lanes_is_packed() -> None:
    text = fixed(KERNELS["right turned"], 4, 64, 64)
    apart = text.replace("[%j, %k]", "[%j, (2) * %k]").replace("[64, 64] x", "[64, 128] x", 1)
    assert apart.count("128") == apart.count("(2) * %k") == 1
    plan = choose_plan(parse_kernel(apart), MACHINE)
    assert isinstance(plan, Gemm)
    assert plan.pack == ("right",)


def test_a_matrix_that_is_turned_is_packed() -> None:
    assert chosen(64, 64, 64, KERNELS["right turned"]).pack == ("right",)
    kernel = expanded(fixed(KERNELS["right turned"], 64, 64, 64))
    assert sum(isinstance(op, GatherOp) for op in kernel.walk()) <= 8


def test_positions_in_the_padding_are_skipped() -> None:
    kernel = expanded(fixed(KERNELS["convolution"], 56, 64, 64))
    inner = [op for op in kernel.walk() if op.name == "loop.for" and not _loops_in(op)]
    assert all("loop.compare" not in str(op) and "where" not in str(op) for op in inner)


def test_what_is_not_read_in_the_padding_is_not_read_before_the_image_either() -> None:
    """Where channels are reversed, those behind the first lie before it."""
    text = fixed(KERNELS["convolution"], 8, 16, 64)
    turned = text.replace("+ -1, %i] where", "+ -1, (-1) * %i + 63] where")
    assert turned != text
    agree(text, {}, Gemm(64, 4, 1))
    agree(turned, {}, Gemm(64, 4, 1))
    places = [op for op in expanded(turned, Gemm(64, 4, 1)).walk() if isinstance(op, LoadOp)]
    assert any(op.mask is not None and op.source.name_hint == "x" for op in places)


BANDED = """
loop.kernel @banded(%x: !loop.buffer<[14, 3, 20] x f32>, %w: !loop.buffer<[3, 20, 32] x f32>)
    -> (%y: !loop.buffer<[14, 32] x f32>) {
  loop.nest [%i : 14, %j : 32] {
    %s = loop.fold fma <serial> [%g : 3, %k : 20] {
      %low = arith.constant 0 : index
      %high = loop.index 14
      %at = loop.index %i + %g + -1
      %a = loop.compare ge %at, %low : index
      %b = loop.compare lt %at, %high : index
      %c = arith.andi %a, %b : i1
      %u = loop.read %x[%i, %g, %k] where %c : f32
      %v = loop.read %w[%g, %k, %j] where %c : f32
      %zero = arith.constant 0.0 : f32
      %nothing = arith.constant -0.0 : f32
      %p = loop.select %c, %u, %zero : i1, f32
      %q = loop.select %c, %v, %nothing : i1, f32
      loop.yield %p, %q : f32, f32
    } : f32
    loop.write %s, %y[%i, %j] : f32
  }
}"""


@pytest.mark.parametrize("pack", [(), ("left",), ("right",), ("left", "right")])
@pytest.mark.parametrize("mr", [2, 4, 7, 14])
def test_rows_at_the_ends_of_a_band_are_left_out(mr: int, pack: tuple[str, ...]) -> None:
    """By loops for the other rows, unless they lie in panels of a whole tile."""
    plan = Gemm(64, mr, 1, pack=pack)
    agree(BANDED, {}, plan, special=True)
    loops = [op for op in expanded(BANDED, plan).walk() if op.name == "loop.for"]
    counts = {sum(isinstance(op, FmaOp) for op in loop.body.block.ops) for loop in loops}
    assert (mr - 1 in counts) is ("left" not in pack and mr > 2)


def _loops_in(op: Operation) -> bool:
    return any(each is not op and each.name == "loop.for" for each in op.walk())


def test_small_products_are_left_to_one_thread() -> None:
    for size, shared in ((32, False), (512, True)):
        kernel = expanded(fixed(KERNELS["plain"], size, size, size))
        assert any(isinstance(op, ParallelOp) for op in kernel.walk()) is shared


@pytest.mark.parametrize("registers", [16, 32])
def test_the_sums_of_a_tile_stay_in_registers(registers: int) -> None:
    shapes = list(tiles(100, 100, registers))
    assert (4 if registers == 16 else 8, 3) in shapes
    assert all(mr * nv + (nv if mr > 1 else 1) + 1 <= registers for mr, nv in shapes)


def problem(m: int, n: int, k: int, middle: int = 1, apart: int = 0, inside: int = 0) -> Product:
    return Product(m, n, 1, k, middle, 1, k, 16, 4, apart=apart, inside=inside)


def test_tiles_that_divide_the_matrix_cost_less() -> None:
    assert problem(56, 64, 64).cycles(14, 2, MACHINE) < problem(56, 64, 64).cycles(12, 2, MACHINE)


@pytest.mark.parametrize(
    ("apart", "most"), [(1024, 8), (3072, 8), (512, 14), (1040, 14), (1536, 14), (1, 14), (0, 14)]
)
@pytest.mark.parametrize("machine", ["x86-64-v4", "znver4", "sapphirerapids"])
def test_rows_of_a_tile_have_places_in_the_first_cache(machine: str, apart: int, most: int) -> None:
    known = MACHINES[machine]
    least = 14 if most == 14 else 6
    most = known.l1_ways if most == 8 else most
    rows, _ = problem(140, 32, 1024, apart=apart).tile(14, False, 32, known)
    assert least <= rows <= most


def test_tiles_are_lower_where_ends_of_rows_cost_more() -> None:
    zen4 = MACHINES["znver4"]
    rows = [
        problem(112, 32, 147, 112, inside=inside).tile(14, False, 32, zen4)[0]
        for inside in (0, 147, 3)
    ]
    assert rows[:2] == [14, 14]
    assert 7 <= rows[2] <= 8


def test_panels_are_as_many_as_threads_can_share() -> None:
    """Of tiles that cost the same."""
    product = problem(512, 512, 512)
    nines, sixes = product.cycles(9, 3, MACHINE), product.cycles(6, 4, MACHINE)
    assert nines == pytest.approx(sixes, rel=0.01)
    assert product.tile(14, False, 512, MACHINE) == (6, 4)


def test_tiles_are_no_larger_than_the_matrix() -> None:
    assert problem(3, 20, 1000).tile(14, False, None, MACHINE) == (3, 2)


def test_flat_tiles_wait_for_panels_from_the_second_cache() -> None:
    near, far = problem(1008, 1008, 64), problem(1008, 1008, 4096)
    assert near.cycles(4, 6, MACHINE) < far.cycles(4, 6, MACHINE)
    assert near.cycles(14, 3, MACHINE) == far.cycles(14, 3, MACHINE)


@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.integers(1, 5000),
    st.sampled_from([1, 7, 56]),
    st.sampled_from([0, 256]),
    st.booleans(),
)
def test_tasks_are_whole_tiles_or_whole_rows_of_images(
    m: int, n: int, k: int, middle: int, kc: int, packs: bool
) -> None:
    product = problem(m, n, k, middle)
    mr, nv = product.tile(14, False, None, MACHINE)
    mc, nc = product.task(mr, nv, kc, packs, MACHINE)
    assert nc % (nv * 16) == 0
    assert mc % mr == 0 if mc < m else mc % m == 0 or mc - m < mr


@pytest.mark.parametrize("machine", ["x86-64-v3", "x86-64-v4"])
@pytest.mark.parametrize("rows", [1, 16, 1000])
def test_panels_are_read_where_they_lie_and_a_task_takes_several(machine: str, rows: int) -> None:
    kernel = KERNELS["right in panels"].replace("3, K", "96, K").replace("M, 3", "M, 96")
    text = fixed(kernel.replace("%h : 3", "%h : 96"), rows, 32, 768)
    plan = choose_plan(parse_kernel(text), MACHINES[machine])
    assert isinstance(plan, Gemm)
    assert plan.pack == ()
    panel = plan.nv * plan.bytes
    expected = {1: (AHEAD // panel, 0), 16: (768, -(-16 // plan.mr)), 1000: (AHEAD // panel, 0)}
    assert (plan.ahead, plan.share) == expected[rows]
    assert plan.mc >= min(rows, 16)
    assert plan.nc > 32


def test_few_tiles_read_rows_from_afar_to_their_ends() -> None:
    one_chunk = KERNELS["plain"].replace(ORDER, "<serial, 1024>")
    for rows in (1, 8, 32):
        plan = chosen(rows, 3072, 768, one_chunk)
        assert (plan.pack, plan.kc) == ((), STREAMS)
        assert plan.ahead > 0
        assert 4 * plan.nc >= RUN
    assert chosen(8, 256, 768, one_chunk).kc == 0
    assert chosen(100, 3072, 768, one_chunk).pack == ("right",)
    assert chosen(1, 3072, 3072, one_chunk).nv * 64 == PIECE
    assert chosen(8, 3072, 3072, one_chunk).kc == STREAMS


def test_a_window_that_is_inside_is_told_by_the_ends_of_a_tile() -> None:
    text = fixed(KERNELS["convolution"].replace("7", "56"), 56, 64, 3)
    kernel = expanded(text, Gemm(64, 14, 2, 56, 64))
    both = [
        op
        for op in kernel.walk()
        if isinstance(op, IfOp)
        and all(any(isinstance(each, FmaOp) for each in way.walk()) for way in op.regions)
    ]
    for op in both:
        block = op.parent
        assert block is not None
        assert sum(isinstance(each, CompareOp) for each in block.ops) <= 8
    assert both


def test_the_panel_of_a_turned_matrix_stays_in_a_cache() -> None:
    deep = KERNELS["right turned"].replace(ORDER, "<serial, 1024>")
    for k in (768, 3000):
        plan = chosen(64, 5000, k, deep)
        assert plan.nv * plan.bytes * (plan.kc or k) <= MACHINE.l2
        assert plan.kc in (0, 1024)
    assert chosen(64, 5000, 768, deep).kc == 0


def test_one_row_is_as_many_tasks_as_it_takes_to_load_the_matrix() -> None:
    assert chosen(1, 768, 3072).nc <= 768 // 2
    assert chosen(1, 32768, 768).nc <= 32768 // 8
    assert chosen(1, 512, 784).nc < 512
    assert chosen(1, 128, 128).mc == 0


@pytest.mark.parametrize(
    ("count", "tasks", "each"), [(32, 6, 4), (72, 16, 3), (24, 16, 2), (1571, 16, 79), (7, 9, 1)]
)
def test_tasks_are_alike(count: int, tasks: int, each: int) -> None:
    """A few threads have as much to do as each other, if that takes at most twice the tasks."""
    assert evenly(count, tasks) == each


def test_a_panel_is_packed_once_if_the_left_operand_stays_in_the_last_cache() -> None:
    one_chunk = KERNELS["plain"].replace(ORDER, "<serial, 1024>")
    for size, whole in ((1024, True), (2048, True), (8192, False)):
        plan = chosen(size, size, size, one_chunk)
        assert plan.pack == ("right",)
        assert (plan.mc >= size) is whole


def test_a_deep_product_is_cut_along_its_lanes() -> None:
    """Each task packs its panels, and reads the left operand, once."""
    plan = chosen(1024, 512, 16384, KERNELS["plain"].replace(ORDER, "<serial>"))
    assert plan.kc > 0
    assert plan.pack == ("right",)
    assert plan.mc >= 1024
    assert plan.nc == plan.nv * 16


@pytest.mark.parametrize(("k", "long"), [(64, False), (256, False), (768, True)])
def test_a_task_is_short_where_all_panels_stay_in_the_second_cache(k: int, long: bool) -> None:
    kernel = KERNELS["right in panels"].replace("3, K", "16, K").replace("M, 3", "M, 16")
    text = fixed(kernel.replace("%h : 3", "%h : 16"), 5000, 32, k)
    plan = choose_plan(parse_kernel(text), MACHINE)
    assert isinstance(plan, Gemm)
    vectors = plan.mc * k * 16 * 32 * 4 // plan.bytes
    assert (plan.mc > 5 * plan.mr) is long
    assert long or (plan.nc == 16 * 32 and TASK <= vectors < TASK + plan.mr * k * 32)


def test_rows_at_a_distance_known_at_run_time_are_few() -> None:
    plan = choose_plan(parse_kernel(KERNELS["plain"]), MACHINE)
    assert isinstance(plan, Gemm)
    assert plan.mr <= 6


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (KERNELS["plain"].replace("fma <serial, 16>", "fma <lanes, 4096>"), "serial fold"),
        (
            product(left="M, N, K: %i, %j, %k", right="K, N: %k, %j", epilogue=False),
            "both terms or none",
        ),
    ],
)
def test_it_refuses_what_is_no_product(text: str, reason: str) -> None:
    refusal = Gemm.fits(parse_kernel(text), MACHINE)
    assert refusal is not None
    assert reason in refusal.reason


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_stay_small(name: str) -> None:
    assert sum(1 for _ in expanded(KERNELS[name]).walk()) < 1700
