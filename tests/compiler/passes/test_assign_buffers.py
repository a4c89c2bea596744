"""The arena: who shares memory with whom, and that nobody does who is live together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects import arith, builtin
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from drawing import examples
from stepwell.compiler.dialects.loop import LOOP
from stepwell.compiler.dialects.loop.host import AllocOp, FuncOp
from stepwell.compiler.interpret.loops import run_function
from stepwell.compiler.passes.assign_buffers import AssignBuffers, Request, aligned, layout
from stepwell.runtime.sizes import Size


def assigned(source: str) -> ModuleOp:
    context = Context()
    for dialect in (builtin.Builtin, arith.Arith, LOOP):
        context.load_dialect(dialect)
    module = Parser(context, source).parse_module()
    AssignBuffers().apply(context, module)
    module.verify()
    assert not any(isinstance(op, AllocOp) for op in module.walk())
    return module


def workspace(module: ModuleOp, name: str = "run") -> str:
    """The bytes of a function's arena."""
    function = next(op for op in module.ops if isinstance(op, FuncOp) and op.sym_name.data == name)
    return str(function.arguments[-1].type.count)


ADD = """
loop.kernel @add<M: 0>(%x: !loop.buffer<[M] x f32>, %y: !loop.buffer<[M] x f32>)
    -> (%z: !loop.buffer<[M] x f32>) {
  %zero = loop.index 0
  %n = loop.index M
  loop.for %i = %zero to %n step 1 {
    %v = loop.load %x[%i] : !loop.buffer<[M] x f32> to f32
    %w = loop.load %y[%i] : !loop.buffer<[M] x f32> to f32
    %s = arith.addf %v, %w : f32
    loop.store %s, %z[%i] : f32 to !loop.buffer<[M] x f32>
    loop.yield
  }
}
"""


def buffer(size: str) -> str:
    return f"!loop.buffer<[{size}] x f32>"


def alloc(name: str, size: str) -> str:
    return f"  %{name} = loop.alloc : {buffer(size)}\n"


def add(x: str, y: str, z: str, size: str) -> str:
    types = ", ".join([buffer(size)] * 3)
    return f"  loop.launch @add <M = {size}> (%{x}, %{y}, %{z}) : {types}\n"


def function(body: str, size: str, name: str = "run") -> str:
    symbols = "<N: 0>" if "N" in size else ""
    return f"loop.func @{name}{symbols}(%x: {buffer(size)}) -> (%y: {buffer(size)}) {{\n{body}}}\n"


@pytest.mark.parametrize(
    ("size", "bytes"),
    [("16", "128"), ("17", "256"), ("32*N", "256*N"), ("N", "128*floordiv(4*N + 63, 64)")],
)
def test_a_chain_takes_two_places(size, bytes):
    chain = "".join(alloc(name, size) for name in "abcd")
    for source, target in ("xa", "ab", "bc", "cd", "dy"):
        chain += add(source, source, target, size)
    assert workspace(assigned(ADD + function(chain, size))) == bytes


def test_without_allocations_there_is_no_arena():
    module = assigned(ADD + function(add("x", "x", "y", "4"), "4"))
    (run,) = (op for op in module.ops if isinstance(op, FuncOp))
    assert len(run.arguments) == 2
    assert not run.attributes


def test_the_arena_is_the_last_result():
    module = assigned(ADD + function(alloc("a", "4") + add("x", "x", "a", "4"), "4"))
    (run,) = (op for op in module.ops if isinstance(op, FuncOp))
    assert run.outputs.data == 2
    assert "workspace" in run.attributes


def test_a_callee_gets_its_arena_from_its_caller():
    inner = alloc("a", "16*N") + add("x", "x", "a", "16*N") + add("a", "a", "y", "16*N")
    types = f"{buffer('32*N')}, {buffer('32*N')}"
    launch = "  loop.launch @inner <N = 2*N> (%{}, %{}) : " + types + "\n"
    outer = alloc("b", "32*N") + launch.format("x", "b") + launch.format("b", "y")
    source = ADD + function(outer, "32*N") + function(inner, "16*N", "inner")
    module = assigned(source)
    assert workspace(module, "inner") == "64*N"
    # One after the other, the two launches share the place of the arena that they lend.
    assert workspace(module) == "256*N"
    x, y = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    run_function(module, "run", [x, y, np.zeros(512, np.uint8)], {"N": 2})
    assert np.array_equal(y, 16 * x)


LOOP_BODY = """
  %zero = loop.index 0
  %n = loop.index 3
  %a = loop.alloc : !loop.buffer<[16] x f32>
  loop.launch @add <M = 16> (%x, %x, %a) : !loop.buffer<[16] x f32>, !loop.buffer<[16] x f32>, !loop.buffer<[16] x f32>
  loop.for %i = %zero to %n step 1 {
    %b = loop.alloc : !loop.buffer<[16] x f32>
    %c = loop.alloc : !loop.buffer<[16] x f32>
    loop.launch @add <M = 16> (%a, %a, %b) : !loop.buffer<[16] x f32>, !loop.buffer<[16] x f32>, !loop.buffer<[16] x f32>
    loop.launch @add <M = 16> (%b, %b, %c) : !loop.buffer<[16] x f32>, !loop.buffer<[16] x f32>, !loop.buffer<[16] x f32>
    loop.launch @add <M = 16> (%c, %c, %y) : !loop.buffer<[16] x f32>, !loop.buffer<[16] x f32>, !loop.buffer<[16] x f32>
    loop.yield
  }
  %d = loop.alloc : !loop.buffer<[16] x f32>
  loop.launch @add <M = 16> (%y, %y, %d) : !loop.buffer<[16] x f32>, !loop.buffer<[16] x f32>, !loop.buffer<[16] x f32>
  loop.copy %d, %y : !loop.buffer<[16] x f32> to !loop.buffer<[16] x f32>
"""  # noqa: E501


def test_what_a_loop_uses_lives_as_long_as_the_loop():
    """%a is read in every round, so %c must not take its place; %d may."""
    module = assigned(ADD + function(LOOP_BODY, "16"))
    assert workspace(module) == "192"
    x, y = np.arange(16, dtype=np.float32), np.zeros(16, np.float32)
    run_function(module, "run", [x, y, np.zeros(192, np.uint8)], {})
    assert np.array_equal(y, 32 * x)


def test_a_view_keeps_its_buffer():
    body = (
        alloc("a", "16")
        + add("x", "x", "a", "16")
        + f"  %v = loop.view %a[0] : {buffer('16')} to {buffer('16')}\n"
        + alloc("b", "16")
        + add("x", "x", "b", "16")
        + add("v", "b", "y", "16")
    )
    module = assigned(ADD + function(body, "16"))
    x, y = np.arange(16, dtype=np.float32), np.zeros(16, np.float32)
    run_function(module, "run", [x, y, np.zeros(128, np.uint8)], {})
    assert np.array_equal(y, 4 * x)


def test_a_buffer_that_a_branch_yields_lives_on():
    body = f"""
  %c = arith.constant true
  %r = loop.if %c {{
    %a = loop.alloc : {buffer("16")}
  {add("x", "x", "a", "16")}    loop.yield %a : {buffer("16")}
  }} else {{
    loop.yield %x : {buffer("16")}
  }} : {buffer("16")}
{alloc("b", "16")}{add("x", "x", "b", "16")}{add("r", "b", "y", "16")}"""
    assert workspace(assigned(ADD + function(body, "16"))) == "128"


SIZES = [Size.parse(text) for text in ("0", "4", "100", "640", "64*N", "100*N", "N*N", "6400*N")]


@given(
    st.lists(
        st.tuples(st.sampled_from(SIZES), st.integers(0, 20), st.integers(0, 20)), max_size=12
    ),
    st.integers(0, 40),
)
@examples(200)
def test_what_is_live_together_lies_apart(items, n):
    wanted = [Request(aligned(size), min(a, b), max(a, b)) for size, a, b in items]
    offsets, total = layout(wanted)
    values = {"N": n}
    places = [
        (offset.evaluate(values), offset.evaluate(values) + size.evaluate(values))
        for offset, (size, _, _) in zip(offsets, items, strict=True)
    ]
    for number, (start, stop) in enumerate(places):
        assert start % 64 == 0
        assert stop <= total.evaluate(values)
        for other in range(number):
            low, high = places[other]
            one, two = wanted[number], wanted[other]
            if one.first <= two.last and two.first <= one.last:
                assert stop <= low or high <= start or start == stop or low == high


@given(st.data())
@examples(60)
def test_random_programs_compute_the_same(data):
    """Each launch adds two buffers that hold a value, into any other one."""
    names = [f"t{number}" for number in range(data.draw(st.integers(1, 5)))]
    body = "".join(alloc(name, "N") for name in names)
    filled = ["x"]
    for _ in range(data.draw(st.integers(1, 12))):
        first, second = (data.draw(st.sampled_from(filled)) for _ in range(2))
        target = data.draw(st.sampled_from([*names, "y"]))
        if target not in (first, second):
            body += add(first, second, target, "N")
            filled.append(target)
    source = ADD + function(body, "N")
    x = np.arange(20, dtype=np.float32)
    results = []
    for module in (Parser(_context(), source).parse_module(), assigned(source)):
        y = np.zeros(20, np.float32)
        (run,) = (op for op in module.ops if isinstance(op, FuncOp))
        room = run.arguments[-1].type.count.evaluate({"N": 20})
        arena = [np.zeros(room, np.uint8)] * ("workspace" in run.attributes)
        run_function(module, "run", [x, y, *arena], {"N": 20})
        results.append(y)
    assert np.array_equal(*results)


def _context() -> Context:
    context = Context()
    for dialect in (builtin.Builtin, arith.Arith, LOOP):
        context.load_dialect(dialect)
    return context
