"""Plans as text and as strategies, how kernels get them, and the memory they ask for."""

import re

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import UnknownLoc

from expanding import kernel_of
from loop_text import parse_kernel, parse_module
from stepwell.compiler.dialects.locations import file_location
from stepwell.compiler.dialects.loop.host import AllocOp, LaunchOp
from stepwell.compiler.lower.choose_plans import ChoosePlans
from stepwell.compiler.lower.expand_plans import ExpandPlans
from stepwell.compiler.lower.strategies import STRATEGIES, planned
from stepwell.compiler.lower.strategies.gemm import Gemm
from stepwell.compiler.lower.strategies.map import Map
from stepwell.runtime.errors import CompileError

KEPT = """
loop.kernel @kept<N: 1>(%x: !loop.buffer<[N, 4] x f32>) -> (%y: !loop.buffer<[4, N] x f32>) {
  %t = loop.local : !loop.buffer<[4, N] x f32>
  loop.nest [%i : N, %j : 4] {
    %v = loop.read %x[%i, %j] : f32
    loop.write %v, %t[%j, %i] : f32
  }
  loop.nest [%j : 4, %i : N] {
    %v = loop.read %t[%j, %i] : f32
    %w = loop.read %t[0, %i] : f32
    %s = arith.addf %v, %w : f32
    loop.write %s, %y[%j, %i] : f32
  }
}
loop.func @main<B: 1>(%x: !loop.buffer<[2*B, 4] x f32>) -> (%y: !loop.buffer<[4, 2*B] x f32>) {
  loop.launch @kept <N = 2*B> (%x, %y) : !loop.buffer<[2*B, 4] x f32>, !loop.buffer<[4, 2*B] x f32>
}"""

ROWS = """
loop.kernel @rows<N: 1>(%x: !loop.buffer<[N, 4] x f32>) -> (%y: !loop.buffer<[N, 4] x f32>) {
  %t = loop.local : !loop.buffer<[N] x f32>
  loop.nest [%i : N] {
    %s = loop.fold max <any> [%k : 4] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %t[%i] : f32
  }
  loop.nest [%i : N, %j : 4] {
    %v = loop.read %x[%i, %j] : f32
    %s = loop.read %t[%i] : f32
    %d = arith.subf %v, %s : f32
    loop.write %d, %y[%i, %j] : f32
  }
}"""
PRODUCT = """
loop.kernel @product<N: 1>(%a: !loop.buffer<[N, 3] x f32>, %b: !loop.buffer<[3, N] x f32>)
    -> (%c: !loop.buffer<[N, N] x f32>) {
  loop.nest [%i : N, %j : N] {
    %s = loop.fold fma <serial, 1024> [%k : 3] {
      %u = loop.read %a[%i, %k] : f32
      %v = loop.read %b[%k, %j] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %c[%i, %j] : f32
  }
}"""


def with_plan(plan: str) -> str:
    return KEPT.replace("x f32>) {", f"x f32>) plan {plan} {{", 1)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_plan_reads_as_it_prints(name: str) -> None:
    strategy = STRATEGIES[name]()
    kernel = parse_kernel(KEPT)
    kernel.properties["plan"] = strategy.plan
    assert planned(parse_kernel(str(kernel))) == strategy


def test_parameters_that_a_plan_leaves_out_have_their_defaults() -> None:
    assert planned(parse_kernel(with_plan("<map, vectors = 2>"))) == Map(vectors=2)
    assert planned(parse_kernel(with_plan("<gemm, pack = [right]>"))) == Gemm(pack=("right",))


@pytest.mark.parametrize(
    ("plan", "code", "sentence"),
    [
        ("<magic>", "SW0230", "there is no strategy magic"),
        ("<map, speed = 9>", "SW0231", "the strategy map has no parameter speed = 9"),
        ("<map, rows = many>", "SW0231", "the strategy map has no parameter rows = many"),
        ("<gemm>", "SW0232", "the plan gemm does not fit the kernel kept"),
    ],
)
def test_a_plan_that_is_none_is_refused(plan: str, code: str, sentence: str) -> None:
    with pytest.raises(CompileError) as caught:
        ChoosePlans().apply(Context(), parse_module(with_plan(plan)))
    assert caught.value.code == code
    assert caught.value.sentence == sentence
    assert caught.value.hint


def test_a_plan_that_is_there_stays() -> None:
    module = parse_module(with_plan("<map, vectors = 2>"))
    ChoosePlans().apply(Context(), module)
    assert planned(kernel_of(module)) == Map(vectors=2)


def test_memory_that_a_plan_needs_is_allocated_where_the_kernel_is_launched() -> None:
    module = parse_module(KEPT)
    ChoosePlans().apply(Context(), module)
    kernel = kernel_of(module)
    assert kernel.outputs.data == 2
    assert re.search(r"\[16\*N\]|floordiv\(16\*N \+ 63, 64\)", str(kernel.arguments[-1].type))
    (alloc,) = [op for op in module.walk() if isinstance(op, AllocOp)]
    (launch,) = [op for op in module.walk() if isinstance(op, LaunchOp)]
    assert launch.arguments[-1] is alloc.result
    assert "B" in str(alloc.result.type)
    module.verify()


def test_kernels_without_a_plan_are_left_alone() -> None:
    module = parse_module(KEPT)
    before = str(module)
    ExpandPlans().apply(Context(), module)
    assert str(module) == before


@pytest.mark.parametrize("name", ["map", "rows", "gemm"])
def test_every_explicit_op_knows_its_line(name: str) -> None:
    module = parse_module(PRODUCT if name == "gemm" else KEPT if name == "map" else ROWS)
    kernel = kernel_of(module)
    for line, op in enumerate(kernel.walk()):
        op.location = file_location("model.py", line, 0)
    ChoosePlans().apply(Context(), module)
    ExpandPlans().apply(Context(), module)
    assert kernel.plan is not None
    assert kernel.plan.data.strategy == name
    assert not any(isinstance(op.location, UnknownLoc) for op in kernel.walk())
