"""The strategy `rows`: nests that share rows, row by row, with the bits of the nests."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing import examples
from expanding import agree, expanded
from loop_text import parse_kernel
from stepwell.compiler.dialects.loop.explicit import ParallelOp, StackOp
from stepwell.compiler.dialects.loop.host import ViewOp
from stepwell.compiler.lower.strategies import choose_plan
from stepwell.compiler.lower.strategies.rows import Rows
from stepwell.compiler.machines import MACHINES

MACHINE = MACHINES["x86-64-v4"]
SOFTMAX = """
loop.kernel @softmax<B: 0, N: 0>(%x: !loop.buffer<[B, N] x f32>)
    -> (%y: !loop.buffer<[B, N] x f32>) {
  %m = loop.local : !loop.buffer<[B] x f32>
  %e = loop.local : !loop.buffer<[B, N] x f32>
  %s = loop.local : !loop.buffer<[B] x f32>
  loop.nest [%i : B] {
    %r = loop.fold max <any> [%k : N] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %r, %m[%i] : f32
  }
  loop.nest [%i : B, %j : N] {
    %v = loop.read %x[%i, %j] : f32
    %n = loop.read %m[%i] : f32
    %d = arith.subf %v, %n : f32
    %r = math.exp %d : f32
    loop.write %r, %e[%i, %j] : f32
  }
  loop.nest [%i : B] {
    %r = loop.fold add <lanes, 4096> [%k : N] {
      %v = loop.read %e[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %r, %s[%i] : f32
  }
  loop.nest [%i : B, %j : N] {
    %v = loop.read %e[%i, %j] : f32
    %n = loop.read %s[%i] : f32
    %d = arith.divf %v, %n : f32
    loop.write %d, %y[%i, %j] : f32
  }
}"""
CENTRE = """
loop.kernel @centre<B: 0, N: 0>(%x: !loop.buffer<[B, 3, N] x f32>, %g: !loop.buffer<[N] x f32>)
    -> (%y: !loop.buffer<[B, 3, N] x f32>, %m: !loop.buffer<[B, 3] x f32>) {
  loop.nest [%i : B, %h : 3] {
    %s = loop.fold add <lanes, 4096> [%k : N] {
      %v = loop.read %x[%i, %h, %k] : f32
      loop.yield %v : f32
    } : f32
    %n = loop.index N
    %c = loop.cast index %n : index to i64
    %f = loop.cast sitofp %c : i64 to f32
    %r = arith.divf %s, %f : f32
    loop.write %r, %m[%i, %h] : f32
  }
  loop.nest [%i : B, %h : 3, %j : N] {
    %v = loop.read %x[%i, %h, %j] : f32
    %r = loop.read %m[%i, %h] : f32
    %g0 = loop.read %g[%j] : f32
    %d = arith.subf %v, %r : f32
    %p = arith.mulf %d, %g0 : f32
    loop.write %p, %y[%i, %h, %j] : f32
  }
}"""
SLABS = """
loop.kernel @slabs<B: 0, N: 0>(%x: !loop.buffer<[B, 5, N] x f32>)
    -> (%y: !loop.buffer<[B, 5, N] x f32>) {
  %m = loop.local : !loop.buffer<[B, N] x f32>
  loop.nest [%i : B, %j : N] {
    %s = loop.fold add <serial, 1024> [%k : 5] {
      %v = loop.read %x[%i, %k, %j] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %m[%i, %j] : f32
  }
  loop.nest [%i : B, %h : 5, %j : N] {
    %v = loop.read %x[%i, %h, %j] : f32
    %s = loop.read %m[%i, %j] : f32
    %d = arith.divf %v, %s : f32
    loop.write %d, %y[%i, %h, %j] : f32
  }
}"""
TURNED = """
loop.kernel @turned<B: 0, N: 0>(%x: !loop.buffer<[N, B] x f32>)
    -> (%y: !loop.buffer<[N, B] x f32>) {
  %m = loop.local : !loop.buffer<[B] x f32>
  loop.nest [%i : B] {
    %s = loop.fold max <any> [%k : N] {
      %v = loop.read %x[%k, %i] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %m[%i] : f32
  }
  loop.nest [%i : B, %j : N] {
    %v = loop.read %x[%j, %i] : f32
    %s = loop.read %m[%i] : f32
    %d = arith.subf %v, %s : f32
    loop.write %d, %y[%j, %i] : f32
  }
}"""
CUMULATIVE = """
loop.kernel @cumulative<B: 0, N: 0>(%x: !loop.buffer<[B, N] x f32>)
    -> (%y: !loop.buffer<[B, N] x f32>) {
  %s = loop.local : !loop.buffer<[B] x f32>
  loop.nest [%i : B] {
    %r = loop.fold add <lanes, 4096> [%k : N] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %r, %s[%i] : f32
  }
  loop.nest [%i : B] {
    loop.scan [%k : N] {
      %v = loop.read %x[%i, %k] : f32
      %n = loop.read %s[%i] : f32
      %d = arith.divf %v, %n : f32
      %r = loop.prefix add %d : f32
      loop.write %r, %y[%i, %k] : f32
    }
  }
}"""
KERNELS = {
    "cumulative": CUMULATIVE,
    "softmax": SOFTMAX,
    "centre": CENTRE,
    "slabs": SLABS,
    "turned": TURNED,
}

plans = st.builds(
    Rows,
    bytes=st.sampled_from([16, 32, 64]),
    vectors=st.integers(1, 5),
    block=st.sampled_from([0, 1, 3, 8]),
    stream=st.integers(0, 1),
    ahead=st.integers(0, 3),
)
lengths = st.sampled_from([0, 1, 2, 5, 16, 17, 63, 64, 70, 130])


def fixed(text: str, columns: int) -> str:
    """The kernel for one length of rows."""
    return re.sub(r"\bN\b", str(columns), re.sub(r", N: 0", "", text))


@pytest.mark.parametrize("name", KERNELS)
@examples(12)
@given(plan=plans, rows=lengths, columns=lengths, static=st.booleans())
def test_any_plan_gives_the_bits_of_the_nests(
    name: str, plan: Rows, rows: int, columns: int, static: bool
) -> None:
    text, sizes = KERNELS[name], {"B": rows, "N": columns}
    if static:
        text, sizes = fixed(text, columns), {"B": rows}
    agree(text, sizes, plan, special=True)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("columns", [75, 10_000])
def test_machine_code_gives_the_bits_of_the_nests(name: str, columns: int) -> None:
    agree(KERNELS[name], {"B": 7, "N": columns}, special=True, native=True)
    agree(fixed(KERNELS[name], columns), {"B": 7}, native=True)
    agree(fixed(KERNELS[name], 128), {"B": 7}, Rows(stream=1), native=True)


@pytest.mark.parametrize("name", KERNELS)
def test_it_is_chosen_for_nests_that_share_rows(name: str) -> None:
    assert isinstance(choose_plan(parse_kernel(KERNELS[name]), MACHINE), Rows)


def test_a_row_lies_on_the_stack_if_it_is_short_and_its_length_known() -> None:
    short, long, unknown = (
        expanded(text) for text in (fixed(SOFTMAX, 100), fixed(SOFTMAX, 10_000), SOFTMAX)
    )
    for kernel, stack in ((short, 3), (long, 0), (unknown, 0)):
        kinds = [type(op) for op in kernel.walk()]
        assert kinds.count(StackOp) == stack
        assert kinds.count(ViewOp) == 3 - stack


def test_the_workspace_holds_a_row_for_each_task() -> None:
    kernel = expanded(SOFTMAX, Rows(block=16))
    assert len(kernel.arguments) == 3
    assert "floordiv(B + 15, 16)" in str(kernel.arguments[-1].type)


def test_few_rows_are_left_to_one_thread() -> None:
    for rows, shared in (("4", False), ("4096", True)):
        text = fixed(SOFTMAX, 1024).replace("<B: 0>", "").replace("[B", f"[{rows}")
        kernel = expanded(text.replace(": B", f": {rows}"))
        assert any(isinstance(op, ParallelOp) for op in kernel.walk()) is shared


@pytest.mark.parametrize(("columns", "ahead"), [(1024, 1), (16, 0), (1 << 20, 0)])
def test_rows_are_asked_for_if_they_fit_the_first_cache(columns: int, ahead: int) -> None:
    chosen = choose_plan(parse_kernel(fixed(SOFTMAX, columns)), MACHINE)
    assert isinstance(chosen, Rows)
    assert chosen.ahead == ahead


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (re.sub(r"%v = loop.read %e\[%i, %k\]", "%v = loop.read %e[0, %k]", SOFTMAX), "same rows"),
        (SOFTMAX[: SOFTMAX.index("  loop.nest [%i : B, %j : N]")] + "}", "only one nest"),
    ],
)
def test_it_refuses_what_does_not_go_by_rows(text: str, reason: str) -> None:
    refusal = Rows.fits(parse_kernel(text), MACHINE)
    assert refusal is not None
    assert reason in refusal.reason
