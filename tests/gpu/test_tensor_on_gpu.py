"""The strategy `tensor`: products of halves, in their order, and of bytes.

On the emulated GPU they have the bits of the nests; on a card bytes have, and halves are near."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ml_dtypes import bfloat16
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.ir import SSAValue
from xdsl.parser import Parser

from assembler import assemble, needs_assembler, within_budget
from drawing import examples
from emulator import copies, matrices
from emulator.block import Order
from expanding import arrays_for, expanded
from gpu_kernels import agree_on_gpu, ptx_of_kernel
from gpu_programs import OnGpu
from halves import BYTES, CONVOLUTIONS, HALVES, WHOLE_CONVOLUTION, in_halves
from loop_text import parse_kernel, parse_module
from products import KERNELS, fixed
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.interpret.loops import run_kernel
from stepwell.compiler.lower.grids.alignment import Alignments
from stepwell.compiler.lower.grids.blocked import FEW, SHAPES
from stepwell.compiler.lower.grids.plans import GRIDS
from stepwell.compiler.lower.grids.tensor import Tensor
from stepwell.compiler.lower.name_orders import NameOrders
from stepwell.compiler.lower.strategies import Strategy, choose_plan
from stepwell.compiler.machines.gpu.nvidia import GPUS, SM_80
from stepwell.compiler.pipeline import context
from stepwell.runtime.errors import CompileError

shapes = st.sampled_from([Tensor(shape.rows, shape.lanes) for shape in SHAPES])
lengths = st.sampled_from([0, 1, 8, 15, 16, 33, 64, 72])
depths = st.sampled_from([0, 1, 8, 16, 33, 40, 128, 160])


@pytest.mark.device
@examples(10)
@given(
    name=st.sampled_from(sorted(HALVES)),
    plan=shapes,
    m=lengths,
    n=lengths,
    k=depths,
    static=st.booleans(),
)
def test_any_plan_gives_the_bits_of_the_nests(
    name: str, plan: Tensor, m: int, n: int, k: int, static: bool
) -> None:
    """Copies arrive as late as they may; where rows are not aligned nothing is copied."""
    if static:
        m, n, k = (max(size, FEW) for size in (m, n, k))
        agree_on_gpu(fixed(HALVES[name], m, n, k), {}, plan, special=True)
    else:
        agree_on_gpu(HALVES[name], {"M": m, "N": n, "K": k}, plan, special=True)


@pytest.mark.device
@pytest.mark.parametrize("sizes", [(72, 80, 160), (33, 40, 100)])
@pytest.mark.parametrize("name", sorted(BYTES))
def test_products_of_bytes_are_exact(name: str, sizes: tuple[int, int, int]) -> None:
    ptx = agree_on_gpu(fixed(BYTES[name], *sizes), {}, Tensor(64, 64))
    assert "mma.sync.aligned.m16n8k32" in ptx


@pytest.mark.device
@pytest.mark.parametrize("layout", ["plain", "left turned", "right turned", "both turned"])
@pytest.mark.parametrize("shape", SHAPES)
def test_rings_go_round_several_times(layout: str, shape: Any) -> None:
    text = fixed(HALVES[layout], 136, 136, 160)
    ptx = agree_on_gpu(text, {}, Tensor(shape.rows, shape.lanes))
    assert "ld.global.b16" not in ptx


def named(text: str, machine: str = SM_80.name) -> str:
    module = parse_module(text)
    NameOrders(machine).apply(Context(), module)
    module.verify()
    return str(module.body.block.first_op)


@pytest.mark.device
@pytest.mark.parametrize("channels", [16, 24])
@pytest.mark.parametrize("name", sorted(CONVOLUTIONS))
def test_convolutions_give_the_bits_of_the_nests(name: str, channels: int) -> None:
    """Blocks go over the rows of several images; what is in the padding is zero."""
    text = named(fixed(CONVOLUTIONS[name], 5, 20, channels))
    assert "<tensor>" in text
    agree_on_gpu(text, {}, Tensor(64, 64))


@pytest.mark.device
def test_windows_of_bytes_have_zeros_in_the_padding() -> None:
    text = named(fixed(WHOLE_CONVOLUTION, 5, 20, 32))
    assert "<serial>" in text
    assert "mma.sync.aligned.m16n8k32" in agree_on_gpu(text, {})


@pytest.mark.device
def test_few_channels_are_gathered() -> None:
    text = fixed(re.sub(r"\b7\b", "16", CONVOLUTIONS["convolution"]), 5, 20, 3)
    ptx = agree_on_gpu(named(text), {})
    assert "mma.sync" in ptx


@pytest.mark.device
def test_products_with_the_padding_are_zero_or_not_a_number() -> None:
    """Where the other factor is not finite; the nests say so."""
    agree_on_gpu(named(fixed(CONVOLUTIONS["convolution"], 5, 20, 16)), {}, special=True)


@pytest.mark.device
def test_what_begins_at_any_address_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a view of a row: the copies are aligned only if the buffer is."""
    known = Alignments.of

    def of(self: Alignments, value: SSAValue) -> int:
        return 2 if isinstance(value.type, BufferType) else known(self, value)

    monkeypatch.setattr(Alignments, "of", of)
    ptx = agree_on_gpu(HALVES["plain"], {"M": 33, "N": 40, "K": 72}, Tensor(64, 64))
    assert "mma.sync" in ptx
    assert "cp.async.cg" not in ptx


@pytest.mark.device
@pytest.mark.parametrize("static", [True, False])
def test_bands_of_blocks_cover_all_rows_and_lanes(static: bool) -> None:
    """Ten rows of blocks are a band of eight and one of two."""
    text, sizes = HALVES["bare"], {"M": 600, "N": 136, "K": 16}
    if static:
        text, sizes = fixed(text, *sizes.values()), {}
    agree_on_gpu(text, sizes, Tensor(64, 64))


@pytest.mark.device
@pytest.mark.parametrize("order", Order)
def test_no_order_of_warps_and_blocks_matters(order: Order) -> None:
    agree_on_gpu(fixed(HALVES["right turned"], 70, 70, 104), {}, Tensor(64, 64), order=order)


@pytest.mark.parametrize("layout", ["plain", "both turned"])
def test_no_banks_collide(layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of the eight rows of a matrix, nor of what eight neighbours bring at once."""
    found: list[NDArray[np.uint64]] = []
    rows, begin = matrices._row_spans, copies.Copies.begin

    def load(state: Any, operation: Any, pointer: Any, lanes: Any, count: int) -> Iterator[Any]:
        found.append(pointer.addresses(np.flatnonzero(lanes)))
        return rows(state, operation, pointer, lanes, count)

    def copy(self: Any, copied: Any) -> None:
        found.append(copied.targets)
        begin(self, copied)

    monkeypatch.setattr(matrices, "_row_spans", load)
    monkeypatch.setattr(copies.Copies, "begin", copy)
    for shape in SHAPES:
        agree_on_gpu(fixed(HALVES[layout], 128, 128, 32), {}, Tensor(shape.rows, shape.lanes))
    assert found
    for addresses in found:
        banks = (addresses.astype(np.int64) // 16 % 8).reshape(-1, 8)
        assert all(len({*each}) == 8 for each in banks.tolist())


def test_a_sum_is_as_near_as_the_bound_says() -> None:
    """Of the page on semantics, whatever a card does within a block."""
    text = fixed(in_halves(KERNELS["bare"]), 72, 72, 160)
    kernel = parse_kernel(text)
    a, b, *_, sums = arrays = arrays_for(kernel, {}, special=False)
    run_kernel(kernel, arrays, {})
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    blocks = left.shape[1] // 16
    bound = 20 * 2.0**-23 * blocks * (np.abs(left) @ np.abs(right))
    assert np.all(np.abs(np.asarray(sums, np.float64) - left @ right) <= bound)


PROGRAM = """
nd.func @main<B: 1>(%x: tensor<?x64xbf16, #nd.info<dims = [B, 64]>>, %w: tensor<64x128xbf16>) {
  %h = nd.dot %x, %w batch <0> over <[1]>, <[0]> : tensor<?x64xbf16, #nd.info<dims = [B, 64]>>, tensor<64x128xbf16> -> tensor<?x128xbf16, #nd.info<dims = [B, 128]>>
  %z = nd.constant <bf16 0.0> : tensor<?x128xbf16, #nd.info<dims = [B, 128]>>
  %r = nd.max %h, %z : tensor<?x128xbf16, #nd.info<dims = [B, 128]>>
  %g = nd.dot %x, %r batch <0> over <[0]>, <[0]> : tensor<?x64xbf16, #nd.info<dims = [B, 64]>>, tensor<?x128xbf16, #nd.info<dims = [B, 128]>> -> tensor<64x128xbf16>
  nd.return %g : tensor<64x128xbf16>
}
"""  # noqa: E501


@pytest.mark.device
def test_a_program_takes_them_under_strict_numerics() -> None:
    gpu = OnGpu(Parser(context(), PROGRAM).parse_module())
    assert [plan.count("tensor") for plan in gpu.image.plans.values()] == [1, 1]
    random = np.random.default_rng(3)
    x, w = (random.standard_normal(shape).astype(bfloat16) for shape in ((70, 64), (64, 128)))
    (found,) = gpu("main", [x, w])
    left, right = x.astype(np.float64), w.astype(np.float64)
    hidden = np.maximum(left @ right, 0).astype(bfloat16).astype(np.float64)
    assert np.allclose(found.astype(np.float64), left.T @ hidden, rtol=0.02, atol=1)


def chosen(text: str, m: int, n: int, k: int) -> Strategy:
    return choose_plan(parse_kernel(fixed(text, m, n, k)), SM_80, GRIDS)


def test_blocks_are_as_large_as_keeps_the_card_busy() -> None:
    assert chosen(HALVES["plain"], 4096, 4096, 4096) == Tensor(128, 128)
    assert chosen(HALVES["plain"], 1024, 1024, 4096) == Tensor(64, 128)
    assert chosen(HALVES["plain"], 256, 256, 4096) == Tensor(64, 64)


SERIAL = in_halves(KERNELS["plain"], order="<serial, 1024>")


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_a_gpu_names_the_order_of_halves(dtype: str) -> None:
    text = in_halves(KERNELS["plain"], dtype, "<serial, 1024>")
    assert "<tensor>" in named(fixed(text, 64, 64, 64))


TOGETHER = """
loop.kernel @sums<B: 0>(%x: !loop.buffer<[B, 768] x f32>, %y: !loop.buffer<[B, 768] x f32>) -> (%a: !loop.buffer<[768] x f32>, %b: !loop.buffer<[768] x f32>) {
  loop.nest [%j : 768] {
    %s, %t = loop.fold add <serial, 1024> [%i : B] {
      %v = loop.read %x[%i, %j] : f32
      %w = loop.read %y[%i, %j] : f32
      %p = arith.mulf %v, %w : f32
      loop.yield %v, %p : f32, f32
    } : f32, f32
    loop.write %s, %a[%j] : f32
    loop.write %t, %b[%j] : f32
  }
}
"""  # noqa: E501


@pytest.mark.parametrize(
    "text",
    [
        TOGETHER,
        KERNELS["plain"],
        KERNELS["integers"],
        fixed(SERIAL, 4, 64, 64),
        fixed(SERIAL, 64, 64, 4),
        SERIAL.replace("%a: !loop.buffer<[M, K] x bf16>", "%a: !loop.buffer<[M, K] x f16>")
        .replace("%uh = loop.read %a[%i, %k] : bf16", "%uh = loop.read %a[%i, %k] : f16")
        .replace("extf %uh : bf16", "extf %uh : f16"),
    ],
    ids=["sums side by side", "f32", "i32", "few rows", "few products", "f16 and bf16"],
)
def test_other_sums_keep_their_order(text: str) -> None:
    assert named(text) == str(parse_module(text).body.block.first_op)


def test_cpus_keep_the_serial_order() -> None:
    assert "<serial, 1024>" in named(fixed(SERIAL, 64, 64, 64), "x86-64-v4")


def test_the_order_is_that_of_one_strategy() -> None:
    text = fixed(HALVES["plain"], 64, 64, 64)
    with pytest.raises(CompileError, match="in the order tensor"):
        expanded(text, next(GRIDS["grid"]() for _ in "."), SM_80.name)
    with pytest.raises(CompileError, match="SW0235"):
        choose_plan(parse_kernel(text), GPUS["sm_80"])


@pytest.mark.parametrize("name", ["plain", "left turned", "right turned", "both turned"])
def test_a_product_is_copied_and_loaded_as_matrices(name: str) -> None:
    """No factor is in registers but as matrices: 64 products of 16 loads for 32 positions."""
    ptx = ptx_of_kernel(fixed(in_halves(KERNELS[name]), 4096, 4096, 4096))
    assert ptx.count("mma.sync.aligned.m16n8k16") == 64
    assert ptx.count("ldmatrix.sync") == 16
    assert ptx.count("cp.async.cg.shared.global") == 2 * 8
    assert ptx.count("bar.sync") == 1
    assert not re.search(r"\.local|ld\.shared|st\.shared|ld\.global(\.nc)?\.b16", ptx)


LARGE = re.sub(r"\b[MK]\b", "4096", HALVES["plain"].replace("<M: 0, N: 0, K: 0>", "<N: 0>"))
BUDGETED = {
    "tensor": fixed(HALVES["plain"], 4096, 4096, 4096),
    "tensor_of_any_size": HALVES["plain"],
    "tensor_of_any_lanes": LARGE,
    "tensor_of_images": named(fixed(CONVOLUTIONS["convolution"], 56, 128, 128)),
}


@needs_assembler
@pytest.mark.parametrize("machine", GPUS)
@pytest.mark.parametrize("name", BUDGETED)
def test_products_assemble_within_their_budgets(name: str, machine: str, tmp_path: Path) -> None:
    """In all versions."""
    ptx = ptx_of_kernel(BUDGETED[name], GPUS[machine])
    for taken in assemble(ptx, machine, tmp_path).values():
        assert within_budget(name, taken), taken
