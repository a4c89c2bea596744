"""Derivatives through integers and booleans: an error, unless a path of floats leads around."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

from messages import expect, message
from stepwell import (
    checkpoint,
    cond,
    grad,
    jit,
    jvp,
    scan,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
)
from stepwell import numpy as np

X = numpy.array([0.5, -1.5, 2.5], "f4")
BROKEN: list[Callable[[Any], Any]] = [
    lambda x: x.astype("i32").astype("f32").sum(),
    lambda x: x.argmax() * 1.0,
    lambda x: (x > 1).astype("f32").sum(),
    lambda x: np.where(x > 1, 1.0, 0.0).sum(),
    lambda x: np.arange(3.0)[x.astype("i32")].sum(),
    lambda x: jit(lambda x: jit(lambda x: x.astype("i32"))(x).astype("f32"))(x).sum(),
    lambda x: checkpoint(lambda x: (x > 1).astype("f32"))(x).sum(),
    lambda x: cond(x.sum() > 0, lambda: 1.0, lambda: 2.0),
    lambda x: cond(True, lambda x: (x > 1).astype("f32").sum(), lambda x: 1.0, x),
    lambda x: vmap(lambda x: (x > 1).astype("f32"))(x).sum(),
]
ZERO: list[Callable[[Any], Any]] = [
    lambda x: 1.0,
    lambda x: x.shape[0] * 1.0,
    lambda x: stop_gradient(x).sum(),
    lambda x: (stop_gradient(x) > 1).astype("f32").sum(),
    lambda x: np.floor(x).sum() + np.sign(x).sum(),
    lambda x: grad(lambda x: np.where(x > 0, x, 0).sum())(x).sum(),
    lambda x: grad(lambda x: np.maximum(x, 0).sum())(x).sum(),
    lambda x: grad(lambda x: x.max())(x).sum(),
    lambda x: jvp(lambda x: np.where(x > 0, x, 0).sum(), (x,), (X,))[1],
    lambda x: vmap(grad(lambda x: np.where(x > 0, x, 0)))(x).sum(),
]
WHOLE: list[Callable[[Any], Any]] = [
    lambda x: np.where(x > 0, x, 0).sum(),
    lambda x: ((x > 0).astype("f32") * x).sum(),
    lambda x: x[x.argmax()],
    lambda x: (x + stop_gradient(np.round(x) - x)).sum(),
    lambda x: np.sort(x)[0],
    lambda x: cond(x.sum() > 0, lambda x: x.sum(), lambda x: 0.0, x),
    lambda x: scan(lambda c, x: (c + 1, np.where(c > 0, x, 0)), 0, x)[1].sum(),
]


def slope(f: Any) -> Any:
    return vjp(f, np.asarray(X))[1](1.0)[0]


@pytest.mark.parametrize("take", [grad, value_and_grad, slope])
@pytest.mark.parametrize("function", BROKEN)
def test_no_gradient_through_integers(take: Any, function: Any) -> None:
    text = message(lambda: take(function) if take is slope else take(function)(X))
    assert text.startswith("SW0161: argument [0] reaches the result through integers or booleans")


def test_what_it_says() -> None:
    def loss(params: Any, x: Any) -> Any:
        return np.where(x > params["threshold"], x * params["w"], 0.0).sum()

    expect(
        lambda: grad(loss)({"w": 2.0, "threshold": 0.0}, X),
        """
        SW0161: argument [0]['threshold'] reaches the result through integers or booleans alone, \
which have no derivative
          --> model.py:N
           |     lambda: grad(loss)({"w": 2.0, "threshold": 0.0}, X),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: compute with floats all the way; or read stop_gradient(x), whose slope is 0
        """,
    )


@pytest.mark.parametrize("function", ZERO)
def test_a_gradient_that_is_zero(function: Any) -> None:
    for run in (grad(function), jit(grad(function))):
        assert run(X).tolist() == [0, 0, 0]


@pytest.mark.parametrize("function", WHOLE)
def test_a_path_of_floats_leads_around(function: Any) -> None:
    assert any(grad(function)(X).tolist())


def test_only_what_is_differentiated_counts() -> None:
    def loss(w: Any, x: Any, threshold: Any) -> Any:
        return (w * x).sum(), {"accuracy": (w * x > threshold).astype("f32").mean()}

    gradient, aux = grad(loss, has_aux=True)(2.0, X, 1.0)
    assert (float(gradient), float(aux["accuracy"])) == (1.5, numpy.float32(1 / 3))
    assert float(grad(loss, argnums=2, has_aux=True)(2.0, X, 1.0)[0]) == 0

    def accuracy(*given):
        return loss(*given)[1]["accuracy"]

    text = message(lambda: grad(accuracy, argnums=(2,))(2.0, X, 1.0))
    assert text.startswith("SW0161: argument [2] reaches")


def test_an_integer_is_named_by_its_place() -> None:
    text = message(lambda: grad(lambda x, n: x * n, argnums=1)(1.0, 2))
    assert text.startswith("SW0109: argument [1] holds integers")
