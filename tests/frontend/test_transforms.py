"""Derivatives and vectorisation of functions: of nested arguments, compiled, of each other."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import numpy
import pytest

from stepwell import checkpoint, compile, custom_gradient, jit, nested, stop_gradient
from stepwell import numpy as np
from stepwell.array import asarray
from stepwell.runtime.errors import CompileError
from stepwell.transforms import grad, jvp, value_and_grad, vjp, vmap

rng = numpy.random.default_rng(11)
X, W = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
Pair = namedtuple("Pair", "first second")


@dataclass
class Params:
    w: Any
    b: Any = None
    name: str = "params"


def close(actual: Any, expected: Any) -> None:
    numpy.testing.assert_allclose(numpy.asarray(actual), expected, rtol=1e-6, atol=1e-9)


def both(function: Any) -> list[Any]:
    """A function as it is, and compiled."""
    return [function, jit(function)]


def test_arguments_nest_in_everything_that_is_a_tree() -> None:
    def total(tree: Any) -> Any:
        return sum((leaf * (n + 1)).sum() for n, leaf in enumerate(nested.flatten(tree)[0]))

    tree = {"b": [X, (W,)], "a": Params(X, Pair(W, None))}
    for function in both(grad(total)):
        gradient = function(tree)
        assert gradient["a"].name == "params"
        assert gradient["a"].b.second is None
        close(gradient["a"].w, numpy.full_like(X, 1))
        close(gradient["a"].b.first, numpy.full_like(W, 2))
        close(gradient["b"][0], numpy.full_like(X, 3))
        close(gradient["b"][1][0], numpy.full_like(W, 4))


def test_the_state_of_a_module_of_pytorch_is_a_tree() -> None:
    state = OrderedDict([("2.weight", W), ("0.weight", X)])
    for function in both(grad(lambda p: (p["0.weight"] @ p["2.weight"]).sum())):
        gradient = function(state)
        assert (type(gradient), list(gradient)) == (OrderedDict, ["2.weight", "0.weight"])
        close(gradient["0.weight"], numpy.broadcast_to(W.sum(1), X.shape))


def test_results_nest_too() -> None:
    for function in both(lambda x: {"sum": x.sum(), "parts": [x, Params(x * 2)], "none": None}):
        result = function(X)
        close(result["sum"], X.sum())
        close(result["parts"][1].w, 2 * X)
        assert result["none"] is None


def test_grad_by_several_arguments() -> None:
    def product(x: Any, w: Any, scale: float) -> Any:
        return ((x @ w) ** 2).sum() * scale

    expected = 2 * (X @ W) @ W.T * 3, 2 * X.T @ (X @ W) * 3
    for function in both(grad(product, argnums=(0, 1))):
        for found, wanted in zip(function(X, W, 3.0), expected, strict=True):
            close(found, wanted)
    close(grad(product, argnums=2)(X, W, 3.0), ((X @ W) ** 2).sum())


def test_the_value_comes_along() -> None:
    for function in both(value_and_grad(lambda x: (x**2).sum())):
        value, gradient = function(X)
        close(value, (X**2).sum())
        close(gradient, 2 * X)


def test_what_is_not_differentiated_comes_along() -> None:
    def loss(x: Any) -> Any:
        return (x**2).sum(), {"largest": x.max(), "count": np.asarray(x.size)}

    for function in both(value_and_grad(loss, has_aux=True)):
        (value, aux), gradient = function(X)
        close(value, (X**2).sum())
        close(aux["largest"], X.max())
        assert int(aux["count"]) == 12
        close(gradient, 2 * X)
    gradient, aux = grad(loss, has_aux=True)(X)
    close(gradient, 2 * X)
    close(aux["largest"], X.max())


def test_vjp_gives_cotangents_of_all_arguments() -> None:
    result, pull_back = vjp(lambda x, w: x @ w, X, W)
    close(result, X @ W)
    g = rng.normal(size=(3, 2))
    of_x, of_w = pull_back(g)
    close(of_x, g @ W.T)
    close(of_w, X.T @ g)

    def traced(x: Any, w: Any, g: Any) -> Any:
        return vjp(lambda x, w: x @ w, x, w)[1](g)

    close(jit(traced)(X, W, g)[1], X.T @ g)


def test_jvp_goes_in_a_direction() -> None:
    t = rng.normal(size=(3, 4))
    value, change = jvp(lambda x: (np.sin(x), x.sum()), (X,), (t,))
    close(value[0], numpy.sin(X))
    close(change[0], numpy.cos(X) * t)
    close(change[1], t.sum())


def test_transforms_of_transforms() -> None:
    def cubes(x: Any) -> Any:
        return (x * x * x).sum()

    v = rng.normal(size=3)
    hessian = numpy.diag(6 * v)
    close(vmap(grad(lambda x: x * x * x))(v), 3 * v**2)
    close(grad(lambda x: grad(cubes)(x).sum())(v), 6 * v)
    close(jvp(grad(cubes), (v,), (numpy.ones(3),))[1], 6 * v)
    basis = numpy.eye(3)
    for function in both(vmap(lambda t: jvp(grad(cubes), (v,), (t,))[1])):
        close(function(basis), hessian)
    close(jit(grad(jit(cubes)))(v), 3 * v**2)


def test_vmap_over_some_arguments() -> None:
    def apply(x: Any, params: Any) -> Any:
        return x @ params["w"] + params["b"]

    biases = rng.normal(size=(5, 2))
    params = {"w": W, "b": biases}
    for function in both(vmap(apply, in_axes=(None, {"w": None, "b": 0}))):
        close(function(X, params), X @ W + biases[:, None])
    for function in both(vmap(apply, in_axes=(0, None))):
        close(function(X, {"w": W, "b": biases[0]}), X @ W + biases[0])
    close(vmap(lambda x: x.sum(), in_axes=1)(X), X.sum(0))
    close(vmap(lambda x: x * 2, out_axes=1)(X), 2 * X.T)


def test_a_gradient_for_each_example() -> None:
    def loss(w: Any, x: Any) -> Any:
        return ((x @ w) ** 2).sum()

    for function in both(vmap(grad(loss), in_axes=(None, 0))):
        expected = [2 * numpy.outer(x, x @ W) for x in X]
        close(function(W, X), expected)


def test_the_gradient_of_indexing_adds_up() -> None:
    table, places = rng.normal(size=(5, 2)), numpy.array([1, 3, 1])
    for function in both(
        grad(lambda t: (t[places] * numpy.arange(1, 4)[:, None].astype("f8")).sum())
    ):
        expected = numpy.zeros((5, 2))
        expected[1], expected[3] = 4, 2
        close(function(table), expected)


def test_the_gradient_of_writing_leaves_out_what_was_overwritten() -> None:
    def written(x: Any, v: Any) -> Any:
        return (x.at[1:3].set(v) * numpy.arange(5.0)).sum()

    of_x, of_v = grad(written, argnums=(0, 1))(numpy.ones(5), numpy.ones(2))
    close(of_x, [0, 0, 0, 3, 4])
    close(of_v, [1, 2])


def test_stop_gradient_is_a_constant_to_reverse_mode() -> None:
    for function in both(grad(lambda x: (stop_gradient(x * 2) * x).sum())):
        close(function(X), 2 * X)


def test_stop_gradient_is_a_constant_to_every_order_and_mode() -> None:
    def cubed(x: Any) -> Any:
        return stop_gradient(x**3) * x * x

    for function in both(grad(grad(cubed))):
        close(function(np.array(2.0, "f64")), 16)
    two, one = np.array(2.0, "f64"), np.array(1.0, "f64")
    close(jvp(cubed, (two,), (one,))[1], 32)
    close(jvp(grad(cubed), (two,), (one,))[1], 16)
    close(vmap(grad(cubed))(np.array([1.0, 2.0], "f64")), [2, 32])


def test_a_function_with_a_rule_of_its_own() -> None:
    @custom_gradient
    def clipped(tree: Any) -> Any:
        return tree["x"], lambda g: {"x": np.clip(g, -1, 1)}

    for function in both(grad(lambda x: (clipped({"x": x}) * 5).sum())):
        close(function(X), numpy.ones_like(X))


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32"])
def test_gradients_have_the_dtype_of_their_argument(dtype: str) -> None:
    for function in both(grad(lambda x: (x * x).sum())):
        assert function(asarray(X, dtype)).dtype == dtype


def test_parameters_of_several_dtypes() -> None:
    gradient = grad(lambda p: p["a"].astype("f32").sum() + p["b"].sum())(
        {"a": np.ones(2, "bf16"), "b": np.ones(3, "f32")}
    )
    assert {name: leaf.dtype for name, leaf in gradient.items()} == {"a": "bf16", "b": "f32"}


def test_axes_for_other_arguments_than_those_given() -> None:
    with pytest.raises(CompileError) as caught:
        vmap(lambda x, y: x, in_axes=(0, {"w": 0}))(X, {"v": X})
    assert caught.value.sentence == "in_axes[1] is for other arguments than those given"


def test_arguments_by_name() -> None:
    def loss(w: Any, x: Any, *, y: Any = 0.0) -> Any:
        return ((w * x - y) ** 2).sum()

    for function in both(grad(loss)):
        close(function(2.0, x=X, y=1.0), (2 * (2 * X - 1) * X).sum())
        close(function(2.0, y=1.0, x=X), (2 * (2 * X - 1) * X).sum())
    for function in both(value_and_grad(loss)):
        close(function(2.0, x=X)[0], (4 * X**2).sum())
    for function in both(vmap(lambda x, y: x + y, in_axes=(None,))):
        close(function(X[0], y=X), X[0] + X)
    for function in both(checkpoint(loss)):
        close(function(2.0, X, y=1.0), ((2 * X - 1) ** 2).sum())


def test_arguments_are_counted_from_the_end_too() -> None:
    for function in both(grad(lambda x, y, z: x * y * y * z, argnums=(-1, 1))):
        assert [float(each) for each in function(2.0, 3.0, 5.0)] == [18.0, 60.0]
    assert float(grad(lambda x, y: x * y, argnums=-1)(2.0, 3.0)) == 2.0


def test_the_rest_comes_third() -> None:
    def model(x: Any) -> Any:
        return x**2, {"largest": x.max(), "places": x > 0}

    def pulled(x: Any) -> Any:
        result, pull_back, rest = vjp(model, x, has_aux=True)
        return result, pull_back(np.ones_like(x))[0], rest

    def moved(x: Any) -> Any:
        return jvp(model, (x,), (np.ones_like(x),), has_aux=True)

    for function in (*both(pulled), *both(moved)):
        result, derivative, rest = function(asarray(X))
        close(result, X**2)
        close(derivative, 2 * X)
        close(rest["largest"], X.max())
        assert rest["places"].dtype == "bool"
    for call in (
        lambda: vjp(np.sin, X, has_aux=True),
        lambda: jvp(np.sin, (X,), (X,), has_aux=True),
    ):
        with pytest.raises(CompileError) as caught:
            call()
        assert caught.value.sentence == (
            "the function, with has_aux, gives a single value,"
            " and should give a pair: its value and the rest"
        )


@pytest.mark.parametrize(
    ("product", "shapes"),
    [
        (lambda a, b: a @ b, ("f32[5,7]", "f32[7,3]")),
        (lambda a, b: np.tensordot(a, b, ((0,), (0,))), ("f32[7,5]", "f32[7,3]")),
        (lambda a, b: np.tensordot(a, b, ((1,), (1,))), ("f32[5,7]", "f32[3,7]")),
    ],
)
def test_gradients_of_products_come_out_as_the_operands_lie(product: Any, shapes: Any) -> None:
    """Else each that reads one would turn it."""
    slopes = grad(lambda a, b: (product(a, b) ** 2).sum(), (0, 1))
    assert "nd.transpose" not in compile(slopes, *shapes).ir("simple")
