"""What a function takes besides arrays, given wrongly: an error that says what it should be."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

from messages import expect, message
from stepwell import grad, value_and_grad


def product(a: Any, b: Any) -> Any:
    return a * b


@pytest.mark.parametrize("argnums", [(0, 0), (0, -2), (-2, 0), [0, -2], (numpy.int64(0), -2)])
def test_an_argument_named_twice_has_its_gradient_twice(argnums: Any) -> None:
    assert [float(each) for each in grad(product, argnums)(2.0, 3.0)] == [3.0, 3.0]
    value, gradients = value_and_grad(product, argnums)(2.0, 3.0)
    assert [float(each) for each in (value, *gradients)] == [6.0, 3.0, 3.0]


def test_arguments_are_given_back_in_the_order_of_argnums() -> None:
    assert [float(each) for each in grad(product, (-1, 0, 1))(2.0, 3.0)] == [2.0, 3.0, 2.0]
    assert grad(product, ())(2.0, 3.0) == ()


def test_arguments_to_differentiate_by_are_integers() -> None:
    expect(
        lambda: grad(product, argnums="a")(2.0, 3.0),
        """
        SW0160: argnums should be an integer, or a tuple of integers, and is 'a'
          --> model.py:N
           |     lambda: grad(product, argnums="a")(2.0, 3.0),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        """,
    )


@pytest.mark.parametrize("argnums", [None, 1.0, True, (0, None), "01"])
@pytest.mark.parametrize("transform", [grad, value_and_grad])
def test_other_argnums(transform: Callable[..., Any], argnums: Any) -> None:
    text = message(lambda: transform(product, argnums)(2.0, 3.0))
    assert text.startswith("SW0160: argnums should be an integer, or a tuple of integers, and is ")
