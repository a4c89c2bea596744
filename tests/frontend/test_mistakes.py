"""The commonest mistakes, and what they are answered, word for word."""

from typing import Any

import numpy
import pytest

import stepwell
from messages import expect, message
from stepwell import numpy as np

X = numpy.ones((3, 4), "f4")


def test_what_sizes_do_not_say() -> None:
    expect(
        lambda: stepwell.compile(lambda x: x if x.shape[0] > 3 else -x, "f32[B]"),
        """
        SW0116: Python asks whether B > 3, known only when the program runs
          --> model.py:N
           |     lambda: stepwell.compile(lambda x: x if x.shape[0] > 3 else -x, "f32[B]"),
           |                                             ^^^^^^^^^^^^^^
          help: give the symbol a range that decides it, as in f32[B: 4..]; or use cond
        """,
    )
    expect(
        lambda: stepwell.compile(lambda x: x * (1 / x.shape[0]), "f32[B]"),
        """
        SW0153: a size is an integer, and 1 / B is none
          --> model.py:N
           |     lambda: stepwell.compile(lambda x: x * (1 / x.shape[0]), "f32[B]"),
           |                                             ^^^^^^^^^^^^^^
          help: divide with //, or make the size an array: stepwell.numpy.asarray(x.shape[0])
        """,
    )
    for function in (
        lambda x: x.shape[0] ** 0.5,
        lambda x: 0.5 * x.shape[0],
        lambda x: x.shape[0] / 2,
    ):
        with pytest.raises(stepwell.StepwellError, match="SW0153"):
            stepwell.compile(function, "f32[B]")


def test_what_sizes_say() -> None:
    def asked(x: Any) -> Any:
        n = x.shape[0]
        assert [n > 3, n >= 4, n < 4, n <= 9, 10 > n] == [True, True, False, True, True]
        return n * x + n**2

    program = stepwell.compile(asked, "f32[B: 4..9]")
    assert program(numpy.ones(4, "f4")).tolist() == [20.0] * 4


def test_a_custom_gradient_that_reads_what_is_differentiated() -> None:
    def model(w: Any, x: Any) -> Any:
        scaled = stepwell.custom_gradient(lambda x: (w * x, lambda g: g * w))
        return scaled(x).sum()

    expect(
        lambda: stepwell.grad(model)(2.0, X),
        """
        SW0215: a function of custom_gradient reads a differentiated value that is not its argument
          --> model.py:N
           |     return scaled(x).sum()
           |            ^
          help: make the value an argument, with a cotangent; or read stop_gradient(value)
        """,
    )
    assert float(stepwell.grad(model, argnums=1)(2.0, X)[0, 0]) == 2.0


def test_a_function_that_returns_nothing_to_differentiate() -> None:
    def model(x: Any) -> Any:
        (x * x).sum()

    expect(
        lambda: stepwell.grad(model)(X),
        """
        SW0117: grad needs a function to one float, and this one gives None
          --> model.py:N
           |     lambda: stepwell.grad(model)(X),
           |             ^^^^^^^^^^^^^^^^^^^^^^^
          help: is a return missing?
        """,
    )
    expect(
        lambda: stepwell.grad(lambda x: (x.sum(), x))(X),
        """
        SW0117: grad needs a function to one float, and this one gives a tuple of 2
          --> model.py:N
           |     lambda: stepwell.grad(lambda x: (x.sum(), x))(X),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: return one of them, or the rest beside it with has_aux=True: value, rest
        """,
    )


def test_the_gradient_by_an_integer() -> None:
    expect(
        lambda: stepwell.grad(lambda x: x * x)(3),
        """
        SW0109: argument [0] holds integers or booleans, which have no derivative
          --> model.py:N
           |     lambda: stepwell.grad(lambda x: x * x)(3),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: write 3.0, or do not differentiate by it
        """,
    )


def test_none_is_no_array() -> None:
    for function in (lambda x: x + None, lambda x: x == None):  # noqa: E711
        text = message(lambda function=function: function(np.asarray(X)))
        assert text.startswith("SW0108: None is no array\n")
    expect(
        lambda: np.ones(3) + None,
        """
        SW0108: None is no array
          --> model.py:N
           |     lambda: np.ones(3) + None,
           |             ^^^^^^^^^^^^^^^^^
          help: compare with `is None`; or is a return missing?
        """,
    )


def test_an_argument_of_a_dtype_that_is_not_there() -> None:
    expect(
        lambda: stepwell.jit(lambda p: p["w"])({"w": numpy.ones(3, "i2")}),
        """
        SW0105: dtype('int16') is no dtype here
          --> model.py:N
           |     lambda: stepwell.jit(lambda p: p["w"])({"w": numpy.ones(3, "i2")}),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          argument [0]['w']
          help: the dtypes are bool, i8, i32, i64, u8, f16, bf16, f32, f64
        """,
    )


def test_a_list_for_an_array() -> None:
    program = stepwell.compile(lambda x: x, "f32[1, 2]")
    expect(
        lambda: program([[1.0, 2.0]]),
        """
        SW0110: the signature and the arguments are not nested alike
          --> model.py:N
           |     lambda: program([[1.0, 2.0]]),
           |             ^^^^^^^^^^^^^^^^^^^^^
          the signature[0]: a single value
          the arguments[0]: a list of 1
          help: a list is nested arguments: pass an array, such as array([…])
        """,
    )
