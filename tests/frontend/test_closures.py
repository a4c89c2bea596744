"""Functions that use values from around them, within every transform and under every other one."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepwell as sw
import stepwell.numpy as np
from stepwell import Array
from stepwell.array import asarray

X = asarray([1.0, 5.0], "f64")
Function = Callable[[Array], Any]

WITHIN: dict[str, Function] = {
    "vmap": lambda c: sw.vmap(lambda x: x * c)(X),
    "vmap of what is shared": lambda c: sw.vmap(lambda x: c)(X),
    "vmap of vmap": lambda c: sw.vmap(lambda y: sw.vmap(lambda x: x * c + y)(X))(X),
    "vmap of grad": lambda c: sw.vmap(sw.grad(lambda x: x * x * c))(X),
    "vmap of cond": lambda c: sw.vmap(lambda x: sw.cond(c > 0, lambda x: x * c, lambda x: x, x))(X),
    "vmap of scan": lambda c: sw.vmap(lambda y: sw.scan(lambda h, x: (h * c, x * c * y), c, X)[1])(
        X
    ),
    "vmap of checkpoint": lambda c: sw.vmap(sw.checkpoint(lambda x: x * c * c))(X),
    "grad": lambda c: sw.grad(lambda x: np.sum(x * x * c))(X),
    "jvp": lambda c: sw.jvp(lambda x: x * x * c, (X,), (X,))[1],
    "jit": lambda c: sw.jit(lambda x: x * c)(X),
    "checkpoint": lambda c: sw.checkpoint(lambda x: x * c)(X),
    "cond": lambda c: sw.cond(c > 0, lambda x: x * c, lambda x: x, X),
    "scan": lambda c: sw.scan(lambda h, x: (h * c, x * c), c, X)[1],
}


def total(function: Function, c: float) -> float:
    return float(numpy.sum(numpy.asarray(function(asarray(c, "f64")))))


def slope(function: Function, c: float, h: float = 1e-6) -> float:
    return (total(function, c + h) - total(function, c - h)) / (2 * h)


@pytest.fixture(params=WITHIN.values(), ids=WITHIN)
def function(request: pytest.FixtureRequest) -> Function:
    return request.param


C = asarray(2.0, "f64")


def test_compiled(function: Function) -> None:
    numpy.testing.assert_array_equal(sw.jit(function)(C), function(C))


def test_differentiated(function: Function) -> None:
    gradient = sw.grad(lambda c: np.sum(function(c)))
    numpy.testing.assert_allclose(gradient(C).item(), slope(function, 2.0), rtol=1e-6)
    numpy.testing.assert_allclose(sw.jit(gradient)(C).item(), slope(function, 2.0), rtol=1e-6)
    _, moved = sw.jvp(function, (C,), (C,))
    numpy.testing.assert_allclose(np.sum(moved).item(), 2 * slope(function, 2.0), rtol=1e-6)


def test_batched(function: Function) -> None:
    several = asarray([2.0, 3.0], "f64")
    expected = [numpy.asarray(function(c)) for c in several]
    numpy.testing.assert_allclose(numpy.asarray(sw.vmap(function)(several)), expected)
    _, stacked = sw.scan(lambda carry, c: (carry, function(c)), C, several)
    numpy.testing.assert_allclose(numpy.asarray(stacked), expected)
