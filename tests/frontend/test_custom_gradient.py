"""A function with a rule of its own: all its derivatives follow from the rule, in any order."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepwell
from messages import expect
from stepwell import custom_gradient, grad, jit, jvp, vjp, vmap
from stepwell import numpy as np
from stepwell.array import asarray
from stepwell.runtime.errors import CompileError

rng = numpy.random.default_rng(5)
X, Y = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))


def close(actual: Any, expected: Any) -> None:
    numpy.testing.assert_allclose(numpy.asarray(actual), expected, rtol=1e-6, atol=1e-9)


@custom_gradient
def steep(x: Any) -> Any:
    """A sine whose rule says that its slope is x * x."""
    return np.sin(x), lambda g: g * x * x


@custom_gradient
def product(x: Any, y: Any) -> Any:
    """A product of matrices; the rule is twice the truth by x, and three times by y."""
    return x @ y, lambda g: (2 * g @ y.T, 3 * x.T @ g)


@custom_gradient
def around(x: Any) -> Any:
    """A function with a rule in one with a rule: the slope is that of the inner one, and 5."""
    y, pull_back = vjp(steep, x)
    return y, lambda g: 5 * pull_back(g)[0]


def both(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    return [function, jit(function)]


def test_forward_mode_uses_the_rule() -> None:
    scaled = custom_gradient(lambda x: (np.sin(x), lambda g: g * 100))
    for function in both(lambda x, t: jvp(scaled, (x,), (t,))):
        value, slope = function(X, numpy.full_like(X, 2))
        close(value, numpy.sin(X))
        close(slope, numpy.full_like(X, 200))


def test_forward_mode_is_reverse_mode_transposed() -> None:
    v, u = rng.normal(size=X.shape), rng.normal(size=Y.shape)
    w = rng.normal(size=(3, 2))
    for function in both(lambda v, u: jvp(product, (X, Y), (v, u))[1]):
        close(function(v, u), 2 * v @ Y + 3 * X @ u)
    of_x, of_y = vjp(product, X, Y)[1](w)
    forward = numpy.sum(w * (2 * v @ Y + 3 * X @ u))
    close(numpy.sum(of_x.value * v) + numpy.sum(of_y.value * u), forward)


def test_a_rule_within_a_rule() -> None:
    for function in both(lambda x: jvp(around, (x,), (1.0,))[1]):
        close(function(3.0), 45)
    for function in both(grad(around)):
        close(function(3.0), 45)
    for function in both(grad(grad(around))):
        close(function(3.0), 30)


def test_rules_of_batches() -> None:
    v = rng.normal(size=4)

    def slope(x):
        return jvp(steep, (x,), (np.ones_like(x),))[1]

    for function in both(vmap(slope)):
        close(function(v), v * v)
    for function in both(lambda v: jvp(vmap(steep), (v,), (np.ones(4, "f64"),))[1]):
        close(function(v), v * v)
    for function in both(vmap(grad(slope))):
        close(function(v), 2 * v)


def test_derivatives_of_derivatives() -> None:
    """The rule is all that is known of the slope of `steep`, where it is differentiated too."""

    def square(x):
        return steep(x) ** 2

    one = np.array(1.0, "f64")

    def forward(f):
        return lambda x: jvp(f, (x,), (one,))[1]

    def first(x):
        return 2 * numpy.sin(x) * x**2

    def second(x):
        return 2 * x**4 + 4 * numpy.sin(x) * x

    x = asarray(1.3, "f64")
    for once in (grad, forward):
        for function in both(once(square)):
            close(function(x), first(1.3))
        for twice in (grad, forward):
            for function in both(twice(once(square))):
                close(function(x), second(1.3))


def test_what_is_kept_is_differentiated_as_it_is() -> None:
    @custom_gradient
    def root(x: Any) -> Any:
        y = np.sqrt(x)
        half = 0.5 / y
        return y, lambda g: g * half

    x = asarray(4.0, "f64")
    close(grad(grad(root))(x), -1 / 32)
    close(jvp(grad(root), (x,), (asarray(1.0, "f64"),))[1], -1 / 32)
    close(grad(grad(grad(root)))(x), 3 / 256)


def test_integers_beside_floats() -> None:
    @custom_gradient
    def power(x: Any, n: Any) -> Any:
        slope = n.astype("f32") * x ** (n - 1).astype("f32")
        return x ** n.astype("f32"), lambda g: (g * slope, n * 0)

    for function in both(lambda x, n: jvp(lambda x: power(x, n), (x,), (1.0,))[1]):
        close(function(2.0, np.array(3)), 12)
    for function in both(lambda x, n: grad(grad(lambda x: power(x, n)))(x)):
        close(function(2.0, np.array(3)), 12)


def test_a_pullback_that_is_not_linear_counts_at_zero() -> None:
    clipped = custom_gradient(lambda x: (x, lambda g: np.clip(g, -1, 1)))
    close(grad(lambda x: 5 * clipped(x))(1.0), 1)
    close(jvp(clipped, (1.0,), (5.0,))[1], 5)


def test_effects_of_the_function_happen_once(capfd: pytest.CaptureFixture[str]) -> None:
    @custom_gradient
    def loud(x: Any) -> Any:
        stepwell.print("forward")

        def pull_back(g: Any) -> Any:
            stepwell.print("backward")
            return g * x

        return x * x, pull_back

    for function in both(lambda x: jvp(loud, (x,), (1.0,))[1]):
        close(function(3.0), 3)
        assert capfd.readouterr().out == "forward\n"
    for function in both(grad(loud)):
        close(function(3.0), 3)
        assert capfd.readouterr().out == "forward\nbackward\n"
    for function in both(grad(lambda x: jvp(grad(loud), (x,), (2.0,))[1] * x)):
        close(function(3.0), 2)
        assert capfd.readouterr().out == "forward\nbackward\n"


def test_what_is_not_an_argument_has_no_rule() -> None:
    def model(w: Any, x: Any) -> Any:
        return custom_gradient(lambda x: (w * x, lambda g: g * w))(x)

    expect(
        lambda: jvp(lambda w: model(w, 2.0), (3.0,), (1.0,)),
        """
        SW0215: a function of custom_gradient reads a differentiated value that is not its argument
          --> model.py:N
           |     return custom_gradient(lambda x: (w * x, lambda g: g * w))(x)
           |            ^
          help: make the value an argument, with a cotangent; or read stop_gradient(value)
        """,
    )
    close(jvp(lambda x: model(3.0, x), (2.0,), (1.0,))[1], 3)


def test_a_pullback_without_a_reverse_mode() -> None:
    @custom_gradient
    def halved(x: Any) -> Any:
        def pull_back(g: Any) -> Any:
            return stepwell.while_loop(lambda g: abs(g) > 1, lambda g: g / 2, g)

        return x, pull_back

    close(grad(lambda x: 8 * halved(x))(1.0), 1)
    expect(
        lambda: jvp(halved, (1.0,), (1.0,)),
        """
        SW0216: forward mode of custom_gradient is its pullback transposed, where a while loop \
without a bound keeps no history, so that it has no reverse mode
          --> model.py:N
           |     return stepwell.while_loop(lambda g: abs(g) > 1, lambda g: g / 2, g)
           |            ^
          help: give the pullback a reverse mode by its cotangent: bound its loops, and put \
custom_gradient around C functions in it
        """,
    )
    with pytest.raises(CompileError, match="SW0216"):
        jvp(jit(halved), (1.0,), (1.0,))
