"""The strategy `transposed` on the emulated GPU: squares by way of shared memory, bit for bit."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing import examples
from emulator.block import Order
from gpu_kernels import agree_on_gpu, ptx_of_kernel
from loop_text import parse_kernel
from stepwell.compiler.lower.grids.plans import GRIDS
from stepwell.compiler.lower.grids.transposed import Transposed
from stepwell.compiler.lower.strategies import choose_plan
from stepwell.compiler.lower.strategies.base import Strategy
from stepwell.compiler.machines.gpu.nvidia import SM_80

pytestmark = pytest.mark.device
PLAIN = """
loop.kernel @plain<M: 0, N: 0>(%x: !loop.buffer<[N, M] x T>) -> (%y: !loop.buffer<[M, N] x T>) {
  loop.nest [%i : M, %j : N] {
    %v = loop.read %x[%j, %i] : T
    loop.write %v, %y[%i, %j] : T
  }
}
"""
SUMS = """
loop.kernel @sums<M: 1, N: 1>(
    %x: !loop.buffer<[2, N, M] x f32>,
    %z: !loop.buffer<[2, M, N] x f32>,
    %b: !loop.buffer<[N] x f32>,
    %c: !loop.buffer<[M] x f32>
) -> (%y: !loop.buffer<[2, M, N] x f32>) {
  loop.nest [%a : 2, %i : M, %j : N] {
    %u = loop.read %x[%a, %j, %i] : f32
    %v = loop.read %z[%a, %i, %j] : f32
    %w = loop.read %b[%j] : f32
    %t = loop.read %c[%i] : f32
    %p = arith.addf %u, %v : f32
    %q = arith.mulf %w, %t : f32
    %r = arith.subf %p, %q : f32
    loop.write %r, %y[%a, %i, %j] : f32
  }
}
"""
TWO = """
loop.kernel @two<M: 1, N: 1>(
    %x: !loop.buffer<[N, M] x f32>, %z: !loop.buffer<[N, M] x f64>
) -> (%y: !loop.buffer<[M, N] x f64>) {
  loop.nest [%i : M, %j : N] {
    %u = loop.read %x[%j, %i] : f32
    %v = loop.read %z[%j, %i] : f64
    %w = loop.cast extf %u : f32 to f64
    %s = arith.addf %w, %v : f64
    loop.write %s, %y[%i, %j] : f64
  }
}
"""
TEXTS = [*(PLAIN.replace("T", type) for type in ("f32", "f16", "i8", "i1", "i64")), SUMS, TWO]
lengths = st.sampled_from([1, 3, 4, 8, 63, 64, 68, 130])


@examples(25)
@given(text=st.sampled_from(TEXTS), m=lengths, n=lengths)
def test_squares_give_the_bits_of_the_nests(text: str, m: int, n: int) -> None:
    plan = Transposed.choose(parse_kernel(text), SM_80)
    agree_on_gpu(text, {"M": m, "N": n}, plan, special=True)


def test_nothing_is_turned_in_an_empty_array() -> None:
    agree_on_gpu(TEXTS[0], {"M": 0, "N": 5}, Transposed())


@pytest.mark.parametrize("order", Order)
def test_no_order_of_warps_and_blocks_matters(order: Order) -> None:
    agree_on_gpu(SUMS, {"M": 70, "N": 66}, Transposed(), order)


def chosen(text: str, m: int = 512, n: int = 512) -> Strategy:
    return choose_plan(parse_kernel(fixed(text, m, n)), SM_80, GRIDS)


def fixed(text: str, m: int, n: int) -> str:
    text = re.sub(r"<M: \d, N: \d>", "", text)
    return re.sub(r"\bN\b", str(n), re.sub(r"\bM\b", str(m), text))


def test_what_is_read_along_another_axis_goes_by_squares() -> None:
    assert chosen(SUMS) == Transposed(16)
    assert chosen(PLAIN.replace("T", "f16")) == Transposed(32)
    straight = PLAIN.replace("T", "f32").replace("[%j, %i]", "[%i, %j]").replace("[N, M]", "[M, N]")
    for other in (chosen(SUMS, 8), chosen(SUMS, 512, 8), chosen(straight)):
        assert other.name == "grid"


def test_memory_is_read_and_written_in_vectors() -> None:
    """Also of f16; single elements go to shared memory only."""
    for type, bytes in (("f32", 4), ("f16", 2)):
        ptx = ptx_of_kernel(fixed(PLAIN.replace("T", type), 512, 512))
        assert ptx.count("ld.global.nc.v4.b32") == 64 * 64 * bytes // 256 // 16
        assert not re.search(r"(ld|st)\.global(\.nc)?\.(b|v2)", ptx)
