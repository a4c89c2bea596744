"""Computed indices: those out of range, and the order in which updates are added."""

from typing import Any

import numpy as np
import pytest

from stepwell.array import Array, apply, asarray
from stepwell.compiling import compile, jit
from stepwell.specs import spec
from stepwell.transforms import grad

both = pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])


def gather(x: Any, indices: Any) -> Array:
    return apply("gather", asarray(x), asarray(indices), batch=0)


def scatter_add(x: Any, indices: Any, updates: Any) -> Array:
    return apply("scatter_add", asarray(x), asarray(indices), asarray(updates), batch=0)


@both
def test_gather_moves_indices_into_range(run: Any) -> None:
    y = run(gather)(asarray([10.0, 20.0, 30.0]), asarray([-7, 0, 2, 3, 2**40]))
    np.testing.assert_array_equal(y.value, [10, 10, 30, 30, 30])


@both
def test_the_gradient_goes_where_the_element_came_from(run: Any) -> None:
    weights = asarray([1.0, 2.0, 4.0])
    f = grad(lambda x, i: apply("reduce_sum", gather(x, i) * weights, axes=(0,)))
    gradient = run(f)(asarray([1.0, 2.0]), asarray([-1, 5, 1]))
    np.testing.assert_array_equal(gradient.value, [1, 6])


def test_nothing_is_read_of_an_axis_that_turns_out_to_be_empty() -> None:
    program = compile(gather, spec("f32[N]"), spec("i64[3]"))
    np.testing.assert_array_equal(
        program(np.zeros(0, np.float32), np.array([0, 1, -1])).value, [0, 0, 0]
    )


@both
def test_updates_out_of_range_are_dropped(run: Any) -> None:
    y = run(scatter_add)(
        asarray([1.0, 1.0]), asarray([0, 2, -1, 1, 0]), asarray([1.0, 2.0, 4.0, 8.0, 16.0])
    )
    np.testing.assert_array_equal(y.value, [18, 9])


@both
def test_updates_are_added_in_ascending_order(run: Any) -> None:
    """In another order 1 would not be lost beside 2**24, or the sum would not be 0."""
    updates = asarray([2.0**24, 1.0, -(2.0**24), 1.0], "f32")
    y = run(scatter_add)(asarray([0.0], "f32"), asarray([0, 0, 0, 0]), updates)
    np.testing.assert_array_equal(y.value, [1])


@both
def test_integers_wrap(run: Any) -> None:
    y = run(scatter_add)(asarray([250], "u8"), asarray([0, 0]), asarray([5, 3], "u8"))
    np.testing.assert_array_equal(y.value, [2])


@both
def test_slices_are_moved_inside(run: Any) -> None:
    from_minus = run(lambda x, i: take(x, i))(asarray([0.0, 1.0, 2.0, 3.0]), asarray(-5))
    np.testing.assert_array_equal(from_minus.value, [0, 1])
    from_behind = run(lambda x, i: take(x, i))(asarray([0.0, 1.0, 2.0, 3.0]), asarray(3))
    np.testing.assert_array_equal(from_behind.value, [2, 3])
    replaced = run(lambda x, u, i: apply("dynamic_update_slice", x, u, i))(
        asarray([0.0, 1.0, 2.0, 3.0]), asarray([8.0, 9.0]), asarray(3)
    )
    np.testing.assert_array_equal(replaced.value, [0, 1, 8, 9])


def take(x: Array, start: Array) -> Array:
    return apply("dynamic_slice", x, start, shape=asarray([0.0, 0.0]).sizes)
