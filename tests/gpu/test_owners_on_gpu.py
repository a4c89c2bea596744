"""What a program writes between kernels, on the emulated GPU: many threads, the order of one."""

from pathlib import Path

import numpy as np
import pytest

from arrays import Array, expect_same_bits
from assembler import assemble, needs_assembler, within_budget
from emulator.block import Order
from gpu_programs import OnGpu
from programs import Interpreter, block_of, module_of
from stepwell.compiler.machines.gpu.nvidia import GPUS
from stepwell.compiler.ops.dynamic_slices import update_slice
from stepwell.compiler.ops.gathering import scatter_add
from stepwell.compiler.ops.value import Value
from stepwell.compiler.pipeline import compile_module
from stepwell.runtime.dtypes import BY_NAME
from tensor_types import tensor_of

RANDOM = np.random.default_rng(34)


def draw(dtype: str, *shape: int) -> Array:
    return RANDOM.standard_normal(shape).astype(BY_NAME[dtype].numpy)


def check(write, types: list[str], arrays: list[Array], order: Order = Order.TOGETHER) -> OnGpu:
    module = module_of(block_of([tensor_of(text) for text in types], write))
    gpu = OnGpu(module, order=order)
    expect_same_bits(gpu("f0", arrays), Interpreter(module)("f0", arrays))
    return gpu


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize(("dtype", "width"), [("f32", 1), ("bf16", 7), ("f32", 35)])
def test_sums_at_a_place_come_in_their_order(dtype: str, width: int, order: Order) -> None:
    """Of 50 updates to four rows some are dropped; any other order gives other bits."""
    indices = RANDOM.integers(-1, 5, 50).astype(np.int32)
    types = [f"{dtype}[N,{width}]", "i32[M]", f"{dtype}[M,{width}]"]
    arrays = [draw(dtype, 4, width), indices, draw(dtype, 50, width)]
    gpu = check(lambda x, i, u: [scatter_add(x, i, u)], types, arrays, order)
    assert gpu.image.ptx.count(".reqntid 256") == gpu.image.ptx.count(".entry") == 1
    assert not gpu.image.host_controlled


def test_every_example_of_a_batch_has_sums_of_its_own() -> None:
    indices = RANDOM.integers(0, 3, (2, 20)).astype(np.int64)
    arrays = [draw("f32", 2, 3, 5), indices, draw("f32", 2, 20, 5)]
    types = ["f32[2,3,5]", "i64[2,20]", "f32[2,20,5]"]
    check(lambda x, i, u: [scatter_add(x, i, u, 1)], types, arrays)


def cache(keys: Value, values: Value, new: Value, place: Value) -> list[Value]:
    """Both are changed where they lie, after kernels have made them."""
    zero = place * 0
    starts = [zero, place, zero]
    keys, values = keys * 2, values * 3
    return [update_slice(keys, new, starts), update_slice(values, new * 5, starts)]


@pytest.mark.parametrize(
    ("place", "new", "order"),
    [(-3, 1, Order.TOGETHER), (4, 3, Order.FORWARD), (9, 3, Order.BACKWARD)],
)
def test_a_slice_goes_where_the_gpu_says(place: int, new: int, order: Order) -> None:
    types = ["f32[2,7,5]", "f32[2,7,5]", f"f32[2,{new},5]", "i64[]"]
    arrays = [draw("f32", 2, 7, 5), draw("f32", 2, 7, 5), draw("f32", 2, new, 5)]
    gpu = check(cache, types, [*arrays, np.array(place)], order)
    assert not gpu.image.host_controlled
    assert not gpu.card.copied


def test_a_slice_of_one_piece() -> None:
    def write(x: Value, new: Value, place: Value) -> list[Value]:
        return [update_slice(x + 1, new, [place])]

    types = ["f32[N]", "f32[3]", "i32[]"]
    gpu = check(write, types, [draw("f32", 9), draw("f32", 3), np.array(4, np.int32)])
    assert not gpu.image.host_controlled


@needs_assembler
@pytest.mark.parametrize("machine", GPUS)
def test_what_the_assembler_gives(machine: str, tmp_path: Path) -> None:
    types = [tensor_of(text) for text in ("f32[N,768]", "i32[M]", "f32[M,768]")]
    module = module_of(block_of(types, lambda x, i, u: [scatter_add(x, i, u)]))
    taken = assemble(compile_module(module, GPUS[machine]).ptx, machine, tmp_path)
    assert all(within_budget("owners", each) for each in taken.values()), taken
