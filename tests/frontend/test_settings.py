"""What a function takes besides arrays, given wrongly: an error that says what it should be."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

from messages import expect, message
from stepwell import compile, grad, jit, jvp, scan, value_and_grad, vmap, while_loop
from stepwell import numpy as np

X = numpy.ones((2, 3), "f4")


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


def test_a_direction_for_each_argument() -> None:
    expect(
        lambda: jvp(np.sin, 1.0, 1.0),
        """
        SW0160: primals should be a tuple or a list, with one for each argument, and is 1.0
          --> model.py:N
           |     lambda: jvp(np.sin, 1.0, 1.0),
           |             ^^^^^^^^^^^^^^^^^^^^^
        """,
    )


def steps(length: Any) -> Any:
    return scan(lambda total, _: (total + 1, None), 0.0, None, length)


def bounded(most: Any) -> Any:
    return while_loop(lambda x: x < 3, lambda x: x + 1, 0.0, max_steps=most)


COUNT = "an integer of 0 or more"
WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: vmap(np.sin, out_axes=None)(X), "out_axes should be an integer, and is None"),
    (lambda: vmap(np.sin, (1.5,))(X), "in_axes[0] should be an integer or None, and is 1.5"),
    (lambda: jvp(np.sin, (1.0,), 2.0), "tangents should be a tuple or a list, with one for each"),
    (lambda: steps(-2), f"length should be {COUNT}, and is -2"),
    (lambda: jit(lambda x: steps(-2))(X), f"length should be {COUNT}, and is -2"),
    (lambda: bounded(-1), f"max_steps should be {COUNT}, and is -1"),
    (lambda: bounded(2.5), f"max_steps should be {COUNT}, and is 2.5"),
    (lambda: np.repeat(X, -1), f"repeats should be {COUNT}, and is -1"),
    (lambda: np.split(X, 1.5), "parts should be an integer, and is 1.5"),
    (lambda: np.roll(X, 1.5), "shift should be an integer, and is 1.5"),
    (lambda: np.sum(X, axis="a"), "an axis should be an integer, and is 'a'"),
    (lambda: np.sort(X, axis=None), "an axis should be an integer, and is None"),
    (lambda: np.stack([X, X], axis=None), "an axis should be an integer, and is None"),
    (lambda: np.ones(2.5), "a size of a shape should be an integer, and is 2.5"),
    (lambda: np.zeros("ab"), "a size of a shape should be an integer, and is 'a'"),
    (lambda: np.asarray(X).reshape(-1, "a"), "a size of a shape should be an integer, and is 'a'"),
]


@pytest.mark.parametrize(("call", "sentence"), WRONG)
def test_other_settings(call: Callable[[], Any], sentence: str) -> None:
    assert message(call).splitlines()[0].startswith(f"SW0160: {sentence}")


def test_settings_of_numpy_and_symbolic_ones() -> None:
    assert float(steps(numpy.int64(3))[0]) == 3.0
    assert np.repeat(X, numpy.uint8(2), axis=0).shape == (4, 3)
    program = compile(lambda x: (steps(x.shape[0])[0], np.repeat(x, x.shape[0])), "f32[B]")
    total, repeated = program(X[0])
    assert (float(total), repeated.shape) == (3.0, (9,))


def test_shapes_that_no_array_has() -> None:
    expect(
        lambda: np.asarray(X).reshape(-1, -1),
        """
        SW0125: the shape [-1, -1] has -1 more than once
          --> model.py:N
           |     lambda: np.asarray(X).reshape(-1, -1),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        """,
    )
    text = message(lambda: np.asarray(X).reshape(-2, -3))
    assert text.startswith("SW0142: the shape [-2, -3] has a negative size\n")
    for parts in (0, -1):
        text = message(lambda parts=parts: np.split(X, parts))
        assert text.startswith(f"SW0128: an axis of size 2 has no {parts} equal parts\n")


def test_a_list_that_holds_itself() -> None:
    endless: list[Any] = [X]
    endless.append(endless)
    expect(
        lambda: jit(lambda x: x)(endless),
        """
        SW0162: a tuple is nested too deeply
          --> model.py:N
           |     lambda: jit(lambda x: x)(endless),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^
          help: does it hold itself?
        """,
    )
    for transform in (grad, vmap):
        text = message(lambda transform=transform: transform(lambda x: x)(endless))
        assert text.startswith("SW0162: a ")
