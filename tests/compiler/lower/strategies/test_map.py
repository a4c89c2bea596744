"""The strategy `map`: any nest, under any parameters, gives the bits that the interpreter gives."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing import examples
from expanding import agree, expanded
from loop_text import parse_kernel
from stepwell.compiler.dialects.loop.explicit import (
    FenceOp,
    GatherOp,
    ParallelOp,
    ScatterOp,
    ShuffleOp,
)
from stepwell.compiler.lower.costs import task_time
from stepwell.compiler.lower.strategies import choose_plan
from stepwell.compiler.lower.strategies.map import Map
from stepwell.compiler.machines import MACHINES


def fold(
    combine: str, *, source: str, at: str, target: str, axes: str, over: str, dtype: str = "f32"
) -> str:
    """`target` gets a fold of the elements of `source`."""
    sizes = ", ".join(axis.split(":")[1] for axis in axes.split(",") if ":" in axis)
    index = ", ".join(axis.split(":")[0] for axis in axes.split(",") if ":" in axis)
    return f"""
loop.kernel @fold<B: 0, N: 0>(%x: !loop.buffer<[{source}] x {dtype}>)
    -> ({target}: !loop.buffer<[{sizes}] x {dtype}>) {{
  loop.nest [{axes}] {{
    %s = loop.fold {combine} [{over}] {{
      %v = loop.read %x[{at}] : {dtype}
      loop.yield %v : {dtype}
    }} : {dtype}
    loop.write %s, {target}[{index}] : {dtype}
  }}
}}"""


def side_by_side(order: str, element: str) -> str:
    """Two folds in one, which share a product."""
    return f"""
loop.kernel @fold<B: 0, N: 0>(%x: !loop.buffer<[B, N] x f32>, %w: !loop.buffer<[N, B] x f32>)
    -> (%y: !loop.buffer<[B] x f32>, %z: !loop.buffer<[B] x f32>) {{
  loop.nest [%i : B] {{
    %s, %t = loop.fold {order} [%k : N] {{
      %u = loop.read %x[{element}] : f32
      %v = loop.read %w[%k, %i] : f32
      %p = arith.mulf %u, %v : f32
      %q = arith.subf %p, %u : f32
      loop.yield %p, %q : f32, f32
    }} : f32, f32
    %d = arith.subf %s, %t : f32
    loop.write %s, %y[%i] : f32
    loop.write %d, %z[%i] : f32
  }}
}}"""


def pick(kind: str, place: str, term: str = "math.sqrt", dtype: str = "f32") -> str:
    """Which of three terms is picked; half of those that are roots are no numbers."""
    return f"""
loop.kernel @pick<B: 0, N: 0>(%x: !loop.buffer<[B, 3, N] x {dtype}>)
    -> (%y: !loop.buffer<[B, N] x {dtype}>, %z: !loop.buffer<[B, N] x i32>) {{
  loop.nest [%i : B, %j : N] {{
    %best, %where = loop.fold {kind} <any> [%h : 3] {{
      %u = loop.read %x[%i, %h, %j] : {dtype}
      %v = {term} %u : {dtype}
      %n = loop.index {place} + %j
      %p = loop.cast index %n : index to i32
      loop.yield %v, %p : {dtype}, i32
    }} : {dtype}, i32
    loop.write %best, %y[%i, %j] : {dtype}
    loop.write %where, %z[%i, %j] : i32
  }}
}}"""


ROWS = {"source": "B, N", "at": "%i, %k", "target": "%y", "axes": "%i : B", "over": "%k : N"}
COLUMNS = {"source": "N, B", "at": "%k, %i", "target": "%y", "axes": "%i : B", "over": "%k : N"}
BOTH = {"source": "B, N", "at": "%h, %k", "target": "%y", "axes": "", "over": "%h : B, %k : N"}
AROUND = {
    "source": "B, 5, N",
    "at": "%h, %i, %k",
    "target": "%y",
    "axes": "%i : 5",
    "over": "%h : B, %k : N",
}
SLABS = {**AROUND, "source": "B, 5, 64", "over": "%h : B, %k : 64"}
FEW = {
    "source": "B, 3, N",
    "at": "%i, %h, %j",
    "target": "%y",
    "axes": "%i : B, %j : N",
    "over": "%h : 3",
}
FOLDS = {
    "rows": fold("add <lanes, 4096>", **ROWS),
    "rows in chunks": fold("add <lanes, 64>", **ROWS),
    "columns": fold("add <lanes, 4096>", **COLUMNS),
    "columns in chunks": fold("add <lanes, 128>", **COLUMNS),
    "everything": fold("add <lanes, 4096>", **BOTH),
    "around": fold("add <lanes, 128>", **AROUND),
    "slabs": fold("add <lanes, 128>", **SLABS),
    "few": fold("add <lanes, 4096>", **FEW),
    "chains of rows": fold("add <serial, 16>", **ROWS),
    "chains of columns": fold("add <serial, 3>", **COLUMNS),
    "long chains of columns": fold("add <serial, 32>", **COLUMNS),
    "uncut chains of columns": fold("mul <serial>", **COLUMNS, dtype="f64"),
    "chains around": fold("add <serial, 7>", **AROUND),
    "uncut": fold("add <serial>", **AROUND),
    "products": fold("mul <lanes, 4096>", **ROWS),
    "doubles": fold("add <lanes, 4096>", **ROWS, dtype="f64"),
    "integers": fold("add <lanes, 64>", **COLUMNS, dtype="i32"),
    "greatest of rows": fold("max <any>", **ROWS),
    "greatest of columns": fold("max <any>", **COLUMNS),
    "least around": fold("min <any>", **AROUND),
    "greatest byte": fold("max <any>", **COLUMNS, dtype="i8"),
    "least byte": fold("min <any>", **ROWS, dtype="i8"),
    "greatest of few": fold("max <any>", **FEW),
    "least of few": fold("min <any>", **FEW),
    "pick": pick("argmax", "(7) * %h"),
    "pick the least": pick("argmin", "(7) * %h"),
    "pick from the end": pick("argmax", "(-7) * %h"),
    "pick at one place": pick("argmin", "(0) * %h"),
    "pick of equal ones": pick("argmax", "(7) * %h", "math.absi", "i32"),
    "pick bytes": pick("argmin", "(7) * %h", "math.absi", "i8"),
    "all": fold("and <any>", **ROWS, dtype="i1"),
    "any": fold("or <any>", **COLUMNS, dtype="i1"),
    "side by side": side_by_side("add <lanes, 4096>", "%i, %k"),
    "side by side in chunks": side_by_side("add <lanes, 128>", "%i, %k"),
    "chains side by side": side_by_side("add <serial, 7>", "%i, %k"),
    "greatest side by side": side_by_side("max <any>", "%i, %k"),
}

X = "%x: !loop.buffer<[B, N] x f32>"
Y = "%y: !loop.buffer<[B, N] x f32>"
BODIES = {
    "bias": f"""
loop.kernel @bias<B: 0, N: 0>(
    {X}, %b: !loop.buffer<[N] x f32>, %s: !loop.buffer<[B] x f32>) -> ({Y}) {{
  loop.nest [%i : B, %j : N] {{
    %v = loop.read %x[%i, %j] : f32
    %b0 = loop.read %b[%j] : f32
    %s0 = loop.read %s[%i] : f32
    %e = math.exp %s0 : f32
    %p = arith.mulf %v, %e : f32
    %r = arith.addf %p, %b0 : f32
    loop.write %r, %y[%i, %j] : f32
  }}
}}""",
    "transpose": f"""
loop.kernel @transpose<B: 0, N: 0>({X}) -> (%y: !loop.buffer<[N, B] x f32>) {{
  loop.nest [%j : N, %i : B] {{
    %v = loop.read %x[%i, %j] : f32
    loop.write %v, %y[%j, %i] : f32
  }}
}}""",
    "pad": f"""
loop.kernel @pad<B: 0, N: 0>({X}) -> (%y: !loop.buffer<[B + 2, N + 3] x f32>) {{
  loop.nest [%i : B + 2, %j : N + 3] {{
    %zero = arith.constant 0 : index
    %a = loop.index %i + -1
    %b = loop.index %j + -2
    %h = loop.index B
    %w = loop.index N
    %c0 = loop.compare ge %a, %zero : index
    %c1 = loop.compare lt %a, %h : index
    %c2 = loop.compare ge %b, %zero : index
    %c3 = loop.compare lt %b, %w : index
    %c4 = arith.andi %c0, %c1 : i1
    %c5 = arith.andi %c2, %c3 : i1
    %c = arith.andi %c4, %c5 : i1
    %v = loop.read %x[%i + -1, %j + -2] where %c : f32
    loop.write %v, %y[%i, %j] : f32
  }}
}}""",
    "one where": f"""
loop.kernel @one<B: 1, N: 0>({X}, %b: !loop.buffer<[B] x f32>) -> ({Y}) {{
  loop.nest [%i : B, %j : N] {{
    %v = loop.read %x[%i, %j] : f32
    %zero = arith.constant 0.0 : f32
    %c = loop.compare gt %v, %zero : f32
    %o = loop.read %b[%i] where %c : f32
    loop.write %o, %y[%i, %j] : f32
  }}
}}""",
    "rows by number": f"""
loop.kernel @pick<B: 0, N: 0>(%x: !loop.buffer<[10, N] x f32>, %p: !loop.buffer<[B] x i64>)
    -> ({Y}) {{
  loop.nest [%i : B, %j : N] {{
    %p0 = loop.read %p[%i] : i64
    %q = loop.cast index %p0 : i64 to index
    %v = loop.read %x[%q, %j] : f32
    loop.write %v, %y[%i, %j] : f32
  }}
}}""",
    "elements by number": """
loop.kernel @take<B: 0, N: 0>(%x: !loop.buffer<[10] x f32>, %p: !loop.buffer<[B] x i64>)
    -> (%y: !loop.buffer<[B] x f32>) {
  loop.nest [%i : B] {
    %p0 = loop.read %p[%i] : i64
    %q = loop.cast index %p0 : i64 to index
    %v = loop.read %x[%q] : f32
    loop.write %v, %y[%i] : f32
  }
}""",
    "reverse": f"""
loop.kernel @reverse<B: 0, N: 0>({X}) -> ({Y}) {{
  loop.nest [%i : B, %j : N] {{
    %v = loop.read %x[%i, (-1) * %j + N - 1] : f32
    loop.write %v, %y[%i, %j] : f32
  }}
}}""",
    "every other": """
loop.kernel @every<B: 0, N: 0>(%x: !loop.buffer<[B, N] x f32>)
    -> (%y: !loop.buffer<[B, 2*N] x f32>) {
  loop.nest [%i : B, %j : N] {
    %v = loop.read %x[%i, %j] : f32
    loop.write %v, %y[%i, (2) * %j] : f32
    loop.write %v, %y[%i, (2) * %j + 1] : f32
  }
}""",
    "numbers": """
loop.kernel @numbers<B: 0, N: 0>() -> (%y: !loop.buffer<[B, N] x i64>) {
  loop.nest [%i : B, %j : N] {
    %p = loop.index (3) * %j + N
    %q = loop.cast index %p : index to i64
    %r = loop.cast index %i : index to i64
    %s = arith.addi %q, %r : i64
    loop.write %s, %y[%i, %j] : i64
  }
}""",
    "halves": """
loop.kernel @halves<B: 0, N: 0>(%x: !loop.buffer<[B, N] x bf16>)
    -> (%y: !loop.buffer<[B, N] x f16>) {
  loop.nest [%i : B, %j : N] {
    %v = loop.read %x[%i, %j] : bf16
    %w = loop.cast extf %v : bf16 to f32
    %h = loop.cast truncf %w : f32 to f16
    loop.write %h, %y[%i, %j] : f16
  }
}""",
    "centred": f"""
loop.kernel @centred<B: 0, N: 0>({X}) -> ({Y}) {{
  loop.nest [%i : B, %j : N] {{
    %m = loop.fold max <any> [%k : N] {{
      %u = loop.read %x[%i, %k] : f32
      loop.yield %u : f32
    }} : f32
    %v = loop.read %x[%i, %j] : f32
    %d = arith.subf %v, %m : f32
    loop.write %d, %y[%i, %j] : f32
  }}
}}""",
    "greatest index": """
loop.kernel @argmax<B: 0, N: 0>(%x: !loop.buffer<[B, N] x f32>) -> (%y: !loop.buffer<[B] x i64>) {
  loop.nest [%i : B] {
    %m, %p = loop.fold argmax <any> [%k : N] {
      %v = loop.read %x[%i, %k] : f32
      %q = loop.cast index %k : index to i64
      loop.yield %v, %q : f32, i64
    } : f32, i64
    loop.write %p, %y[%i] : i64
  }
}""",
    "least index of columns": """
loop.kernel @argmin<B: 0, N: 0>(%x: !loop.buffer<[N, B] x i32>) -> (%y: !loop.buffer<[B] x i64>) {
  loop.nest [%i : B] {
    %m, %p = loop.fold argmin <any> [%k : N] {
      %v = loop.read %x[%k, %i] : i32
      %q = loop.cast index %k : index to i64
      loop.yield %v, %q : i32, i64
    } : i32, i64
    loop.write %p, %y[%i] : i64
  }
}""",
    "products": """
loop.kernel @dot<B: 0, N: 0>(%x: !loop.buffer<[B, N] x f32>, %w: !loop.buffer<[N] x f32>)
    -> (%y: !loop.buffer<[B] x f32>) {
  loop.nest [%i : B] {
    %s = loop.fold fma <lanes, 4096> [%k : N] {
      %a = loop.read %x[%i, %k] : f32
      %b = loop.read %w[%k] : f32
      loop.yield %a, %b : f32, f32
    } : f32
    loop.write %s, %y[%i] : f32
  }
}""",
    "kept": f"""
loop.kernel @kept<B: 0, N: 0>({X}) -> ({Y}) {{
  %t = loop.local : !loop.buffer<[N, B] x f32>
  loop.nest [%j : N, %i : B] {{
    %v = loop.read %x[%i, %j] : f32
    %e = math.exp %v : f32
    loop.write %e, %t[%j, %i] : f32
  }}
  loop.nest [%i : B, %j : N] {{
    %a = loop.read %t[%j, %i] : f32
    %b = loop.read %t[0, %i] : f32
    %r = arith.addf %a, %b : f32
    loop.write %r, %y[%i, %j] : f32
  }}
}}""",
}
POOL = """
loop.kernel @pool<B: 0, N: 0>(%x: !loop.buffer<[B, 2*N] x f32>)
    -> (%y: !loop.buffer<[B, N] x f32>) {{
  loop.nest [%i : B, %j : N] {{
    %s = loop.fold {combine} [%d : 3] {{
      %zi = arith.constant 0 : index
      %p = loop.index (2) * %j + %d + -1
      %l = loop.index 2*N
      %c0 = loop.compare ge %p, %zi : index
      %c1 = loop.compare lt %p, %l : index
      %c = arith.andi %c0, %c1 : i1
      %v = loop.read %x[%i, (2) * %j + %d + -1] where %c : f32
      %o = arith.constant {otherwise} : f32
      %t = loop.select %c, %v, %o : i1, f32
      loop.yield %t : f32
    }} : f32
    loop.write %s, %y[%i, %j] : f32
  }}
}}"""
CHANNELS = """
loop.kernel @pool<B: 0, N: 0>(%x: !loop.buffer<[B, 9, N] x f32>)
    -> (%y: !loop.buffer<[B, 4, N] x f32>) {
  loop.nest [%i : B, %j : 4, %n : N] {
    %s = loop.fold max <any> [%d : 3] {
      %zi = arith.constant 0 : index
      %p = loop.index (2) * %j + %d + -1
      %l = loop.index 9
      %c0 = loop.compare ge %p, %zi : index
      %c1 = loop.compare lt %p, %l : index
      %c = arith.andi %c0, %c1 : i1
      %v = loop.read %x[%i, (2) * %j + %d + -1, %n] where %c : f32
      %o = arith.constant 0xFF800000 : f32
      %t = loop.select %c, %v, %o : i1, f32
      loop.yield %t : f32
    } : f32
    loop.write %s, %y[%i, %j, %n] : f32
  }
}"""
ROUNDS = """
loop.kernel @rounds<B: 0, N: 0>(%x: !loop.buffer<[B, N] x f32>, %n: !loop.buffer<[B] x i32>)
    -> (%y: !loop.buffer<[B, N] x f32>, %z: !loop.buffer<[B, N] x i32>) {{
  loop.nest [%i : B, %j : N] {{
    %u = loop.read %x[%i, %j] : f32
    %most = loop.read %n[%i] : i32
    %zero = arith.constant 0 : i32
    %r, %s, %t = loop.while carry(%k = %zero : i32, %a = %u : f32, %b = %most : i32) {{
      %bound = arith.constant {most} : i32
      %few = loop.compare lt %k, %bound : i32
      %row = loop.compare gt %b, %zero : i32
      %square = arith.mulf %a, %a : f32
      %four = arith.constant 4.0 : f32
      %near = loop.compare le %square, %four : f32
      %more = arith.andi %few, %{which} : i1
      loop.condition %more (%square : f32)
    }} do {{
    ^bb0(%l: i32, %c: f32, %d: i32, %e: f32):
      %one = arith.constant 1 : i32
      %m = arith.addi %l, %one : i32
      %v = arith.addf %e, %u : f32
      %w = arith.addf %v, %c : f32
      %f = arith.subi %d, %one : i32
      loop.yield %m, %w, %f : i32, f32, i32
    }}
    loop.write %s, %y[%i, %j] : f32
    loop.write %r, %z[%i, %j] : i32
  }}
}}"""
BODIES["rounds of each element"] = ROUNDS.format(most=9, which="near")
BODIES["rounds of each row"] = ROUNDS.format(most=9, which="row")
BODIES["as many rounds everywhere"] = ROUNDS.format(most=3, which="few")
BODIES["no rounds"] = ROUNDS.format(most=0, which="near")
BODIES["greatest in windows"] = POOL.format(combine="max <any>", otherwise="0xFF800000")
BODIES["sums in windows"] = POOL.format(combine="add <serial>", otherwise="0.0")
BODIES["lanes in windows"] = POOL.format(combine="add <lanes, 4096>", otherwise="0.0")
BODIES["no guard"] = POOL.format(combine="add <serial>", otherwise="1.0")
BODIES["channels in windows"] = CHANNELS


KERNELS = {**FOLDS, **BODIES}

plans = st.builds(
    Map,
    bytes=st.sampled_from([16, 32, 64]),
    vectors=st.integers(1, 5),
    rows=st.integers(1, 4),
    task=st.sampled_from([0, 1, 20]),
    band=st.sampled_from([1, 16, 40, 100]),
    stream=st.integers(0, 1),
    deep=st.sampled_from([0, 1, 4, 8, 100]),
)
lengths = st.sampled_from([0, 1, 2, 3, 5, 15, 16, 17, 33, 63, 64, 70, 130, 200])


def fixed(text: str, rows: int) -> str:
    """The kernel for one number of rows."""
    return re.sub(r"\bB\b", str(rows), re.sub(r"\bB: \d, ", "", text))


@pytest.mark.parametrize("name", KERNELS)
@examples(6)
@given(plan=plans, rows=lengths, columns=lengths, static=st.booleans())
def test_any_plan_gives_the_bits_of_the_nests(
    name: str, plan: Map, rows: int, columns: int, static: bool
) -> None:
    text, sizes = KERNELS[name], {"B": max(rows, 1), "N": columns}
    if static:
        text, sizes = fixed(text, sizes["B"]), {"N": columns}
    agree(text, sizes, plan, special=True)


@pytest.mark.parametrize("name", KERNELS)
def test_machine_code_gives_the_bits_of_the_nests(name: str) -> None:
    agree(KERNELS[name], {"B": 7, "N": 75}, special=True, native=True)


@pytest.mark.parametrize("name", KERNELS)
def test_machine_code_that_goes_past_the_caches_gives_them_too(name: str) -> None:
    agree(fixed(KERNELS[name], 48), {"N": 64}, Map(stream=1), special=True, native=True)


@pytest.mark.parametrize("dtype", ["i1", "i8", "bf16", "f16", "i32", "f64", "i64"])
def test_vectors_of_any_type_go_past_the_caches(dtype: str) -> None:
    text = f"""
loop.kernel @turn(%x: !loop.buffer<[64, 64] x {dtype}>) -> (%y: !loop.buffer<[64, 64] x {dtype}>) {{
  loop.nest [%i : 64, %j : 64] {{
    %v = loop.read %x[%j, %i] : {dtype}
    loop.write %v, %y[%i, %j] : {dtype}
  }}
}}"""
    assert any(isinstance(op, FenceOp) for op in expanded(text, Map(stream=1)).walk())
    agree(text, {}, Map(stream=1), native=True)


def test_contiguous_axes_are_walked_as_one() -> None:
    kernel = expanded("""
loop.kernel @negate(%x: !loop.buffer<[30, 5, 3] x f32>) -> (%y: !loop.buffer<[30, 5, 3] x f32>) {
  loop.nest [%i : 30, %j : 5, %k : 3] {
    %v = loop.read %x[%i, %j, %k] : f32
    %n = arith.negf %v : f32
    loop.write %n, %y[%i, %j, %k] : f32
  }
}""")
    assert sum(op.name == "loop.for" for op in kernel.walk()) == 1


def test_little_work_is_left_to_one_thread() -> None:
    for size, shared in (("1000", False), ("1000000", True), ("B", True)):
        symbols = "<B: 1>" if size == "B" else ""
        kernel = expanded(f"""
loop.kernel @negate{symbols}(%x: !loop.buffer<[{size}] x f32>)
    -> (%y: !loop.buffer<[{size}] x f32>) {{
  loop.nest [%i : {size}] {{
    %v = loop.read %x[%i] : f32
    %n = arith.negf %v : f32
    loop.write %n, %y[%i] : f32
  }}
}}""")
        assert any(isinstance(op, ParallelOp) for op in kernel.walk()) is shared


@pytest.mark.parametrize(
    ("whole", "task"), [(1e4, 5e3), (1.6e5, 1e4), (1e9, 2e4)], ids=["short", "some", "long"]
)
def test_tasks_are_short_where_they_would_be_few(whole: float, task: float) -> None:
    assert task_time(whole, 2e4) == task


@pytest.mark.parametrize(
    ("name", "machine", "rows"),
    [
        ("rows", "x86-64-v4", 4),
        ("rows", "x86-64-v3", 1),
        ("greatest of rows", "x86-64-v4", 4),
        ("side by side", "x86-64-v4", 2),
        ("columns", "x86-64-v4", 1),
        ("chains of rows", "x86-64-v3", 4),
    ],
)
def test_rows_are_folded_side_by_side_as_far_as_registers_go(
    name: str, machine: str, rows: int
) -> None:
    plan = choose_plan(parse_kernel(KERNELS[name]), MACHINES[machine])
    assert isinstance(plan, Map)
    assert plan.rows == rows


@pytest.mark.parametrize("deep", [1, 8, 70])
@pytest.mark.parametrize("name", [each for each in FOLDS if "chains" in each])
def test_machine_code_that_keeps_sums_in_memory_gives_the_bits_of_the_nests(
    name: str, deep: int
) -> None:
    agree(FOLDS[name], {"B": 75, "N": 150}, Map(deep=deep), special=True, native=True)


def test_vectors_follow_the_memory() -> None:
    kernel = expanded(fold("max <any>", **COLUMNS))
    assert not any(isinstance(op, GatherOp | ScatterOp) for op in kernel.walk())


def test_matrices_are_transposed_in_registers() -> None:
    kernel = expanded(fixed(BODIES["transpose"], 64).replace("N", "32").replace("<32: 0>", ""))
    kinds = [type(op) for op in kernel.walk()]
    assert GatherOp not in kinds
    assert kinds.count(ShuffleOp) == 64


def test_what_is_the_same_in_every_lane_is_computed_before_their_loop() -> None:
    kernel = expanded(BODIES["bias"])
    (exp,) = [op for op in kernel.walk() if op.name == "math.exp"]
    assert str(exp.results[0].type) == "f32"


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_stay_small(name: str) -> None:
    assert sum(1 for _ in expanded(KERNELS[name]).walk()) < 600
