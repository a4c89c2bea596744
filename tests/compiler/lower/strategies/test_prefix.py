"""The strategy `prefix`: cumulative ops in any layout, under any parameters, bit for bit."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing import examples
from expanding import agree, expanded
from loop_text import parse_kernel
from stepwell.compiler.dialects.loop.explicit import GatherOp, ParallelOp, ScatterOp, StackOp
from stepwell.compiler.lower.strategies import choose_plan
from stepwell.compiler.lower.strategies.map import Map
from stepwell.compiler.lower.strategies.prefix import Prefix
from stepwell.compiler.machines import MACHINES

MACHINE = MACHINES["x86-64-v4"]


def scan(
    at: str = "%i, %k",
    shape: str = "B, N",
    axes: str = "%i : B",
    body: str = "",
    term: str = "%v",
    result: str = "%s",
    combine: str = "add",
    over: str = "%k : N",
    dtype: str = "f32",
) -> str:
    """The terms up to each one; `body` computes the term and what is stored."""
    before, _, behind = body.partition("--")
    return f"""
loop.kernel @scan<B: 0, N: 0>(%x: !loop.buffer<[{shape}] x {dtype}>)
    -> (%y: !loop.buffer<[{shape}] x {dtype}>) {{
  loop.nest [{axes}] {{
    loop.scan [{over}] {{
      %v = loop.read %x[{at}] : {dtype}
      {before}
      %s = loop.prefix {combine} {term} : f32
      {behind}
      loop.write {result}, %y[{at}] : {dtype}
    }}
  }}
}}""".replace("prefix add %v : f32", f"prefix add %v : {dtype}")


EXP = "%e = math.exp %v : f32 -- %d = arith.divf %s, %v : f32"
WIDE = "%w = loop.cast extf %v : bf16 to f32 -- %r = loop.cast truncf %s : f32 to bf16"
TWICE = "-- %t = loop.prefix max %s : f32"
NUMBER = """%c = loop.cast index %k : index to i64
      %f = loop.cast sitofp %c : i64 to f32
      %p = arith.mulf %f, %v : f32"""
SHARED = """%q = loop.read %x[0, %k] : f32
      %e = math.exp %q : f32
      -- %d = arith.divf %s, %v : f32"""
KERNELS = {
    "rows": scan(),
    "rows from the end": scan("%i, (-1) * %k + N - 1"),
    "columns": scan("%k, %i", "N, B"),
    "columns from the end": scan("(-1) * %k + N - 1, %i", "N, B"),
    "middle axis": scan("%i, %k, %j", "B, N, 3", axes="%i : B, %j : 3"),
    "two axes": scan("%i, %h, %k", "B, 3, N", over="%h : 3, %k : N"),
    "two axes apart": scan("%h, %i, %k", "3, B, N", over="%h : 3, %k : N"),
    "one row": scan("%k", "N", axes=""),
    "integers": scan(dtype="i32"),
    "doubles": scan(dtype="f64"),
    "halves": scan(body=WIDE, term="%w", result="%r", dtype="bf16"),
    "exponentials": scan(body=EXP, term="%e", result="%d"),
    "exponentials from the end": scan(
        "%i, (-1) * %k + N - 1", body=EXP, term="%e", result="%d", combine="max"
    ),
    "exponentials of columns": scan("%k, %i", "N, B", body=EXP, term="%e", result="%d"),
    "exponentials in one row": scan("%k", "N", axes="", body=EXP, term="%e", result="%d"),
    "prefixes of prefixes": scan(body=TWICE, result="%t"),
    "terms with their number": scan(body=NUMBER, term="%p"),
    "terms of one row": scan(body=SHARED, term="%e", result="%d"),
    "sums and greatest": """
loop.kernel @scan<B: 0, N: 0>(%x: !loop.buffer<[B, N] x f32>)
    -> (%y: !loop.buffer<[B, N] x f32>, %z: !loop.buffer<[B, N] x f32>) {
  loop.nest [%i : B] {
    loop.scan [%k : N] {
      %v = loop.read %x[%i, %k] : f32
      %a = math.absf %v : f32
      %s = loop.prefix add %a : f32
      %m = loop.prefix max %a : f32
      loop.write %s, %y[%i, %k] : f32
      loop.write %m, %z[%i, %k] : f32
    }
  }
}""",
    "something kept": """
loop.kernel @scan<B: 0, N: 0>(%x: !loop.buffer<[B, N] x f32>, %b: !loop.buffer<[N] x f32>)
    -> (%y: !loop.buffer<[B, N] x f32>) {
  %t = loop.local : !loop.buffer<[N] x f32>
  loop.nest [%k : N] {
    %v = loop.read %b[%k] : f32
    %e = math.exp %v : f32
    loop.write %e, %t[%k] : f32
  }
  loop.nest [%i : B] {
    loop.scan [%k : N] {
      %v = loop.read %x[%i, %k] : f32
      %w = loop.read %t[%k] : f32
      %p = arith.mulf %v, %w : f32
      %s = loop.prefix add %p : f32
      loop.write %s, %y[%i, %k] : f32
    }
  }
}""",
}

plans = st.one_of(
    st.builds(
        kind,
        bytes=st.sampled_from([16, 32, 64]),
        vectors=st.integers(1, 5),
        rows=st.integers(1, 9),
        task=st.sampled_from([0, 1, 20]),
    )
    for kind in (Prefix, Map)
)
lengths = st.sampled_from([0, 1, 2, 3, 5, 15, 16, 17, 33, 64, 70, 200])


def fixed(text: str, rows: int) -> str:
    """The kernel for one number of rows."""
    return re.sub(r"\bB\b", str(rows), re.sub(r"\bB: \d, ", "", text))


@pytest.mark.parametrize("name", KERNELS)
@examples(8)
@given(plan=plans, rows=lengths, columns=lengths, static=st.booleans())
def test_any_plan_gives_the_bits_of_the_nests(
    name: str, plan: Prefix | Map, rows: int, columns: int, static: bool
) -> None:
    text, sizes = KERNELS[name], {"B": rows, "N": columns}
    if static:
        text, sizes = fixed(text, rows), {"N": columns}
    agree(text, sizes, plan, special=True)


@pytest.mark.parametrize("name", KERNELS)
def test_machine_code_gives_the_bits_of_the_nests(name: str) -> None:
    agree(KERNELS[name], {"B": 11, "N": 300}, special=True, native=True)


@pytest.mark.parametrize("name", KERNELS)
def test_it_is_chosen_for_what_has_prefixes(name: str) -> None:
    assert isinstance(choose_plan(parse_kernel(KERNELS[name]), MACHINE), Prefix)


def test_it_refuses_what_has_none() -> None:
    text = re.sub(r"loop.scan \[%k : N\] {|%s = loop.prefix add %v : f32", "", scan())
    text = text.replace("loop.write %s", "loop.write %v").replace("%k", "0")
    refusal = Prefix.fits(parse_kernel(text.replace("    }\n  }\n}", "  }\n}")), MACHINE)
    assert refusal is not None
    assert refusal.reason == "there are no prefixes"


@pytest.mark.parametrize("name", ["columns", "columns from the end", "exponentials from the end"])
def test_memory_is_walked_along(name: str) -> None:
    kernel = expanded(KERNELS[name])
    assert not any(isinstance(op, GatherOp | ScatterOp) for op in kernel.walk())


def test_terms_are_computed_in_vectors_where_the_chains_are_not() -> None:
    for name, blocks in (("rows", False), ("exponentials", True), ("columns", False)):
        kernel = expanded(KERNELS[name])
        assert any(isinstance(op, StackOp) for op in kernel.walk()) is blocks
        kinds = {str(op.results[0].type) for op in kernel.walk() if op.name == "math.exp"}
        assert kinds <= {"vector<16xf32>"}


def test_rows_are_shared_among_threads() -> None:
    kernel = expanded(KERNELS["exponentials"])
    assert any(isinstance(op, ParallelOp) for op in kernel.walk())
