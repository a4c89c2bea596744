"""Long folds of few rows on the emulated GPU: chunks shared among blocks give the nests' bits."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler import assemble, needs_assembler, within_budget
from emulator.block import Order
from gpu_kernels import agree_on_gpu, ptx_of_kernel
from long_folds import BOTH, COLUMNS, GREATEST, PRODUCT, SOFTMAX, VARIANCE, fixed, total
from loop_text import parse_kernel
from stepwell.compiler.lower.grids.chunks import Chunks
from stepwell.compiler.lower.grids.plans import GRIDS
from stepwell.compiler.lower.strategies import choose_plan
from stepwell.compiler.machines.gpu.nvidia import GPUS, SM_80

pytestmark = pytest.mark.device
ENDS = st.sampled_from((0, 1, 63, 64, 65, 64 * 191, 64 * 192, 64 * 193 + 7, 64 * 400 + 1))


@settings(max_examples=5, deadline=None)
@given(ENDS, st.sampled_from(Order))
def test_all_in_one_number(n: int, order: Order) -> None:
    strategy = Chunks() if n > 64 else None
    agree_on_gpu(fixed(total("add", "lanes, 64"), N=n), {}, strategy, order, special=True)


@pytest.mark.parametrize("n", [0, 64 * 193 + 7])
def test_any_length(n: int) -> None:
    agree_on_gpu(total("add", "lanes, 64"), {"N": n}, special=True)


@pytest.mark.parametrize("element", ["f64", "i32", "i64"])
@pytest.mark.parametrize("kind", ["add", "mul"])
def test_other_types(kind: str, element: str) -> None:
    agree_on_gpu(fixed(total(kind, "lanes, 64", element), N=64 * 200 + 3))


@pytest.mark.parametrize(("kind", "element"), [("max", "f32"), ("min", "i8"), ("and", "i1")])
@pytest.mark.parametrize("n", [0, 40000])
def test_any_order(kind: str, element: str, n: int) -> None:
    agree_on_gpu(fixed(total(kind, "any", element), N=n), special=True)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 5), st.sampled_from((0, 1, 64, 1000, 64 * 200)))
def test_sums_of_products_keep_the_sign_of_zero(m: int, k: int) -> None:
    agree_on_gpu(fixed(PRODUCT, M=m, K=k), special=True)


@settings(max_examples=5, deadline=None)
@given(st.sampled_from((0, 1, 16, 17, 100, 16 * 70 + 5)), st.integers(0, 9))
def test_columns(m: int, n: int) -> None:
    agree_on_gpu(fixed(COLUMNS, M=m, N=n), special=True)


@pytest.mark.parametrize("m", [0, 500])
def test_the_place_of_the_greatest(m: int) -> None:
    agree_on_gpu(GREATEST, {"M": m}, special=True)


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("rows", [0, 3])
def test_a_fold_that_needs_another(rows: int, order: Order) -> None:
    agree_on_gpu(fixed(VARIANCE, B=rows), {}, Chunks(), order=order)


@pytest.mark.parametrize("order", Order)
def test_nests_that_leave_numbers_to_each_other(order: Order) -> None:
    agree_on_gpu(fixed(SOFTMAX, B=2), {}, Chunks(), order=order)


def test_several_results() -> None:
    agree_on_gpu(BOTH, {}, Chunks(), special=True)


def test_a_thread_adds_while_it_loads() -> None:
    """Of 400 results it adds 192 in each step, 96 of them while 96 others are on their way."""
    ptx = agree_on_gpu(fixed(total("add", "lanes, 64"), N=64 * 400), {}, Chunks())
    loop = re.search(r"\n\$L__BB1_\d+:.*?bra", ptx[ptx.index(".entry total_1") :], re.DOTALL)
    assert loop is not None
    half = [*24 * ["ld.global"], "bar.warp", *96 * ["add.rn"]]
    assert re.findall(r"ld\.global|bar\.warp|add\.rn", loop[0]) == [*half, *half]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (fixed(total("add", "lanes, 4096"), N=1 << 20), "chunks"),
        (fixed(total("add", "lanes, 4096"), N=1 << 17), "crews"),
        (fixed(total("add", "lanes, 4096"), N=1024), "warps"),
        (fixed(total("max", "any"), N=1 << 28), "chunks"),
        (fixed(VARIANCE, B=4000), "chunks"),
        (fixed(VARIANCE, B=5000), "warps"),
        (fixed(COLUMNS, M=5000, N=256), "chunks"),
        (fixed(COLUMNS, M=16, N=256), "grid"),
        (fixed(SOFTMAX, B=2), "crews"),
        (SOFTMAX, "crews"),
    ],
)
def test_few_long_rows_are_shared(text: str, name: str) -> None:
    assert choose_plan(parse_kernel(text), SM_80, GRIDS).name == name


@needs_assembler
@pytest.mark.parametrize("machine", GPUS)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("chunks", fixed(total("add", "lanes, 4096"), N=1 << 28)),
        ("chunks_of_columns", fixed(COLUMNS, M=1 << 20, N=256)),
        ("chunks_of_any_length", total("add", "lanes, 4096")),
    ],
)
def test_what_the_assembler_gives(name: str, text: str, machine: str, tmp_path: Path) -> None:
    taken = assemble(ptx_of_kernel(text, GPUS[machine]), machine, tmp_path)
    assert all(within_budget(name, each) for each in taken.values()), taken
