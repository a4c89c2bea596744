"""Overwriting in place: it is never seen in the results, and happens where it can."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

import stepwell as sw
from programs import parsed
from stepwell import Array
from stepwell import numpy as snp
from stepwell.compiler.dialects.loop.host import FuncOp
from stepwell.compiler.interpret.loops import run_function
from stepwell.compiler.passes.interference import pairs
from stepwell.compiler.passes.share_buffers import ShareBuffers
from stepwell.compiler.passes.swap_buffers import SwapBuffers

BUFFER = "!loop.buffer<[4] x f32>"
TRUTH = "!loop.buffer<[] x i1>"
HALF = "!loop.buffer<[2] x f32>"
KERNELS = f"""
loop.kernel @neg(%x: {BUFFER}) -> (%y: {BUFFER}) attributes {{overwrites = #nd.ints<[0, 1]>}} {{
  loop.nest [%i : 4] {{
    %v = loop.read %x[%i] : f32
    %w = arith.negf %v : f32
    loop.write %w, %y[%i] : f32
  }}
}}
loop.kernel @add(%x: {BUFFER}, %y: {BUFFER}) -> (%z: {BUFFER})
    attributes {{overwrites = #nd.ints<[0, 2, 1, 2]>}} {{
  loop.nest [%i : 4] {{
    %v = loop.read %x[%i] : f32
    %w = loop.read %y[%i] : f32
    %s = arith.addf %v, %w : f32
    loop.write %s, %z[%i] : f32
  }}
}}
loop.kernel @turn(%x: {BUFFER}) -> (%y: {BUFFER}) {{
  %low = loop.index 0
  %high = loop.index 4
  loop.for %i = %low to %high step 1 {{
    %j = loop.index (-1) * %i + 3
    %v = loop.load %x[%j] : {BUFFER} to f32
    %one = arith.constant 1.0 : f32
    %w = arith.addf %v, %one : f32
    loop.store %w, %y[%i] : f32 to {BUFFER}
    loop.yield
  }}
}}
"""
"""`@turn` is explicit, so that to overwrite its input would be seen in the interpreter, too."""

WRITTEN = ("a", "b", "r", "s")
ALL = ("x", "d", *WRITTEN)

Statement = tuple[object, ...]


def others(target: str) -> st.SearchStrategy[str]:
    return st.sampled_from([name for name in ALL if name != target])


def step(target: str) -> st.SearchStrategy[Statement]:
    source = others(target)
    return st.one_of(
        st.tuples(
            st.sampled_from(["copy", "copy", "neg", "turn", "half", "local"]),
            source,
            st.just(target),
        ),
        st.tuples(st.just("add"), source, source, st.just(target)),
    )


STATEMENT: st.SearchStrategy[Statement] = st.recursive(
    st.sampled_from(WRITTEN).flatmap(step),
    lambda inner: st.one_of(
        st.tuples(st.just("for"), st.integers(0, 3), st.lists(inner, max_size=5)),
        st.tuples(st.just("if"), st.lists(inner, max_size=3), st.lists(inner, max_size=3)),
    ),
    max_leaves=6,
)


def launch(kernel: str, *buffers: str) -> str:
    given, types = ", ".join(f"%{each}" for each in buffers), ", ".join([BUFFER] * len(buffers))
    return f"loop.launch @{kernel} <>({given}) : {types}\n"


def copy(source: str, target: str) -> str:
    return f"loop.copy %{source}, %{target} : {BUFFER} to {BUFFER}\n"


def text(statements: Sequence[Statement], fresh: Callable[[], str]) -> str:
    return "".join(line(statement, fresh) for statement in statements)


def line(statement: Statement, fresh: Callable[[], str]) -> str:
    match statement:
        case ("copy", str(source), str(target)):
            return copy(source, target)
        case ("half", str(source), str(target)):
            one, two = fresh(), fresh()
            return (
                f"{one} = loop.view %{source}[1] : {BUFFER} to {HALF}\n"
                f"{two} = loop.view %{target}[2] : {BUFFER} to {HALF}\n"
                f"loop.copy {one}, {two} : {HALF} to {HALF}\n"
            )
        case ("local", str(source), str(target)):
            made, high, index = fresh(), fresh(), fresh()
            return (
                f"{made} = loop.alloc : {BUFFER}\n"
                f"{launch('turn', source, made[1:])}"
                f"{high} = loop.index 2\n"
                f"loop.for {index} = {high} to {high} step 1 {{\n"
                f"{copy(made[1:], target)}loop.yield\n}}\n"
                f"{copy(made[1:], target)}"
            )
        case ("for", int(count), list(body)):
            low, high, index = fresh(), fresh(), fresh()
            bounds = f"{low} = loop.index 0\n{high} = loop.index {count}\n"
            inner = text(body, fresh)
            return f"{bounds}loop.for {index} = {low} to {high} step 1 {{\n{inner}loop.yield\n}}\n"
        case ("if", list(then), list(otherwise)):
            branches = [f"{{\n{text(each, fresh)}loop.yield\n}}" for each in (then, otherwise)]
            return f"loop.if %c {branches[0]} else {branches[1]}\n"
        case (str(kernel), *buffers):
            return launch(kernel, *map(str, buffers))
        case _:
            raise AssertionError(statement)


def module_of(body: str) -> ModuleOp:
    """`x` stays as it is, `d` is given away, `r` and `s` are results, `a` and `b` are allocated."""
    return parsed(
        f"{KERNELS}loop.func @run(%x: {BUFFER}, %d: {BUFFER}, %go: {TRUTH})"
        f" -> (%r: {BUFFER}, %s: {BUFFER}) attributes {{donated = #nd.ints<[1]>}} {{\n"
        f"%a = loop.alloc : {BUFFER}\n%b = loop.alloc : {BUFFER}\n"
        f"%zero = loop.index 0\n%c = loop.load %go[%zero] : {TRUTH} to i1\n{body}}}"
    )


def results(module: ModuleOp, go: bool) -> list[NDArray[np.float32]]:
    function = next(op for op in module.ops if isinstance(op, FuncOp))
    arrays = [np.arange(4, dtype=np.float32) + 10 * n for n in range(4)]
    arrays.insert(2, np.array(go))
    for argument, result in pairs(function):
        arrays[result] = arrays[argument]
    run_function(module, "run", arrays, {})
    for argument in {0, 1}.difference(argument for argument, _ in pairs(function)):
        assert arrays[argument].tolist() == [10 * argument + i for i in range(4)]
    return arrays[3:]


def shared(module: ModuleOp) -> ModuleOp:
    module = module.clone()
    for each in (ShareBuffers(), SwapBuffers()):
        each.apply(Context(), module)
        module.verify()
    return module


BEGIN: list[Statement] = [
    ("copy", "x", "a"),
    ("neg", "d", "b"),
    ("copy", "b", "r"),
    ("turn", "x", "s"),
]
"""Writes everything, since what was never written is nobody's business."""


IN_PART: list[Statement] = [
    ("neg", "x", "a"),
    ("copy", "a", "b"),
    ("turn", "x", "b"),
    ("neg", "b", "r"),
    ("half", "x", "a"),
    ("copy", "a", "s"),
]
"""`a` is still needed where `b` is written, though it is written itself before it is read."""

NEXT_ROUND: list[Statement] = [
    ("neg", "x", "a"),
    ("for", 2, [("copy", "a", "b"), ("neg", "b", "s"), ("turn", "x", "b"), ("neg", "b", "r")]),
]
"""`a` is needed where `b` is written, though only in the next round."""

INNER: list[Statement] = [
    ("neg", "x", "a"),
    ("for", 2, [("local", "a", "b"), ("for", 2, [("turn", "b", "s"), ("copy", "s", "b")])]),
    ("copy", "b", "r"),
]
"""What an inner loop takes in turn is made within the outer one."""

TURNED: list[Statement] = [
    ("neg", "x", "a"),
    ("for", 3, [("turn", "a", "b"), ("copy", "b", "a")]),
    ("copy", "a", "r"),
]
"""The kernel must not overwrite what it reads."""


@example(TURNED)
@example(INNER)
@example(IN_PART)
@example(NEXT_ROUND)
@given(st.lists(STATEMENT, max_size=6).map(lambda statements: BEGIN + statements))
def test_nobody_sees_what_is_shared(statements: list[Statement]) -> None:
    names = iter(range(10**6))
    body = text(statements, lambda: f"%v{next(names)}")
    apart = module_of(body)
    together = shared(apart)
    for go in (False, True):
        np.testing.assert_array_equal(results(together, go), results(apart, go))


@pytest.mark.parametrize(
    ("body", "copies", "donations"),
    [
        pytest.param(copy("x", "r") + copy("x", "s"), 2, 1, id="an argument is kept"),
        pytest.param(copy("d", "r") + copy("d", "s"), 1, 1, id="a donated one is but one result"),
        pytest.param(launch("neg", "d", "r") + copy("x", "s"), 1, 1, id="a result in an argument"),
        pytest.param(launch("turn", "d", "r") + copy("x", "s"), 1, 1, id="the other result"),
        pytest.param(launch("neg", "d", "r") + launch("add", "x", "d", "s"), 0, 1, id="the later"),
        pytest.param(
            copy("d", "a")
            + launch("neg", "x", "r")
            + launch("neg", "x", "s")
            + launch("neg", "r", "a"),
            1,
            0,
            id="no result in its place",
        ),
        pytest.param(launch("neg", "x", "a") + copy("a", "r"), 0, 1, id="made in its place"),
        pytest.param(
            launch("neg", "x", "a") + copy("a", "r") + copy("a", "s"), 1, 1, id="twice a result"
        ),
    ],
)
def test_what_is_in_place(body: str, copies: int, donations: int) -> None:
    module = shared(module_of(body))
    assert str(module).count("loop.copy") == copies
    (function,) = (op for op in module.ops if isinstance(op, FuncOp))
    assert len(pairs(function)) == donations


def carried(body: Callable[[Array], Array]) -> str:
    """What of copies there is in a loop of a program that carries an array through it."""
    program = sw.compile(
        lambda x: sw.scan(lambda c, _: (body(c), None), x, None, length=9)[0], sw.spec("f32[4,4]")
    )
    x = np.float32([[1, 2, 3, 4]] * 4)
    expected = x
    for _ in range(9):
        expected = np.asarray(body(snp.asarray(expected)))
    np.testing.assert_allclose(np.asarray(program(x)), expected, rtol=1e-5)
    _, _, loop = program.ir("buffers").partition("loop.for")
    return loop


def test_a_loop_updates_what_it_carries() -> None:
    loop = carried(lambda c: snp.sin(c) + c)
    assert "loop.copy" not in loop
    assert "loop.alloc" not in loop


def test_a_loop_takes_two_buffers_in_turn_for_what_it_reads_as_a_whole() -> None:
    inside, _, after = carried(lambda c: c @ c / 16).partition("loop.yield")
    assert "loop.copy" not in inside
    assert after.count("loop.copy") == 1


def test_so_does_a_loop_that_goes_on_while_something_holds() -> None:
    program = sw.compile(
        lambda x: sw.while_loop(lambda c: snp.sum(c) < 1000, lambda c: c @ c + 1, x), "f32[4,4]"
    )
    _, _, loop = program.ir("buffers").partition("loop.while carry(")
    inside, _, after = loop.partition("loop.yield")
    assert "loop.copy" not in inside
    assert after.count("loop.copy") == 1
    for start in (0.1, 0.2, 1000):
        x = expected = np.full((4, 4), start, np.float32)
        while expected.sum() < 1000:
            expected = expected @ expected + 1
        np.testing.assert_allclose(np.asarray(program(x)), expected, rtol=1e-5)


def test_a_row_of_a_cache_is_written_where_it_lies() -> None:
    def write(cache: Array, row: Array) -> tuple[Array, None]:
        return snp.dynamic_update_slice(cache, row[None], [3, 0]), None

    program = sw.compile(lambda x, rows: sw.scan(write, x, rows)[0], "f32[1000,8]", "f32[5,8]")
    _, _, loop = program.ir("buffers").partition("loop.for")
    assert "[1000, 8] x f32> to !loop.buffer<[1000, 8]" not in loop
    x, rows = np.zeros((1000, 8), np.float32), np.ones((5, 8), np.float32)
    found = np.asarray(program(x, rows))
    assert found[3].tolist() == [1] * 8
    assert found.sum() == 8


def test_a_copy_says_why_it_is_made() -> None:
    program = sw.compile(
        lambda x: sw.scan(lambda c, _: (c[::-1] * 2, None), x, None, length=3)[0], "f32[9]"
    )
    assert 'because = "an argument stays as it is"' in program.ir("buffers")


def test_an_inner_loop_takes_turns_with_a_buffer_of_the_outer_one() -> None:
    def inner(c: Array) -> Array:
        return sw.scan(lambda c, _: (c.T + 1, None), c, None, length=3)[0]

    program = sw.compile(
        lambda x: sw.scan(lambda c, _: (inner(c), None), x, None, length=2)[0], "f32[2,2]"
    )
    assert np.asarray(program(np.float32([[1, 2], [3, 4]]))).tolist() == [[7, 8], [9, 10]]
