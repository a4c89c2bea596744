"""A side effect inside `grad`: what the program does happens once, what Python does is refused."""

from typing import Any

import numpy
import pytest

import stepwell
from messages import expect
from stepwell import Array, grad
from stepwell import numpy as np

X = numpy.array([1.0, 3.0], "f4")


def test_a_print_happens_once_before_the_gradient_is_there(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def loss(x: Array) -> Array:
        stepwell.print("x is {}", x)
        return np.sum(x * x)

    assert grad(loss)(X).tolist() == [2, 6]
    assert capfd.readouterr().out == "x is [1. 3.]\n"


def test_an_array_kept_aside() -> None:
    kept: list[Array] = []

    def loss(x: Array) -> Array:
        kept.append(x * 2)
        return np.sum(x * x)

    def train(x: Any) -> Array:
        return grad(loss)(x) + kept[0]

    expect(
        lambda: train(X),
        """
        SW0103: an array of a traced function is used after the function has ended
          --> model.py:N
           |     return grad(loss)(x) + kept[0]
           |            ^^^^^^^^^^^^^^^^^^^^^^^
          help: return it from the function instead of keeping it aside
        """,
    )


def test_a_running_mean_in_a_global() -> None:
    means: dict[str, Any] = {"x": np.zeros(2)}

    def loss(x: Array) -> Array:
        means["x"] = 0.9 * means["x"] + 0.1 * x
        return np.sum(x * x)

    grad(loss)(X)
    expect(
        lambda: grad(loss)(X),
        """
        SW0103: an array of a traced function is used after the function has ended
          --> model.py:N
           |     means["x"] = 0.9 * means["x"] + 0.1 * x
           |                  ^^^^^^^^^^^^^^^^
          help: return it from the function instead of keeping it aside
        """,
    )


def test_writing_into_the_argument() -> None:
    def loss(x: Any) -> Any:
        x[0] = 1.0
        return np.sum(x)

    expect(
        lambda: grad(loss)(X),
        """
        SW0143: an array never changes
          --> model.py:N
           |     x[0] = 1.0
           |     ^^^^
          help: write x = x.at[key].set(value)
        """,
    )


def test_writing_into_an_array_of_numpy() -> None:
    log = numpy.zeros(2, "f4")

    def loss(x: Any) -> Any:
        log[:] = x
        return np.sum(x)

    expect(
        lambda: grad(loss)(X),
        """
        SW0102: Python asks for the value of an array that is only known when the program runs
          --> model.py:N
           |     log[:] = x
           |     ^^^^^^
          f32[2]
          help: write it with the functions of stepwell.numpy, which can be traced
        """,
    )
    assert not log.any()


def test_changing_the_state_of_a_program() -> None:
    counter = stepwell.state("seen", numpy.zeros(2, "f4"))
    program = stepwell.compile(lambda seen, x: (x, seen + x), counter, "f32[2]")

    def writes(x: Any) -> Any:
        program.state["seen"] = x
        return np.sum(x)

    expect(
        lambda: grad(writes)(X),
        """
        SW0102: Python asks for the value of an array that is only known when the program runs
          --> model.py:N
           |     program.state["seen"] = x
           |     ^^^^^^^^^^^^^^^^^^^^^
          f32[2]
          help: write it with the functions of stepwell.numpy, which can be traced
        """,
    )
    expect(
        lambda: grad(lambda x: np.sum(program(x)))(X),
        """
        SW0102: Python asks for the value of an array that is only known when the program runs
          --> model.py:N
           |     lambda: grad(lambda x: np.sum(program(x)))(X),
           |                                   ^^^^^^^^^^
          f32[2]
          help: what is compiled already takes known arrays: trace the function itself
        """,
    )
    assert program.state["seen"].tolist() == [0, 0]
