"""Kernels of a few lines on the emulator, or on a card, with arrays for arguments."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

import under_test
from device_of_kernels import device_of_kernels
from emulator.block import Order

Array = NDArray[Any]
Test = TypeVar("Test", bound=Callable[..., object])
PROCESSOR = "sm_90"
HEAD = f".version 8.0\n.target {PROCESSOR}\n.address_size 64\n"
REGISTERS = """
.reg .pred %p<16>; .reg .b16 %h<16>; .reg .b32 %r<64>; .reg .b64 %d<32>; .reg .b64 %a<8>;
.reg .b64 %g<8>; .reg .b64 %i; .reg .b32 %t;
mov.u32 %t, %tid.x;
cvt.u64.u32 %i, %t;
"""


def covers(*forms: str) -> Callable[[Test], Test]:
    """Says which rows of the table a test is about; `test_every_row_is_tested` looks for it."""
    return lambda test: test


def text(body: str, arguments: int, top: str = "") -> str:
    """A kernel `k`: `%t` is the thread, `%aN` argument N, `%gN` its element of 4 bytes for `%t`."""
    parameters = ", ".join(f".param .u64 p{each}" for each in range(arguments))
    loads = "\n".join(
        f"ld.param.u64 %a{each}, [p{each}];\nmad.lo.u64 %g{each}, %i, 4, %a{each};"
        for each in range(arguments)
    )
    return f"{HEAD}{top}\n.visible .entry k({parameters})\n{{{REGISTERS}{loads}\n{body}\nret;\n}}\n"


def run(
    body: str,
    inputs: Sequence[Array] = (),
    outputs: Sequence[Array] = (),
    *,
    threads: int = 32,
    blocks: int = 1,
    dynamic: int = 0,
    top: str = "",
    order: Order = Order.TOGETHER,
    late: bool = True,
) -> list[Array]:
    """Runs a body on the inputs; gives what it wrote over copies of the outputs."""
    if not under_test.is_emulated() and not under_test.card().runs(PROCESSOR):
        pytest.skip(f"the card cannot run what is written for {PROCESSOR}")
    device = device_of_kernels(order, late=late, steps=20_000)
    ptx = text(body, len(inputs) + len(outputs), top)
    function = device.load(ptx).function("k")
    addresses: list[int] = []
    for place, each in enumerate((*inputs, *outputs)):
        name = f"x{place}" if place < len(inputs) else f"y{place - len(inputs)}"
        addresses.append(device.allocate(each.nbytes, name))
    for address, each in zip(addresses, inputs, strict=False):
        device.copy_in(address, each)
    device.launch(function, (blocks, 1, 1), (threads, 1, 1), dynamic, addresses)
    found = [np.zeros_like(each) for each in outputs]
    for address, each in zip(addresses[len(inputs) :], found, strict=True):
        device.copy_out(each, address)
    return found


def words(count: int) -> Array:
    return np.zeros(count, np.uint32)


def numbers(count: int, seed: int = 0) -> Array:
    random = np.random.default_rng(seed)
    return random.integers(0, 1 << 32, count, np.uint32)
