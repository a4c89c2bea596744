"""Entry points, launches, effects and failures: the ABI as the runtime sees it."""

import ctypes

import numpy as np
import pytest

from stepwell.runtime.context import Error
from stepwell.runtime.errors import CompileError

X = "!loop.buffer<[N] x f32>"
DOUBLE = """
loop.kernel @double<M: 0>(%x: !loop.buffer<[M] x f32>) -> (%y: !loop.buffer<[M] x f32>) {
  %zero = loop.index 0
  %n = loop.index M
  loop.for %i = %zero to %n step 1 {
    %v = loop.load %x[%i] : !loop.buffer<[M] x f32> to f32
    %w = arith.addf %v, %v : f32
    loop.store %w, %y[%i] : f32 to !loop.buffer<[M] x f32>
    loop.yield
  }
}
"""


def test_launches_bind_symbols(agree):
    pair = "!loop.buffer<[2*N, 3] x f32>"
    source = f"""{DOUBLE}
loop.func @run<N: 0>(%x: {pair}) -> (%y: {pair}) {{
  %a = loop.view %x[0] : {pair} to !loop.buffer<[6*N] x f32>
  %b = loop.view %y[0] : {pair} to !loop.buffer<[6*N] x f32>
  loop.launch @double <M = 6*N> (%a, %b) : !loop.buffer<[6*N] x f32>, !loop.buffer<[6*N] x f32>
}}"""
    x = np.arange(24, dtype=np.float32).reshape(8, 3)
    _, y = agree(source, [x, np.zeros_like(x)], {"N": 4})
    assert np.array_equal(y, 2 * x)


def test_a_function_that_is_shared_is_no_entry_point(native):
    source = f"""{DOUBLE}
loop.func @twice<M: 0>(%x: !loop.buffer<[M] x f32>) -> (%y: !loop.buffer<[M] x f32>) {{
  loop.launch @double <M = M> (%x, %y) : !loop.buffer<[M] x f32>, !loop.buffer<[M] x f32>
  loop.launch @double <M = M> (%y, %y) : !loop.buffer<[M] x f32>, !loop.buffer<[M] x f32>
}}
loop.func @eight<N: 0>(%x: {X}) -> (%y: {X}) attributes {{entry}} {{
  loop.launch @twice <M = N> (%x, %y) : {X}, {X}
  loop.launch @double <M = N> (%y, %y) : {X}, {X}
}}
loop.func @same<N: 0>(%x: {X}) -> (%y: {X}) {{
  loop.launch @eight <N = N> (%x, %y) : {X}, {X}
}}"""
    scalars = "loop.func @unused(%i: index) -> () {\n}"
    program = native(f"{source}\n{scalars}")
    assert set(program.code.symbols) == {"eight", "eight.takes", "same", "same.takes"}
    assert program.code.numbers("eight.takes", 2) == (2, 1)
    for name in ("eight", "same"):
        x, y = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
        assert program.run(name, [x, y], [5]) == 0
        assert np.array_equal(y, 8 * x)


def test_functions_take_scalars(agree):
    x = X.replace("N", "4")
    source = f"""
loop.func @run(%x: {x}) -> (%y: {x}) {{
  %zero = loop.index 0
  %four = loop.index 4
  %s = arith.constant 3.0 : f32
  loop.for %i = %zero to %four step 1 {{
    %c = loop.compare gt %i, %zero : index
    loop.launch @scale <> (%x, %i, %s, %c, %y) : {x}, index, f32, i1, {x}
    loop.yield
  }}
}}
loop.func @scale(%x: {x}, %i: index, %s: f32, %c: i1) -> (%y: {x}) {{
  %v = loop.load %x[%i] : {x} to f32
  %w = arith.mulf %v, %s : f32
  %u = loop.select %c, %w, %v : i1, f32
  loop.store %u, %y[%i] : f32 to {x}
}}"""
    _, y = agree(source, [np.arange(1, 5, dtype=np.float32), np.zeros(4, np.float32)])
    assert list(y) == [1, 6, 9, 12]


def test_no_promise_that_arguments_lie_apart_where_they_do_not(native):
    source = f"""{DOUBLE}
loop.func @inner<N: 0>(%x: {X}, %z: {X}) -> (%y: {X}) {{
  loop.launch @double <M = N> (%x, %y) : {X}, {X}
}}
loop.func @run<N: 0>(%x: {X}, %z: {X}) -> (%y: {X}) {{
  loop.launch @inner <N = N> (%x, %z, %x) : {X}, {X}, {X}
}}"""
    heads = [line for line in native(source).text.splitlines() if "define" in line]
    promised = {head.split("@")[1].split("(")[0]: head.count("noalias") for head in heads}
    assert promised == {"double": 0, "inner": 1, "run.body": 3, "run": 0}


def test_places_in_an_arena_lie_apart(native):
    source = f"""{DOUBLE}
loop.func @run<N: 0>(%x: {X}) -> (%y: {X}, %w: !loop.buffer<[128*N] x i8>)
    attributes {{workspace}} {{
  %a = loop.view %w[0] : !loop.buffer<[128*N] x i8> to {X}
  %b = loop.view %w[64*N] : !loop.buffer<[128*N] x i8> to {X}
  loop.launch @double <M = N> (%x, %a) : {X}, {X}
  loop.launch @double <M = N> (%a, %b) : {X}, {X}
  loop.launch @double <M = N> (%b, %y) : {X}, {X}
}}"""
    program = native(source)
    assert "void @double(ptr noalias %0, ptr noalias %1" in program.text
    x, y = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
    assert program.run("run", [x, y], [5], workspace=640) == 0
    assert np.array_equal(y, 8 * x)


ASSERTING = f"""
loop.func @check<N: 0>(%x: {X}) -> () {{
  %zero = loop.index 0
  %limit = arith.constant 10.0 : f32
  %n = loop.index N
  loop.for %i = %zero to %n step 1 {{
    %v = loop.load %x[%i] : {X} to f32
    %c = loop.compare lt %v, %limit : f32
    loop.assert %c site <5>
    loop.yield
  }}
}}
loop.func @run<N: 0>(%x: {X}) -> (%y: {X}) {{
  loop.launch @check <N = N> (%x) : {X}
  loop.copy %x, %y : {X} to {X}
}}"""


def test_an_assertion_that_fails_ends_the_program(native):
    program = native(ASSERTING)
    x, y = np.arange(12, dtype=np.float32), np.zeros(12, np.float32)
    assert program.run("run", [x, y], [10]) == 0
    assert program.words.error == 0
    assert list(y[:10]) == list(range(10))
    y[:] = 0
    assert program.run("run", [x, y], [12]) == 1
    assert (program.words.error, program.words.site) == (Error.ASSERTION, 5)
    assert not y.any()


PRINTING = f"""
loop.func @show<M: 0>(%x: !loop.buffer<[M] x f32>, %y: !loop.buffer<[M] x f32>) -> () {{
  loop.host site <3> (%x, %y) : !loop.buffer<[M] x f32>, !loop.buffer<[M] x f32>
}}
loop.func @run<N: 0, K: 0>(%x: {X}) -> (%y: {X}) {{
  loop.launch @show <M = N> (%x, %y) : {X}, {X}
  loop.copy %x, %y : {X} to {X}
  loop.launch @show <M = N> (%y, %x) : {X}, {X}
}}"""


@pytest.mark.parametrize("answer", [0, 1])
def test_the_host_is_called_in_order(native, answer):
    seen: list[tuple[int, list[int], list[int]]] = []

    def host(site: int, operands: ctypes.Array, sizes: int) -> int:
        numbers = list((ctypes.c_int64 * 2).from_address(sizes))
        seen.append((site, list(operands)[:2], numbers))
        return answer

    x, y = np.arange(4, dtype=np.float32), np.zeros(4, np.float32)
    program = native(PRINTING)
    assert program.run("run", [x, y], [4, 77], host=host) == answer
    first, second = x.ctypes.data, y.ctypes.data
    calls = [(3, [first, second], [4, 77]), (3, [second, first], [4, 77])]
    assert seen == (calls if answer == 0 else calls[:1])
    assert program.words.error == (Error.HOST if answer else 0)
    assert np.array_equal(x, y) == (answer == 0)


def test_c_functions_get_their_buffers_and_all_their_sizes(native):
    source = """
loop.func @run<N: 0>(%x: !loop.buffer<[N, 2] x f32>) -> (%y: !loop.buffer<[3] x f32>) {
  loop.custom "first" (%x, %y) : !loop.buffer<[N, 2] x f32>, !loop.buffer<[3] x f32>
  loop.custom "second" (%y) : !loop.buffer<[3] x f32>
  loop.custom "first" (%x, %y) : !loop.buffer<[N, 2] x f32>, !loop.buffer<[3] x f32>
}"""
    seen: list[tuple[str, list[int], list[int]]] = []

    def function(name: str, buffers: int, sizes: int, answer: int):
        def called(pointers: int, numbers: int) -> int:
            first = (ctypes.c_int64 * buffers).from_address(pointers)
            second = (ctypes.c_int64 * sizes).from_address(numbers)
            seen.append((name, list(first), list(second)))
            return answer

        return called

    x, y = np.zeros((5, 2), np.float32), np.zeros(3, np.float32)
    program = native(source)
    imports = [function("first", 2, 3, 0), function("second", 1, 1, 7)]
    assert program.run("run", [x, y], [5], imports=imports) == 1
    assert (program.words.error, program.words.site) == (Error.CUSTOM, 1)
    places = [x.ctypes.data, y.ctypes.data]
    assert seen == [("first", places, [5, 2, 3]), ("second", places[1:], [3])]


def test_what_may_fail_does_not_run_on_several_threads(native):
    source = f"""{ASSERTING}
loop.func @several<N: 0>(%x: {X}) -> () {{
  %n = loop.index N
  loop.parallel %i to %n {{
    loop.launch @check <N = N> (%x) : {X}
  }}
}}"""
    with pytest.raises(CompileError) as caught:
        native(source)
    assert caught.value.code == "SW0241"


@pytest.mark.parametrize(
    "line",
    [
        "%a = loop.alloc : !loop.buffer<[4] x f32>",
        "loop.nest [%i : 4] {\n }",
        "%a = arith.constant 1.0 : f32\n %b = math.tan %a : f32",
    ],
)
def test_what_an_earlier_stage_takes_away_is_refused(native, line):
    with pytest.raises(CompileError) as caught:
        native(f"loop.func @run() -> (%y: !loop.buffer<[4] x f32>) {{\n {line}\n}}")
    assert caught.value.code == "SW0240"


def test_effects_do_not_run_on_several_threads(native):
    with pytest.raises(CompileError) as caught:
        native("""
loop.func @run() -> (%y: !loop.buffer<[4] x f32>) {
  %n = loop.index 4
  loop.parallel %i to %n {
    %c = arith.constant true
    loop.assert %c site <0>
  }
}""")
    assert caught.value.code == "SW0241"
