"""Long rows on the emulated GPU, each a block's: the bits of the nests, races looked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assembler import assemble, needs_assembler, within_budget
from emulator.block import Order
from emulator.emulated import EmulatedDevice
from gpu_kernels import agree_on_gpu, ptx_of_kernel
from gpu_programs import OnGpu
from long_folds import BOTH, GREATEST, PRODUCT, SOFTMAX, fixed, total
from programs import block_of, module_of
from row_programs import Write, centred, check, extremes, softmax
from stepwell.compiler.lower.grids.crews import Crews
from stepwell.compiler.machines.gpu.nvidia import GPUS
from stepwell.runtime.dtypes import BY_NAME
from tensor_types import tensor_of

pytestmark = pytest.mark.device


@pytest.mark.parametrize(
    ("text", "shape", "order"),
    [
        ("f32[3,2048]", (3, 2048), Order.TOGETHER),
        ("f32[B,1100]", (2, 1100), Order.BACKWARD),
        ("f32[B,S]", (2, 1400), Order.FORWARD),
        ("f32[B,S]", (1, 1402), Order.TOGETHER),
        ("f32[B,S]", (0, 1400), Order.TOGETHER),
        ("f64[2,4500]", (2, 4500), Order.BACKWARD),
        ("f32[1,9000]", (1, 9000), Order.FORWARD),
        ("f32[1,100]", (1, 100), Order.BACKWARD),
        ("f32[2,2,1500]", (2, 2, 1500), Order.BACKWARD),
        ("bf16[2,5130]", (2, 5130), Order.TOGETHER),
    ],
)
@pytest.mark.parametrize("write", [softmax, centred])
def test_long_rows(write: Write, text: str, shape: tuple[int, ...], order: Order) -> None:
    random = np.random.default_rng(shape[-1])
    array = random.standard_normal(shape).astype(BY_NAME[text.partition("[")[0]].numpy)
    gpu = check(write, text, array, order)
    assert any("<crews" in plan for plan in gpu.image.plans.values())


def test_few_long_rows_that_are_read_once() -> None:
    array = np.random.default_rng(1).standard_normal((3, 1300)).astype("f")
    gpu = check(extremes, "f32[3,1300]", array)
    assert all("<crews" in plan for plan in gpu.image.plans.values())


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("n", [1025, 64 * 192, 64 * 400 + 1])
def test_all_in_one_number(n: int, order: Order) -> None:
    text = fixed(total("add", "lanes, 64"), N=n)
    agree_on_gpu(text, {}, Crews(threads=64), order, special=True)


@pytest.mark.parametrize("room", [99 << 10, 40000, 12000, 64])
def test_what_has_no_room_stays_where_it_was(room: int) -> None:
    agree_on_gpu(fixed(SOFTMAX, B=2), {}, Crews(threads=128, room=room), Order.BACKWARD)


def test_several_results_pairs_and_products() -> None:
    agree_on_gpu(BOTH, {}, Crews(), special=True)
    agree_on_gpu(fixed(GREATEST, M=20), {}, Crews(threads=64), special=True)
    agree_on_gpu(fixed(PRODUCT, M=3, K=1100), {}, Crews(threads=32), special=True)


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("text", "longest", "room"), [("f32[B,4096]", 4096, 0), ("f32[B,S]", 2048, 99 << 10)]
)
def test_the_image_says_what_launches_give_a_block(
    text: str, longest: int, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, launch = list[int](), EmulatedDevice.launch

    def noted(device: EmulatedDevice, *arguments: Any) -> None:
        given.append(arguments[3])
        launch(device, *arguments)

    monkeypatch.setattr(EmulatedDevice, "launch", noted)
    gpu = check(softmax, text, np.zeros((1, longest), "f"))
    assert gpu.image.shared == (room or max(given))


def test_a_long_row_is_read_once() -> None:
    """Sixteen bytes at a time, by each of 256 threads; it has four vectors."""
    ptx = OnGpu(module_of(block_of([tensor_of("f32[5000,4096]")], softmax))).image.ptx
    assert ptx.count("ld.global") == ptx.count("ld.global.nc.v4.b32") == 4
    assert ptx.count("st.global") == ptx.count("st.global.v4.b32") == 4


@needs_assembler
@pytest.mark.parametrize("machine", GPUS)
@pytest.mark.parametrize(
    ("name", "text"), [("crews", SOFTMAX), ("crews_of_one_row", fixed(SOFTMAX, B=1))]
)
def test_what_the_assembler_gives(name: str, text: str, machine: str, tmp_path: Path) -> None:
    taken = assemble(ptx_of_kernel(text, GPUS[machine]), machine, tmp_path)
    assert all(within_budget(name, each) for each in taken.values()), taken
