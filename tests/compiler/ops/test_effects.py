"""Ops with effects happen once, in their order, at every level and under every transform."""

import ctypes
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from xdsl.ir import Block

from derived import batch_of, evaluated, pullback_of, tangent_of
from programs import Interpreter, block_of, compiled, function_named, module_of, stages
from stepwell.compiler.interpret.loops import SiteError
from stepwell.compiler.ops.effects import Custom, Print
from stepwell.compiler.ops.emission import emit
from stepwell.compiler.ops.regions import written
from stepwell.compiler.ops.value import Value, full
from stepwell.runtime.errors import CallError, CompileError
from stepwell.runtime.sizes import Size
from tensor_types import tensor_of

VECTOR = tensor_of("f64[2]")
X = np.array([1.0, -2.0])


def say(text: str, *operands: Value) -> None:
    emit("print", [x.ssa for x in operands], text=text)


def talkative(x: Value) -> list[Value]:
    say("x is {}", x)
    y = x * 2
    say("nothing else")
    say("y is {} and x {}", y, x)
    return [y]


LINES = ["x is [ 1. -2.]", "nothing else", "y is [ 2. -4.] and x [ 1. -2.]"]


def printed(run: Callable[[], object], capfd: pytest.CaptureFixture[str]) -> list[str]:
    capfd.readouterr()
    run()
    return capfd.readouterr().out.splitlines()


def test_prints_come_in_order_at_every_level(capfd: pytest.CaptureFixture[str]) -> None:
    block = block_of([VECTOR], talkative)
    module = module_of(block)
    model = compiled(module)
    said: list[str] = []

    def host(site: int, operands: Sequence[np.ndarray]) -> None:
        texts = [
            op.text.data for op in function_named(module, "f0").walk() if isinstance(op, Print)
        ]
        said.append(texts[site].format(*operands))

    assert printed(lambda: evaluated(block, [X]), capfd) == LINES
    assert printed(lambda: model.f0.run([X]), capfd) == LINES
    Interpreter(module)("f0", [X], host)
    assert said == LINES


def test_prints_are_not_merged_dropped_or_moved() -> None:
    def twice(x: Value) -> list[Value]:
        say("again")
        say("again")
        return [x]

    for stage, module in stages(module_of(block_of([VECTOR], twice))):
        if stage in ("tensor", "simple", "kernels"):
            assert sum(isinstance(op, Print) for op in module.walk()) == 2


@pytest.mark.parametrize(
    "derive", [lambda b: pullback_of(b, [True]), lambda b: tangent_of(b, [True])]
)
def test_derivatives_print_once(
    derive: Callable[[Block], Block], capfd: pytest.CaptureFixture[str]
) -> None:
    block = derive(block_of([VECTOR], talkative))
    assert printed(lambda: evaluated(block, [X, X]), capfd) == LINES
    model = compiled(module_of(block))
    assert printed(lambda: model.f0.run([X, X]), capfd) == LINES


def test_a_batch_is_printed_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    block, _ = batch_of(block_of([VECTOR], talkative), Size.of(2), [True])
    lines = printed(lambda: evaluated(block, [np.stack([X, X])]), capfd)
    assert lines[0] == "x is [[ 1. -2.]"


def test_a_loop_prints_each_time(capfd: pytest.CaptureFixture[str]) -> None:
    def step(arguments: list[Value]) -> list[Value]:
        say("{}", arguments[0])
        return [arguments[0] * 2]

    def write(x: Value) -> list[Value]:
        given = {"constants": 0, "carried": 1, "length": Size.of(3), "reverse": 0}
        op = emit("scan", [x.ssa], [written([x.type], step)], **given)
        return [Value(op.results[0])]

    model = compiled(module_of(block_of([VECTOR], write)))
    lines = ["[ 1. -2.]", "[ 2. -4.]", "[ 4. -8.]"]
    assert printed(lambda: model.f0.run([X]), capfd) == lines


def test_an_assertion_ends_the_call() -> None:
    def write(x: Value) -> list[Value]:
        emit("assert", [x.compare("gt", 0).ssa], text="x is positive")
        return [x.apply("log")]

    block = block_of([VECTOR], write)
    module = module_of(block)
    model, interpreter = compiled(module), Interpreter(module)
    runs: list[tuple[type[Exception], Callable[[Sequence[np.ndarray]], object]]] = [
        (CallError, lambda arrays: evaluated(block, arrays)),
        (CallError, lambda arrays: model.f0.run(arrays)),
        (SiteError, lambda arrays: interpreter("f0", arrays)),
    ]
    for error, run in runs:
        run([np.array([1.0, 2.0])])
        with pytest.raises(error):
            run([X])
    with pytest.raises(CallError, match="x is positive"):
        model.f0.run([X])


def test_a_function_in_c_is_called_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given its operands, its results and all their sizes."""
    calls: list[tuple[list[float], list[int]]] = []

    @ctypes.CFUNCTYPE(
        ctypes.c_int32, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_int64)
    )
    def doubled(arrays, sizes) -> int:
        count = sizes[0]
        x, y = (ctypes.cast(arrays[n], ctypes.POINTER(ctypes.c_double)) for n in range(2))
        calls.append((x[:count], sizes[:2]))
        for place in range(count):
            y[place] = 2 * x[place]
        return 0

    address = ctypes.cast(doubled, ctypes.c_void_p).value
    monkeypatch.setattr(
        "stepwell.runtime.system.addresses", lambda symbols: [address] * len(symbols)
    )
    symbolic = tensor_of("f64[N]")

    def write(x: Value) -> list[Value]:
        op = emit("custom", [x.ssa], symbol="doubled", types=(symbolic,))
        return [Value(op.results[0]) + full(1, "f64", x.shape)]

    module = module_of(block_of([symbolic], write))
    np.testing.assert_array_equal(compiled(module).f0.run([X])[0], [3, -3])
    assert calls == [([1, -2], [2, 2])]


def test_a_function_in_c_has_no_derivative_of_its_own() -> None:
    def write(x: Value) -> list[Value]:
        return [Value(emit("custom", [x.ssa], symbol="f", types=(x.type,)).results[0])]

    for derive in (pullback_of, tangent_of):
        with pytest.raises(CompileError, match="the C function f has no derivative"):
            derive(block_of([VECTOR], write), [True])


def test_a_batch_of_calls_is_a_loop() -> None:
    def write(x: Value) -> list[Value]:
        return [Value(emit("custom", [x.ssa], symbol="f", types=(x.type,)).results[0])]

    batched, flags = batch_of(block_of([VECTOR], write), Size.of(3), [True])
    assert flags == (True,)
    assert next(op for op in batched.walk() if isinstance(op, Custom)).arguments[0].type == VECTOR
