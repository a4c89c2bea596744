"""The strategy `grid` on the emulated GPU: tiles of every shape give the bits of the nests."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.block import Order
from gpu_kernels import agree_on_gpu
from stepwell.compiler.lower.grids.grid import Grid

pytestmark = pytest.mark.device
MATMUL = """
loop.kernel @dot<M: 0, N: 0, K: 0>(%x: !loop.buffer<[M, K] x f32>, %w: !loop.buffer<[K, N] x f32>)
    -> (%y: !loop.buffer<[M, N] x f32>) {
  loop.nest [%i : M, %j : N] {
    %s = loop.fold fma <serial> [%k : K] {
      %a = loop.read %x[%i, %k] : f32
      %b = loop.read %w[%k, %j] : f32
      loop.yield %a, %b : f32, f32
    } : f32
    loop.write %s, %y[%i, %j] : f32
  }
}"""
TURNED = """
loop.kernel @turned<M: 0, N: 0>(%x: !loop.buffer<[N, M] x f32>)
    -> (%y: !loop.buffer<[M, N] x f32>) {
  loop.nest [%i : M, %j : N] {
    %v = loop.read %x[%j, %i] : f32
    loop.write %v, %y[%i, %j] : f32
  }
}"""
LOCALS = """
loop.kernel @two<N: 0>(%x: !loop.buffer<[N, 3] x f64>) -> (%y: !loop.buffer<[N, 3] x f64>) {
  %t = loop.local : !loop.buffer<[N] x f64>
  loop.nest [%i : N] {
    %s = loop.fold add <serial> [%k : 3] {
      %v = loop.read %x[%i, %k] : f64
      loop.yield %v : f64
    } : f64
    loop.write %s, %t[%i] : f64
  }
  loop.nest [%i : N, %j : 3] {
    %v = loop.read %x[%i, %j] : f64
    %s = loop.read %t[%i] : f64
    %q = arith.divf %v, %s : f64
    loop.write %q, %y[%i, %j] : f64
  }
}"""
THREE_OF_FOUR = """
loop.kernel @three(%x: !loop.buffer<[15] x f32>) -> (%y: !loop.buffer<[4] x f32>) {
  loop.nest [%i : 4] {
    %a = loop.read %x[(4) * %i] : f32
    %b = loop.read %x[(4) * %i + 1] : f32
    %c = loop.read %x[(4) * %i + 2] : f32
    %d = arith.mulf %b, %c : f32
    %e = arith.addf %a, %d : f32
    loop.write %e, %y[%i] : f32
  }
}"""

FEW = st.integers(0, 40)


@settings(max_examples=12, deadline=None)
@given(FEW, FEW, st.integers(0, 9), st.sampled_from((1, 2, 4, 8)))
def test_products(m: int, n: int, k: int, rows: int) -> None:
    agree_on_gpu(MATMUL, {"M": m, "N": n, "K": k}, Grid(rows=rows), special=True)


@settings(max_examples=8, deadline=None)
@given(FEW, FEW)
def test_what_is_read_along_other_axes(m: int, n: int) -> None:
    agree_on_gpu(TURNED, {"M": m, "N": n})


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("n", [0, 1, 300])
def test_nests_one_after_the_other(n: int, order: Order) -> None:
    agree_on_gpu(LOCALS, {"N": n}, order=order)


def test_a_tile_of_eight_rows_reads_a_vector_once() -> None:
    fixed = MATMUL.replace("<M: 0, N: 0, K: 0>", "")
    for symbol, size in {"M": 16, "N": 64, "K": 8}.items():
        fixed = re.sub(rf"\b{symbol}\b", str(size), fixed)
    ptx = agree_on_gpu(fixed, strategy=Grid(rows=8))
    assert len(re.findall(r"fma\.rn\.f32", ptx)) == 32
    assert len(re.findall(r"ld\.global\S*\.v4", ptx)) == 1
    assert len(re.findall(r"st\.global\.v4", ptx)) == 8
    assert not re.search(r"(ld|st)\.local", ptx)


def test_nothing_is_read_that_a_kernel_does_not_ask_for() -> None:
    """LLVM would join three neighbours to a vector of four, which goes beyond the buffer."""
    ptx = agree_on_gpu(THREE_OF_FOUR, {}, Grid())
    assert ptx.count("ld.global.nc.b32") == 3
