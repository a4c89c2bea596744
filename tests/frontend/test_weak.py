"""Python's numbers as arguments: traced or not, they take the dtype of the arrays they meet."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import stepwell
from stepwell import numpy as np

X = {dtype: numpy.arange(1, 4).astype(dtype) for dtype in ("f2", "f4", "f8", "u1", "i4")}


def scaled(x: Any, c: Any) -> Any:
    return x * c


def conditional(x: Any, c: Any) -> Any:
    return stepwell.cond(True, scaled, scaled, x, c)


TRANSFORMED: dict[str, Callable[..., Any]] = {
    "jit": stepwell.jit(scaled),
    "jit in jit": stepwell.jit(lambda x, c: stepwell.jit(scaled)(x, c)),
    "grad": stepwell.grad(lambda x, c: scaled(x, c).sum()),
    "jit of grad": stepwell.jit(stepwell.grad(lambda x, c: scaled(x, c).sum())),
    "vmap": stepwell.vmap(scaled, in_axes=(0, None)),
    "cond": conditional,
    "jit of cond": stepwell.jit(conditional),
    "checkpoint": stepwell.checkpoint(scaled),
    "scan": lambda x, c: stepwell.scan(lambda c, x: (c, x * c), c, x)[1],
}
FLOATS = ("f2", "f4", "f8")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", TRANSFORMED)
def test_a_number_has_no_dtype_of_its_own(name: str, dtype: str) -> None:
    x = X[dtype]
    result = TRANSFORMED[name](x, 0.1)
    expected = x.dtype.type(0.1) * (numpy.ones_like(x) if "grad" in name else x)
    if name == "scan" and dtype != "f4":
        assert result.dtype in ("f32", "f64"), "a carry that meets no array is a default float"
        return
    assert numpy.asarray(result).dtype == x.dtype
    assert numpy.asarray(result).tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", [*FLOATS, "u1", "i4"])
@pytest.mark.parametrize("number", [3, True], ids=str)
def test_integers_and_booleans_go_with_every_array(dtype: str, number: int | bool) -> None:
    assert (
        stepwell.jit(scaled)(X[dtype], number).dtype == scaled(np.asarray(X[dtype]), number).dtype
    )


@pytest.mark.parametrize(
    "function",
    [
        lambda x, c: x * (c / 3),
        lambda x, c: x * (2 * c - 1) ** 2,
        lambda x, c: x + c // 2 + c % 3,
        lambda x, c: np.where(x > c, c, x),
        lambda x, c: x.at[0].set(c),
        lambda x, c: np.maximum(x, c),
        lambda x, c: x * np.sin(c),
        lambda x, c: np.where(x > 1, c, 0.5) * x,
        lambda x, c: np.add(c, 1.5) * x,
        lambda x, c: x + np.full(3, c, x.dtype),
        lambda x, c: x * (c > 0),
        lambda x, c: x * -abs(c),
    ],
)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("number", [0.1, 7])
def test_a_traced_number_is_one_of_python(
    function: Callable[..., Any], dtype: str, number: float
) -> None:
    """Operators keep it as it is; functions of numbers alone give the default dtypes."""
    x = np.asarray(X[dtype])
    eager, traced = function(x, number), stepwell.jit(function)(x, number)
    assert traced.dtype == eager.dtype
    numpy.testing.assert_allclose(
        numpy.asarray(traced), numpy.asarray(eager), rtol=1e-15 if dtype == "f8" else 1e-3
    )


def test_a_result_has_the_default_dtype() -> None:
    for function in (lambda c: c, lambda c: c * 2, lambda c: [c + 1][0]):
        assert stepwell.jit(function)(0.1).dtype == "f32"
        assert stepwell.jit(function)(3).dtype == "i64"
    assert stepwell.jit(lambda c: c == 1)(1).dtype == "bool"
    assert stepwell.jit(lambda c: np.zeros(2, c.dtype))(0.1).dtype == "f32"


def test_numbers_and_arrays_are_programs_of_their_own() -> None:
    function = stepwell.jit(scaled)
    x = X["f2"]
    assert [function(x, c).dtype for c in (2.0, numpy.float32(2), 2.0)] == ["f16", "f32", "f16"]


def test_what_is_differentiated_by_has_a_dtype() -> None:
    assert stepwell.grad(lambda c, x: (x * c).sum())(2.0, X["f4"]).dtype == "f32"
    assert stepwell.jvp(lambda c: c * 2, (2.0,), (1.0,))[1].dtype == "f32"


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_carry_has_the_dtype_of_what_it_meets(dtype: str) -> None:
    x = np.asarray(X[dtype])
    assert stepwell.scan(lambda c, x: (c + x, c), 0.0, x)[0].dtype == x.dtype
    assert stepwell.while_loop(lambda c: c < 9, lambda c: c + x.max(), 0.5).dtype == x.dtype


def test_signatures_have_dtypes() -> None:
    program = stepwell.compile(scaled, "f32[3]", "f64")
    assert program(X["f4"], 2.0).dtype == "f64"
