"""`jit` and `compile`: what is compiled when, how programs are called, and what they show."""

from typing import Any, cast

import numpy
import pytest
from xdsl.ir import Block

from stepwell import Array, CompileError, compile, jit, load, nn, scan, spec
from stepwell import numpy as np
from stepwell.array import asarray
from stepwell.compiler.pipeline import STAGES, TEXTS
from stepwell.trace import tracing

X = numpy.arange(6, dtype="f4").reshape(2, 3)


def test_a_function_is_compiled_once_for_each_shape_dtype_and_nesting() -> None:
    runs: list[Any] = []

    @jit
    def function(tree: Any) -> Any:
        runs.append(tree)
        return tree

    for given in (X, X + 1, [X], X[:1], X.astype("f8"), [X * 2], {"x": X}):
        function(given)
    assert len(runs) == 5


def test_python_numbers_are_arguments_and_not_constants() -> None:
    runs: list[Any] = []

    @jit
    def scaled(x: Any, factor: float) -> Any:
        runs.append(factor)
        return x * factor

    assert scaled(X, 2.0).tolist() == (X * 2).tolist()
    assert scaled(X, 3.0).tolist() == (X * 3).tolist()
    assert len(runs) == 1


def test_arguments_come_by_position_or_by_name() -> None:
    @jit
    def difference(x: Any, y: Any) -> Any:
        return x - y

    program = compile(difference, "f32", "f32")
    for function in (difference, program):
        assert float(function(5.0, 3.0)) == float(function(5.0, y=3.0)) == 2
        assert float(function(y=3.0, x=5.0)) == 2


def test_a_jitted_function_inside_another_is_part_of_it() -> None:
    inner = jit(lambda x: x * 2)
    assert jit(lambda x: inner(x) + 1)(X).tolist() == (X * 2 + 1).tolist()


def test_results_are_arrays() -> None:
    assert isinstance(jit(lambda x: x)(X), Array)
    assert jit(lambda: np.arange(3))().tolist() == [0, 1, 2]
    assert jit(lambda x: (x, 1, 2.5))(X)[1].dtype == "i64"


def test_arrays_from_outside_become_part_of_the_program() -> None:
    weights = asarray(X)
    program = compile(lambda x: x + weights + X, "f32[2, 3]")
    assert program(X).tolist() == (3 * X).tolist()


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_sizes_may_be_unknown(batch: int) -> None:
    program = compile(lambda x, w: x @ w, spec("f32[B, 3]"), spec("f32[3, N]"))
    x, w = numpy.ones((batch, 3), "f4"), numpy.ones((3, batch + 1), "f4")
    assert program(x, w).tolist() == (x @ w).tolist()


def test_specs_nest_as_the_arguments() -> None:
    program = compile(lambda p: p["w"] * p["b"], {"w": "f32[N]", "b": "f32"})
    assert program({"b": 2.0, "w": numpy.array([1, 2], "f4")}).tolist() == [2, 4]


def test_specs_by_name() -> None:
    program = compile(lambda x, y: x - y, y="f32", x="f32[N]")
    assert program(numpy.array([3], "f4"), 1.0).tolist() == [2]


def test_a_weight_is_as_it_was_whatever_becomes_of_it() -> None:
    values = numpy.ones((2, 3), "f4")
    view = values.view()
    view.flags.writeable = False
    program = compile(lambda x: x + values * asarray(view), "f32[2, 3]")
    values[:] = 7
    assert numpy.asarray(program(numpy.zeros((2, 3), "f4"))).tolist() == [[1, 1, 1], [1, 1, 1]]


def test_a_weight_that_nobody_can_change_is_not_copied() -> None:
    def kept(values: numpy.ndarray) -> bool:
        with tracing(Block()) as trace:
            weight = trace.weight(values).ssa.owner.value.data
        return numpy.shares_memory(weight.values, values)

    layer = nn.Linear.init(3, 4, 0)
    assert kept(layer.weight.value)
    assert kept(layer.bias.value)
    assert not kept(numpy.ones((2, 3)))
    locked = numpy.ones((2, 3))
    locked.flags.writeable = False
    assert not kept(locked)
    assert not kept(numpy.frombuffer(memoryview(bytearray(8)).toreadonly(), "f4"))
    assert kept(numpy.frombuffer(bytes(8), "f4"))


def test_several_entry_points_share_weights(tmp_path: Any) -> None:
    weights = numpy.random.default_rng(0).normal(size=(64, 64)).astype("f4")
    entries = {"a": (lambda x: x @ weights, "f32[B, 64]"), "b": (lambda x: x - weights, "f32[64]")}
    program = compile(entries)
    program.save(tmp_path / "both.well")
    compile({"a": entries["a"]}).save(tmp_path / "one.well")
    both, one = ((tmp_path / f"{name}.well").stat().st_size for name in ("both", "one"))
    assert both - one < weights.nbytes
    x = numpy.ones((2, 64), "f4")
    model = load(tmp_path / "both.well")
    numpy.testing.assert_array_equal(model.a(x), program["a"](x))
    numpy.testing.assert_array_equal(model.b(x[0]), program.b(x[0]))
    with pytest.raises(AttributeError, match="there is no entry point c; there is a, b"):
        _ = program.c


def names_of(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


def test_entry_points_are_called_as_no_attribute_is(tmp_path: Any) -> None:
    program = compile(lambda x: x, "f32")
    program.save(tmp_path / "m.well")
    taken = names_of(program) | names_of(load(tmp_path / "m.well"))
    assert taken >= {"state", "close", "save", "entries"}
    for name in (*taken, "", "a-b", "_a", "class", 3, None):
        with pytest.raises(CompileError) as caught:
            compile(cast(Any, {name: (lambda x: x, "f32")}))
        assert caught.value.sentence == f"an entry point cannot be called {name!r}"


def test_parameters_may_be_called_anything() -> None:
    names = ("self", "fn", "entry", "traced", "names", "arguments", "named", "args", "name")
    for name in names:
        function = eval(f"lambda {name}: {name} * 2")
        assert float(compile(function, **{name: "f32"})(**{name: 3.0})) == 6
        assert float(compile(function, "f32")["main"](**{name: 3.0})) == 6


def test_options_are_told_from_parameters_of_their_names() -> None:
    program = compile(lambda target: target * 2, "f32", target="x86-64-v3")
    assert float(program(target=3.0)) == 6
    program = compile(lambda x, target=2.0: x * target, x="f32", target="x86-64-v3")
    assert float(program(x=3.0)) == 6


def test_parameters_without_names_are_numbered_apart_from_the_others() -> None:
    def total(arg1: Any, *rest: Any) -> Any:
        return arg1 + sum(rest)

    program = compile(total, "f32", "f32", "f32")
    assert float(program(arg1=1.0, arg2=2.0, arg3=3.0)) == 6


@pytest.mark.parametrize(
    ("level", "part"),
    [("tensor", "nd.add"), ("loop", "loop.kernel"), ("llvm", "llvm.func"), ("asm", "ret")],
)
def test_a_program_shows_its_levels(level: str, part: str) -> None:
    assert part in compile(lambda x: x + 1, "f32[N]").ir(level)


@pytest.mark.parametrize("stage", [*(name for name, _ in STAGES), *TEXTS])
def test_every_stage_is_shown_under_its_own_name(stage: str) -> None:
    text = compile(lambda x: x + 1, "f32[N]").ir(stage)
    assert stage in TEXTS or text.startswith(f"// stepwell {stage} 1\n")


def test_arguments_keep_their_names_in_the_text() -> None:
    program = compile(lambda params, x: params["w"] * x, {"w": "f32"}, "f32")
    assert "(%params_w: tensor<f32>, %x: tensor<f32>)" in program.ir("tensor")


def test_ops_know_the_line_that_they_come_from() -> None:
    text = compile(lambda x: np.tanh(x), "f32").ir("tensor")
    assert "nd.tanh" in text


def test_jit_takes_arguments_by_name_as_the_function_does() -> None:
    line = jit(lambda x, a=1.0, b=2.0: x * a + b)
    assert [float(line(3.0)), float(line(3.0, b=0.0)), float(line(x=3.0, a=2.0))] == [5, 3, 8]
    power = jit(lambda x, *, n=2.0: x**n)
    assert [float(power(3.0)), float(power(3.0, n=1.0))] == [9, 3]
    rest = jit(lambda *xs, **ys: sum(xs) - sum(ys.values()))
    assert float(rest(3.0, 4.0, a=1.0, b=2.0)) == 4


def test_a_symbolic_size_can_be_a_result_and_be_carried() -> None:
    program = compile(lambda x: x.shape[0], "f32[N]")
    assert program(numpy.zeros(7, numpy.float32)).item() == 7
    counted = compile(
        lambda x: scan(lambda n, _: (n + 1, None), x.shape[0], None, length=3)[0], "f32[N]"
    )
    assert counted(numpy.zeros(7, numpy.float32)).item() == 10


def test_jit_takes_dictionaries_with_any_keys() -> None:
    assert jit(lambda d: {2: d[1] * 2, 3: [d[1]]})({1: X})[2].tolist() == (2 * X).tolist()
