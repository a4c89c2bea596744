"""Kernels that LLVM wrote: their answers, and the bugs that are planted in them."""

import re
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from device_of_kernels import device_of_kernels
from emulator.block import Order
from emulator.errors import AccessError, RaceError
from llvm_ptx import ptx_of
from small_kernels import Array

Extent = tuple[int, int, int]
ORDERS = pytest.mark.parametrize("order", Order)
random = np.random.default_rng(0)


def launch(
    ptx: str, grid: Extent, block: Extent, arguments: Sequence[Any], result: Array, shared: int = 0,
    order: Order = Order.TOGETHER,
) -> Array:  # fmt: skip
    """Runs the only kernel of a module on arrays, a result after them, and numbers."""
    device = device_of_kernels(order)
    name = re.findall(r"\.entry (\w+)", ptx)[0]
    function = device.load(ptx).function(name)
    values: list[Any] = []
    for place, each in enumerate(arguments):
        if isinstance(each, np.ndarray):
            values.append(device.allocate(each.nbytes, f"argument {place}"))
            device.copy_in(values[-1], each)
        else:
            values.append(each)
    out = device.allocate(result.nbytes, "the result")
    arrays = sum(isinstance(each, np.ndarray) for each in arguments)
    device.launch(function, grid, block, shared, [*values[:arrays], out, *values[arrays:]])
    found = np.zeros_like(result)
    device.copy_out(found, out)
    return found


@pytest.mark.device
@ORDERS
@pytest.mark.parametrize("count", [256, 1000])
def test_vector_add(count: int, order: Order) -> None:
    x, y = random.standard_normal((2, 4 * count)).astype(np.float32)
    ptx = ptx_of("vector_add")
    assert "ld.global.nc.v4" in ptx
    found = launch(ptx, (4, 1, 1), (256, 1, 1), [x, y, np.int32(count)], x, order=order)
    assert (found == x + y).all()


def test_vector_add_past_the_end() -> None:
    x = np.zeros(4 * 256, np.float32)
    with pytest.raises(AccessError, match="of argument 0, which is outside: it has 4096 bytes"):
        launch(ptx_of("vector_add"), (2, 1, 1), (256, 1, 1), [x, x, np.int32(257)], x)


@pytest.mark.device
@ORDERS
@pytest.mark.parametrize("columns", [3, 32, 100])
def test_softmax(columns: int, order: Order) -> None:
    x = random.standard_normal((4, columns)).astype(np.float32)
    found = launch(ptx_of("softmax"), (4, 1, 1), (32, 1, 1), [x, np.int32(columns)], x, order=order)
    powers = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    np.testing.assert_allclose(found, powers / powers.sum(1, keepdims=True), rtol=1e-6)


@pytest.mark.device
@ORDERS
def test_matmul(order: Order) -> None:
    """The sums are those of fused multiply-adds in ascending order, bit for bit."""
    n = 64 if order is Order.TOGETHER else 32
    a, b = random.standard_normal((2, n, n)).astype(np.float32)
    grid = (n // 16, n // 16, 1)
    found = launch(ptx_of("matmul"), grid, (16, 16, 1), [a, b, np.int32(n)], a, order=order)
    wanted = np.zeros((n, n))
    for k in range(n):
        exact = a[:, k, None].astype(np.longdouble) * b[k] + wanted
        wanted = exact.astype(np.float32).astype(np.longdouble)
    assert (found == wanted).all()


@pytest.mark.parametrize("which", [0, 1])
def test_matmul_without_a_barrier(which: int) -> None:
    parts = ptx_of("matmul").split("bar.sync \t0;")
    parts[which : which + 2] = ["mov.b32 %r1, %r1;".join(parts[which : which + 2])]
    a = np.ones((32, 32), np.float32)
    with pytest.raises((RaceError, AccessError)):
        launch("bar.sync \t0;".join(parts), (1, 1, 1), (16, 16, 1), [a, a, np.int32(32)], a)


@pytest.mark.device
@ORDERS
@pytest.mark.parametrize("k", [16, 64])
def test_tensor_cores(k: int, order: Order) -> None:
    ptx = ptx_of("tensor_cores")
    assert all(each in ptx for each in ("cp.async.cg", "ldmatrix", "mma.sync.aligned.m16n8k16"))
    a = random.standard_normal((16, k)).astype(ml_dtypes.bfloat16)
    b = random.standard_normal((8, k)).astype(ml_dtypes.bfloat16)
    c = np.zeros((16, 8), np.float32)
    found = launch(ptx, (1, 1, 1), (32, 1, 1), [a, b, np.int32(k)], c, 1536, order)
    np.testing.assert_allclose(found, a.astype(float) @ b.astype(float).T, rtol=1e-5, atol=1e-5)


def test_tensor_cores_with_a_wait_for_too_few() -> None:
    ptx = re.sub(r"(cp\.async\.wait_group\s+)1;", r"\g<1>2;", ptx_of("tensor_cores"))
    a, b = (np.ones((rows, 64), ml_dtypes.bfloat16) for rows in (16, 8))
    c = np.zeros((16, 8), np.float32)
    with pytest.raises(AccessError, match="of stages, to which a copy is still under way"):
        launch(ptx, (1, 1, 1), (32, 1, 1), [a, b, np.int32(64)], c, 1536)
