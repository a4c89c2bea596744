"""Jitted functions within others: what is called, what is shared, and that nothing else changes."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pytest
from xdsl.parser import Parser

import stepwell
from stepwell import compile, grad, jit, jvp, load, scan, spec, value_and_grad, vjp, vmap
from stepwell import numpy as np
from stepwell.compiler.pipeline import context

X = numpy.random.default_rng(0).normal(size=(3, 4)).astype("f4")
W = numpy.random.default_rng(1).normal(size=(4, 4)).astype("f4")


def functions(text: str) -> list[str]:
    """The names of the private functions in a text."""
    return re.findall(r"nd\.func private @([\w.]+)", text)


def calls(text: str) -> list[str]:
    return re.findall(r"nd\.call @([\w.]+)", text)


def layer(w: Any, x: Any) -> Any:
    """What most of these programs call."""
    return np.tanh(x @ w)


def deep(inner: Callable[..., Any], w: Any, x: Any) -> Any:
    for _ in range(3):
        x = inner(w, x)
    return x


def loss(inner: Callable[..., Any], w: Any, x: Any) -> Any:
    return (deep(inner, w, x) ** 2).sum()


def test_a_function_is_traced_once_and_called() -> None:
    runs: list[Any] = []

    @jit
    def layer(w: Any, x: Any) -> Any:
        runs.append(x)
        return np.tanh(x @ w)

    program = compile(lambda w, x: deep(layer, w, x), "f32[4, 4]", "f32[B, 4]")
    text = program.ir("tensor")
    assert len(runs) == 1
    assert functions(text) == ["layer"]
    assert calls(text) == ["layer"] * 3
    assert "nd.func private @layer<B: 0>(%w: tensor<4x4xf32>, %x: " in text
    assert "nd.call" not in program.ir("simple")
    assert "private" not in program.ir("simple")


@pytest.mark.parametrize("name", ["grad", "vmap", "scan", "vmap of grad", "jvp"])
def test_the_text_parses_back(name: str) -> None:
    function = TRANSFORMED[name](jit(layer))
    text = compile(function, "f32[4, 4]", "f32[B, 4]").ir("tensor")
    module = Parser(context(), text).parse_module()
    module.verify()
    assert str(module) == text.partition("\n")[2].rstrip("\n")


def test_other_types_are_other_functions() -> None:
    inner = jit(layer)
    program = compile(
        lambda w, x, y: (inner(w, x), inner(w, y), inner(w, x)),
        *("f32[4, 4]", "f32[B, 4]", "f32[2*B, 4]"),
    )
    text = program.ir("tensor")
    assert functions(text) == ["layer", "layer_1"]
    assert calls(text) == ["layer", "layer_1", "layer"]
    one, two, _ = program(W, X, numpy.concatenate([X, X]))
    numpy.testing.assert_array_equal(numpy.concatenate([one, one]), two)


def test_derivatives_are_made_once_for_all_calls() -> None:
    def program(w: Any, x: Any) -> Any:
        return grad(lambda w, x: loss(jitted, w, x), (0, 1))(w, x)

    jitted = jit(lambda w, x: np.exp(np.sin(x @ w)))
    text = compile(program, "f32[4, 4]", "f32[B, 4]").ir("tensor")
    assert functions(text) == ["function.forward", "function.pullback"]
    assert Counter(calls(text)) == {"function.forward": 3, "function.pullback": 3}


TRANSFORMED: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "itself": lambda f: lambda w, x: deep(f, w, x),
    "grad": lambda f: grad(lambda w, x: loss(f, w, x), (0, 1)),
    "value": lambda f: value_and_grad(lambda w, x: loss(f, w, x)),
    "jvp": lambda f: lambda w, x: jvp(lambda w, x: deep(f, w, x), (w, x), (w, x)),
    "vjp": lambda f: lambda w, x: vjp(f, w, x)[1](x),
    "vmap": lambda f: vmap(lambda w, x: deep(f, w, x), (None, 0)),
    "vmap of one": lambda f: vmap(f, (1, None)),
    "twice": lambda f: grad(lambda w, x: (grad(lambda v: loss(f, v, x))(w) ** 2).sum()),
    "forward over reverse": lambda f: (
        lambda w, x: jvp(lambda v: grad(lambda u: loss(f, u, x))(v), (w,), (w,))
    ),
    "vmap of grad": lambda f: vmap(grad(lambda w, x: loss(f, w, x)), (None, 0)),
    "remat": lambda f: grad(lambda w, x: loss(stepwell.checkpoint(f), w, x)),
    "scan": lambda f: grad(
        lambda w, x: scan(lambda c, _: (f(w, c), c), x, None, length=3)[0].sum()
    ),
    "cond": lambda f: grad(
        lambda w, x: stepwell.cond(x.sum() > 0, lambda v: f(w, v), lambda v: v, x).sum()
    ),
    "while": lambda f: (
        lambda w, x: stepwell.while_loop(
            lambda c: c[0] < 3, lambda c: (c[0] + 1, f(w, c[1])), (0, x)
        )
    ),
    "nested": lambda f: grad(lambda w, x: loss(jit(lambda w, x: f(w, f(w, x))), w, x)),
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_a_call_changes_no_instruction_and_no_bit(name: str) -> None:
    """The same ops are left at the stage `simple`, so that nothing costs more at run time."""
    plain, called = (
        compile(TRANSFORMED[name](f), "f32[4, 4]", "f32[B, 4]") for f in (layer, jit(layer))
    )
    assert calls(called.ir("tensor"))
    ops = [Counter(re.findall(r"nd\.[a-z_]+", each.ir("simple"))) for each in (plain, called)]
    assert ops[0] == ops[1]
    results = [stepwell.nested.flatten(each(W, X))[0] for each in (plain, called)]
    for one, other in zip(*results, strict=True):
        numpy.testing.assert_array_equal(one, other)
    eager = stepwell.nested.flatten(TRANSFORMED[name](jit(layer))(W, X))[0]
    for one, other in zip(results[0], eager, strict=True):
        numpy.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_what_is_not_asked_for_is_not_differentiated() -> None:
    @jit
    def two(x: Any) -> Any:
        return np.sin(x), np.exp(x)

    text = compile(grad(lambda x: two(x)[0].sum()), "f32[3]").ir("tensor")
    assert "nd.cos" in text
    assert text.count("nd.exp") == text.count("nd.sin")


def test_traced_arrays_from_outside_are_arguments() -> None:
    def program(w: Any, x: Any) -> Any:
        @jit
        def inner(y: Any) -> Any:
            return y @ w

        return inner(inner(x)) + grad(lambda v: jit(lambda y: (y * v).sum())(x))(x)

    compiled = compile(program, "f32[4, 4]", "f32[B, 4]")
    numpy.testing.assert_allclose(compiled(W, X), X @ W @ W + X, rtol=1e-5)
    assert len(calls(compiled.ir("tensor"))) > 2


def test_a_function_that_reads_them_is_traced_for_each_call() -> None:
    class Model:
        """An object that is changed while a function is traced."""

        w: Any = None

    model = Model()
    inner = jit(lambda x: x * model.w)

    def program(v: Any, w: Any, x: Any) -> Any:
        model.w = v
        y = inner(x)
        model.w = w
        return y, inner(x)

    assert [y.tolist() for y in compile(program, *["f32"] * 3)(2.0, 3.0, 5.0)] == [10, 15]
    called = jit(lambda model, x: x * model.w)

    def with_numbers(x: Any) -> Any:
        model.w = 2.0
        y = called(model, x)
        model.w = 3.0
        return y, called(model, x)

    assert [y.tolist() for y in compile(with_numbers, "f32")(5.0)] == [10, 15]


@dataclass
class Layer:
    """A user's own tree of arrays, with constants."""

    w: Any
    kind: str = "tanh"


def test_what_is_known_stays_known() -> None:
    runs: list[Any] = []

    @jit
    def inner(layer: Layer, x: Any, power: int, names: dict[str, Any], by: Any = None) -> Any:
        runs.append(power)
        y = x @ layer.w if layer.kind == "tanh" else x
        for _ in range(power):
            y = by(y)
        return {"y": y, "power": power, "n": names["n"], "none": None}

    def program(w: Any, x: Any) -> Any:
        one = inner(Layer(w), x, 2, {"n": 7}, by=np.tanh)
        again = inner(Layer(w), x, 2, {"n": 7}, by=np.tanh)
        other = inner(Layer(w, "none"), x, 0, {"n": 7.0})
        assert (one["power"], one["n"], one["none"]) == (2, 7, None)
        assert type(other["n"]) is float
        return one["y"], again["y"], other["y"]

    one, again, other = compile(program, "f32[4, 4]", "f32[3, 4]")(W, X)
    assert runs == [2, 0]
    numpy.testing.assert_allclose(one, numpy.tanh(numpy.tanh(X @ W)), rtol=1e-4, atol=1e-6)
    numpy.testing.assert_array_equal(one, again)
    numpy.testing.assert_array_equal(other, X)


def test_arrays_from_outside_are_weights_of_the_program(tmp_path: Path) -> None:
    weights = {"w": np.asarray(W), "b": numpy.ones(4, "f4")}
    inner = jit(lambda p, x: x @ p["w"] + p["b"])
    program = compile(lambda x: inner(weights, inner(weights, x)), "f32[B, 4]")
    assert functions(program.ir("tensor")) == ["function"]
    program.save(tmp_path / "m.well")
    expected = (X @ W + 1) @ W + 1
    numpy.testing.assert_allclose(program(X), expected, rtol=1e-5)
    numpy.testing.assert_allclose(load(tmp_path / "m.well")(X), expected, rtol=1e-5)


def test_a_call_without_traced_arrays_is_python() -> None:
    index = jit(lambda n: n + 1)
    program = compile(lambda x: x[index(1)], "f32[4]")
    assert float(program(X[0])) == X[0, 2]


def test_several_entry_points_have_functions_of_their_own() -> None:
    inner = jit(layer)
    program = compile(
        {
            "a": (lambda w, x: inner(w, x), "f32[4, 4]", "f32[3, 4]"),
            "layer": (lambda w, x: inner(w, x), "f32[4, 4]", "f32[B, 4]"),
        }
    )
    assert functions(program.ir("tensor")) == ["layer_1", "layer_2"]
    numpy.testing.assert_array_equal(program["a"](W, X), program["layer"](W, X))


def test_functions_with_effects_are_put_in_place(capfd: pytest.CaptureFixture[str]) -> None:
    @jit
    def told(x: Any) -> Any:
        stepwell.print("x = {}", x)
        return np.sin(x)

    program = compile(grad(lambda x: stepwell.checkpoint(told)(told(x))), "f32")
    assert calls(program.ir("tensor")) == []
    program(0.0)
    assert capfd.readouterr().out.splitlines() == ["x = 0.0", "x = 0.0"]


def test_sizes_are_constants_of_a_function() -> None:
    inner = jit(lambda x, n: x * (n + 1))

    def function(x: Any, y: Any) -> Any:
        return inner(x, x.shape[0]) + inner(x, y.shape[0]).sum()

    program = compile(function, "f32[B]", "f32[S]")
    assert len(functions(program.ir("tensor"))) == 2
    found = program(numpy.ones(2, "f4"), numpy.ones(5, "f4"))
    assert found.tolist() == [3 + 12, 3 + 12]


def test_names_of_arguments_stand_in_errors() -> None:
    inner = jit(layer)
    with pytest.raises(stepwell.CompileError) as caught:
        compile(lambda x: inner(x, x), spec("f32[3, 4]"))
    assert "f32[3, 4], the argument w" in caught.value.details
