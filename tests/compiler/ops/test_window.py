"""Windows at their borders, and where the derivative of the greatest element goes."""

from typing import Any

import numpy as np
import pytest

from stepwell.array import Array, apply, asarray
from stepwell.compiling import compile, jit
from stepwell.runtime.sizes import Size
from stepwell.specs import spec
from stepwell.transforms import grad, jvp


def window(x: Any, combine: str, size: int, stride: int = 1, low: int = 0, high: int = 0) -> Array:
    return apply(
        "window",
        asarray(x),
        combine=combine,
        size=(Size.of(size),),
        stride=(stride,),
        low=(Size.of(low),),
        high=(Size.of(high),),
    )


def total(x: Array) -> Array:
    return apply("reduce_sum", x, axes=(0,))


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
def test_padding_contributes_nothing(run: Any) -> None:
    x = asarray([-3.0, -2.0, -5.0])
    for combine, expected in {
        "max": [-3, -2, -2, -5],
        "min": [-3, -3, -5, -5],
        "add": [-3, -5, -7, -5],
    }.items():
        y = run(lambda x, combine=combine: window(x, combine, 2, low=1, high=1))(x)
        np.testing.assert_array_equal(y.value, expected)


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
def test_the_derivative_goes_to_the_first_of_equal_elements(run: Any) -> None:
    x = asarray([1.0, 1.0, 0.0, 1.0, 2.0, 2.0])
    gradient = run(grad(lambda x: total(window(x, "max", 3, 3))))(x)
    np.testing.assert_array_equal(gradient.value, [1, 0, 0, 0, 1, 0])
    least = run(grad(lambda x: total(window(x, "min", 3, 3))))(x)
    np.testing.assert_array_equal(least.value, [0, 0, 1, 1, 0, 0])


@pytest.mark.parametrize(("length", "scattered"), [(6, False), (7, True)])
def test_the_derivative_of_windows_side_by_side_is_picked(length: int, scattered: bool) -> None:
    """Where each element is in one window, it asks that whether it was taken."""
    slope = compile(grad(lambda x: total(window(x, "max", 3, 3))), spec(f"f32[{length}]"))
    assert ("nd.scatter_add" in slope.ir("simple")) is scattered
    x = np.array([1, 5, 5, 7, np.nan, 9, 0][:length], np.float32)
    np.testing.assert_array_equal(slope(x).value, [0, 1, 0, 0, 1, 0, 0][:length])


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
def test_nan_is_the_greatest_and_has_the_derivative(run: Any) -> None:
    x = asarray([1.0, float("nan"), 5.0, 2.0])
    y = run(lambda x: window(x, "max", 2, 2))(x)
    np.testing.assert_array_equal(y.value, [np.nan, 5])
    gradient = run(grad(lambda x: total(window(x, "max", 2, 2))))(x)
    np.testing.assert_array_equal(gradient.value, [0, 1, 1, 0])


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
def test_a_window_of_padding_only_does_not_move(run: Any) -> None:
    x = asarray([1.0, 2.0])

    def f(x: Array) -> Array:
        return window(x, "max", 2, 2, low=2)

    np.testing.assert_array_equal(run(f)(x).value, [-np.inf, 2])
    _, direction = run(lambda x, t: jvp(f, [x], [t]))(x, asarray([3.0, 4.0]))
    np.testing.assert_array_equal(direction.value, [0, 4])
