"""Rows on the emulated GPU under the strategy `warps`: the bits of the nests, races looked for."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from arrays import Array, expect_same_bits
from emulator.block import Order
from gpu_programs import OnGpu
from programs import Interpreter, block_of, module_of
from stepwell.compiler.ops.value import Value
from stepwell.runtime.dtypes import BY_NAME
from tensor_types import tensor_of

pytestmark = pytest.mark.device
Write = Callable[[Value], Sequence[Value]]


def along(x: Value, row: Value) -> Value:
    """Numbers of rows for each of their elements."""
    return row.broadcast(x.shape, range(x.rank - 1))


def softmax(x: Value) -> Sequence[Value]:
    e = (x - along(x, x.max((x.rank - 1,)))).apply("exp")
    return [e / along(x, e.sum((x.rank - 1,)))]


def centred(x: Value) -> Sequence[Value]:
    """Two results, of which one is a number for each row."""
    last = (x.rank - 1,)
    moved = x - along(x, x.sum(last) * 0.125)
    square = (moved * moved).sum(last)
    return [moved * along(x, square.apply("rsqrt")), square]


def extremes(x: Value) -> Sequence[Value]:
    return [x.max((x.rank - 1,)), x.apply("reduce_min", axes=(x.rank - 1,))]


def check(write: Write, text: str, array: Array, order: Order = Order.TOGETHER) -> OnGpu:
    module = module_of(block_of([tensor_of(text)], write))
    gpu = OnGpu(module, order=order)
    expect_same_bits(gpu("f0", [array]), Interpreter(module)("f0", [array]))
    return gpu


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("f32[B,1000]", (3, 1000)),
        ("f32[3,64]", (3, 64)),
        ("f32[20,33]", (20, 33)),
        ("f32[B,S]", (2, 200)),
        ("f64[5,70]", (5, 70)),
        ("f32[2,3,100]", (2, 3, 100)),
        ("bf16[2,130]", (2, 130)),
        ("f32[2,4200]", (2, 4200)),
        ("f32[B,S]", (0, 40)),
    ],
)
@pytest.mark.parametrize("write", [softmax, centred, extremes])
def test_rows_give_the_bits_of_the_nests(
    write: Write, text: str, shape: tuple[int, ...], order: Order
) -> None:
    random = np.random.default_rng(shape[-1])
    array = random.standard_normal(shape).astype(BY_NAME[text.partition("[")[0]].numpy)
    gpu = check(write, text, array, order)
    assert any("<warps" in plan or "<chunks" in plan for plan in gpu.image.plans.values())


def test_a_short_row_stays_in_registers() -> None:
    """Softmax reads each element once and writes it once, sixteen bytes at a time."""
    module = module_of(block_of([tensor_of("f32[64,1024]")], softmax))
    ptx = OnGpu(module).image.ptx
    assert len(re.findall(r"ld\.global\S*\.v4", ptx)) == 16
    assert len(re.findall(r"st\.global\.v4", ptx)) == 16
    assert not re.search(r"(ld|st)\.(local|global(\.nc)?\.b32)", ptx)
    assert len(re.findall(r"shfl\.sync", ptx)) == 2 * 4 * 4
