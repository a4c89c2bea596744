"""What those who come from NumPy write by habit: it works, traced or not."""

from typing import Any

import numpy
import pytest

from stepwell import grad, jit
from stepwell import numpy as np
from stepwell.array import asarray
from stepwell.runtime.errors import CompileError

X = numpy.arange(6, dtype="f4").reshape(2, 3)


def both(function: Any) -> list[Any]:
    return [function, jit(function)]


def test_lists_hold_arrays_and_numbers() -> None:
    for function in both(lambda a: np.array([a[0], 1.0])):
        result = function(asarray(X[1]))
        assert (result.dtype, result.tolist()) == ("f32", [3.0, 1.0])
    for function in both(lambda a: np.array([[a[0], 1], [2, a[1]]], "f64")):
        result = function(asarray(X[1]))
        assert (result.dtype, result.tolist()) == ("f64", [[3.0, 1.0], [2.0, 4.0]])
    for function in both(lambda a: np.array([a, [7, 8, 9]])):
        assert function(asarray(X[0])).tolist() == [[0, 1, 2], [7, 8, 9]]


def test_sizes_may_be_numbers_of_numpy() -> None:
    assert np.zeros(numpy.int64(3)).shape == (3,)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min", "any", "all"])
def test_functions_of_numpy_call_the_methods(name: str) -> None:
    function = getattr(numpy, name)
    assert function(asarray(X)).item() == function(X).item()
    assert function(asarray(X), axis=0).tolist() == function(X, axis=0).tolist()


def test_reductions_in_a_dtype() -> None:
    assert numpy.sum(asarray(X), dtype="f8").dtype == asarray(X).sum(dtype="f64").dtype == "f64"
    assert asarray(X).mean(dtype="f16").dtype == "f16"
    with pytest.raises(CompileError, match="SW0143"):
        numpy.max(asarray(X), out=numpy.zeros(()))


def test_a_mask_of_the_same_shape_is_a_place() -> None:
    for function in both(lambda x: x.at[x > 2].set(-1.0)):
        assert function(asarray(X)).tolist() == numpy.where(X > 2, -1, X).tolist()
    for function in both(lambda x: x.at[X > 2].add(x[0])):
        assert function(asarray(X)).tolist() == numpy.where(X > 2, X + X[0], X).tolist()
    with pytest.raises(CompileError, match="SW0121"):
        asarray(X).at[X[0] > 2].set(0)


@pytest.mark.parametrize("name", ["sinh", "cosh"])
def test_hyperbolic_functions_reach_as_far_as_their_dtype(name: str) -> None:
    x = numpy.array([-89.3, -20, -1e-4, 0, 1e-6, 0.3, 3, 88.9, 89.3, 90, -100], "f4")
    with numpy.errstate(over="ignore"):
        expected = getattr(numpy, name)(x.astype("f8")).astype("f4")
    for function in both(getattr(np, name)):
        numpy.testing.assert_allclose(numpy.asarray(function(x)), expected, rtol=1e-6)
        slope = grad(lambda v, function=function: function(v))(88.5)
        numpy.testing.assert_allclose(
            float(slope), getattr(numpy, "sinh" if name == "cosh" else "cosh")(88.5), rtol=1e-5
        )


def test_rows_are_aligned() -> None:
    assert repr(asarray(X)) == "Array([[0., 1., 2.],\n       [3., 4., 5.]], f32)"


def test_sorting_in_descending_order() -> None:
    """As the array API has it: equal elements stay in order."""
    x = numpy.array([[1, 3, numpy.nan, 3], [2, 2, 5, -1]], "f4")
    for function in both(lambda x: np.sort(x, descending=True, stable=False)):
        expected = [[numpy.nan, 3, 3, 1], [5, 2, 2, -1]]
        numpy.testing.assert_array_equal(function(x).value, expected)
    for function in both(lambda x: np.argsort(x, descending=True)):
        assert function(x).tolist() == [[2, 1, 3, 0], [2, 0, 1, 3]]
    for function in both(lambda x: np.argsort(x, axis=0, descending=True, stable=True)):
        assert function(x).tolist() == [[1, 0, 0, 0], [0, 1, 1, 1]]
    slopes = grad(lambda v: (np.sort(v, descending=True) * numpy.arange(4.0, dtype="f4")).sum())
    assert slopes(x[1]).tolist() == [1, 2, 0, 3]


def test_dtypes_make_numbers_and_arrays() -> None:
    number = np.float32(3)
    assert (number.dtype, number.shape, float(number)) == ("f32", (), 3.0)
    assert np.int32([1.5, 2.5]).tolist() == [1, 2]
    assert (np.bool_(2).tolist(), np.uint8().dtype) == (True, "u8")
    assert jit(lambda x: np.bfloat16(x))(X).dtype == "bf16"
    assert np.float32 == np.ones(2).dtype == "f32"
    assert (
        repr(np.ones(2, np.float64).dtype) == repr(np.ones(2).astype(np.float64).dtype) == "'f64'"
    )
