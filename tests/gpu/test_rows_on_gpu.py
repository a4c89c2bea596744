"""Rows on the emulated GPU under the strategy `warps`: the bits of the nests, races looked for."""

import re

import numpy as np
import pytest

from emulator.block import Order
from gpu_programs import OnGpu
from programs import block_of, module_of
from row_programs import Write, centred, check, extremes, softmax
from stepwell.runtime.dtypes import BY_NAME
from tensor_types import tensor_of

pytestmark = pytest.mark.device


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
    plans = " ".join(gpu.image.plans.values())
    assert re.search("<(warps|crews|chunks)", plans)


def test_a_short_row_stays_in_registers() -> None:
    """Softmax reads each element once and writes it once, sixteen bytes at a time."""
    module = module_of(block_of([tensor_of("f32[64,1024]")], softmax))
    ptx = OnGpu(module).image.ptx
    assert len(re.findall(r"ld\.global\S*\.v4", ptx)) == 16
    assert len(re.findall(r"st\.global\.v4", ptx)) == 16
    assert not re.search(r"(ld|st)\.(local|global(\.nc)?\.b32)", ptx)
    assert len(re.findall(r"shfl\.sync", ptx)) == 2 * 4 * 4
