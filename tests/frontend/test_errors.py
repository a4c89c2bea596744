"""What goes wrong in a user's function, word for word: sentence, their own line, way out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy
import pytest

import stepwell
from messages import expect, message
from stepwell import numpy as np

X = numpy.ones((3, 4), "f4")


def test_shapes_that_do_not_broadcast() -> None:
    def model(x: Any, b: Any) -> Any:
        return x * 2 + b

    expect(
        lambda: stepwell.jit(model)(X, numpy.ones(5, "f4")),
        """
        SW0106: add: the shapes f32[3, 4] and f32[5] do not broadcast together
          --> model.py:N
           |     return x * 2 + b
           |            ^^^^^^^^^
          4 meets 5
          f32[3, 4], from line N
          f32[5], the argument b
          help: sizes must be equal, or 1; reshape one of the arrays
        """,
    )


def test_an_expression_of_several_lines_is_pointed_at_where_it_begins() -> None:
    def model(x: Any, b: Any) -> Any:
        return np.maximum(
            x,
            b,
        )

    text = message(lambda: model(X, numpy.ones(5, "f4")))
    assert text.splitlines()[1:4] == [
        "  --> model.py:N",
        "   |     return np.maximum(",
        "   |            ^",
    ]


def test_sizes_that_may_differ_do_not_broadcast() -> None:
    expect(
        lambda: stepwell.compile(lambda x, y: x + y, "f32[B]", "f32[S]"),
        """
        SW0106: add: the shapes f32[B] and f32[S] do not broadcast together
          --> model.py:N
           |     lambda: stepwell.compile(lambda x, y: x + y, "f32[B]", "f32[S]"),
           |                                           ^^^^^
          B meets S
          f32[B], the argument x
          f32[S], the argument y
          help: sizes must be equal, or 1; reshape one of the arrays
        """,
    )


def test_matrices_that_do_not_meet() -> None:
    expect(
        lambda: np.ones((3, 4)) @ np.ones((3, 4)),
        """
        SW0201: dot: axis 1 of f32[3, 4] does not meet axis 0 of f32[3, 4]
          --> model.py:N
           |     lambda: np.ones((3, 4)) @ np.ones((3, 4)),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        """,
    )


def test_dtypes_that_do_not_mix() -> None:
    expect(
        lambda: stepwell.jit(lambda x, n: x * n)(X, numpy.arange(4)),
        """
        SW0104: f32 and i64 have no common dtype: integers and floats do not mix by themselves
          --> model.py:N
           |     lambda: stepwell.jit(lambda x, n: x * n)(X, numpy.arange(4)),
           |                                       ^^^^^
          f32[3, 4], the argument x
          i64[4], the argument n
          help: convert one with .astype(…)
        """,
    )


def test_a_traced_value_in_a_text() -> None:
    assert stepwell.jit(lambda x: len(f"{x}") * x)(2.0).dtype == "f32"
    expect(
        lambda: stepwell.jit(lambda x: format(x, ".2f"))(2.0),
        """
        SW0102: Python asks for the value of an array that is only known when the program runs
          --> model.py:N
           |     lambda: stepwell.jit(lambda x: format(x, ".2f"))(2.0),
           |                                    ^^^^^^^^^^^^^^^^
          f32, the argument x
          help: have the program print it, when it runs: stepwell.print("{:.2f}", x)
        """,
    )
    text = message(lambda: stepwell.jit(lambda x: f"{x:.3e}")(2.0))
    assert text.endswith('stepwell.print("{:.3e}", x)')


def test_a_python_if_on_a_traced_value() -> None:
    def model(x: Any) -> Any:
        total = x.sum()
        if total > 0:
            return x
        return -x

    expect(
        lambda: stepwell.jit(model)(X),
        """
        SW0102: Python asks for the value of an array that is only known when the program runs
          --> model.py:N
           |     if total > 0:
           |        ^^^^^^^^^
          bool, from line N
          help: use cond, while_loop, scan or where instead of Python's if and while
        """,
    )


def test_a_size_that_python_must_know() -> None:
    def model(x: Any) -> Any:
        total = x[:, 0].sum()
        for _ in range(x.shape[0]):
            total = total * 2
        return total

    expect(
        lambda: stepwell.compile(model, "f32[B, 4]"),
        """
        SW0116: Python asks for the value of the size B, known only when the program runs
          --> model.py:N
           |     for _ in range(x.shape[0]):
           |              ^^^^^^^^^^^^^^^^^
          help: use the size as it is in shapes and arithmetic, and scan for loops over it
        """,
    )
    expect(
        lambda: stepwell.compile(lambda x: x * int(x.shape[0]), "f32[B, 4]"),
        """
        SW0116: Python asks for the value of the size B, known only when the program runs
          --> model.py:N
           |     lambda: stepwell.compile(lambda x: x * int(x.shape[0]), "f32[B, 4]"),
           |                                            ^^^^^^^^^^^^^^^
          help: use the size as it is in shapes and arithmetic, and scan for loops over it
        """,
    )
    expect(
        lambda: stepwell.compile(lambda x: tuple(x), "f32[B, 4]"),
        """
        SW0126: an array of the shape [B, 4] has no length that is known now
          --> model.py:N
           |     lambda: stepwell.compile(lambda x: tuple(x), "f32[B, 4]"),
           |                                        ^^^^^^^^
          help: x.shape[0] is a size to compute with
        """,
    )


def test_an_index_that_may_be_out_of_range() -> None:
    expect(
        lambda: stepwell.compile(lambda x: x[0], "f32[B, 4]"),
        """
        SW0122: index 0 may be out of range for axis 0 of the shape [B, 4]
          --> model.py:N
           |     lambda: stepwell.compile(lambda x: x[0], "f32[B, 4]"),
           |                                        ^^^^
          help: give the size its range in the spec: B: 1..
        """,
    )


def test_an_array_kept_aside() -> None:
    kept: list[Any] = []

    def model(x: Any) -> Any:
        kept.append(x)
        return x * 2

    stepwell.jit(model)(X)
    expect(
        lambda: kept[0] + 1,
        """
        SW0103: an array of a traced function is used after the function has ended
          --> model.py:N
           |     lambda: kept[0] + 1,
           |             ^^^^^^^^^^^
          help: return it from the function instead of keeping it aside
        """,
    )


def test_writing_into_an_array() -> None:
    def model(x: Any) -> Any:
        x[0] = 1.0
        return x

    expect(
        lambda: stepwell.jit(model)(X),
        """
        SW0143: an array never changes
          --> model.py:N
           |     x[0] = 1.0
           |     ^^^^
          help: write x = x.at[key].set(value)
        """,
    )


def test_the_gradient_of_many_numbers() -> None:
    expect(
        lambda: stepwell.grad(lambda x: x * x)(X),
        """
        SW0117: grad needs a function to one float, and this one gives f32[3, 4]
          --> model.py:N
           |     lambda: stepwell.grad(lambda x: x * x)(X),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: sum or average the result, or use vjp
        """,
    )


def test_the_gradient_by_integers() -> None:
    expect(
        lambda: stepwell.grad(lambda p: p["w"].sum() * 1.0)({"w": numpy.arange(3)}),
        """
        SW0109: argument [0]['w'] holds integers or booleans, which have no derivative
          --> model.py:N
           |     lambda: stepwell.grad(lambda p: p["w"].sum() * 1.0)({"w": numpy.arange(3)}),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: convert it with .astype('f32'), or do not differentiate by it
        """,
    )


def test_the_gradient_of_an_unbounded_loop() -> None:
    def model(x: Any) -> Any:
        return stepwell.while_loop(lambda v: v < 100.0, lambda v: v * v, x)

    expect(
        lambda: stepwell.grad(model)(2.0),
        """
        SW0211: a while loop without a bound keeps no history, so that it has no reverse mode
          --> model.py:N
           |     return stepwell.while_loop(lambda v: v < 100.0, lambda v: v * v, x)
           |            ^
          help: bound it with while_loop(…, max_steps=n), use scan, or use jvp
        """,
    )


def test_scans_of_different_lengths() -> None:
    expect(
        lambda: stepwell.scan(lambda c, x: (c, x), 0.0, (numpy.ones(3), numpy.ones(4))),
        """
        SW0132: scan needs one length, and has 3 and 4
          --> model.py:N
           |     lambda: stepwell.scan(lambda c, x: (c, x), 0.0, (numpy.ones(3), numpy.ones(4))),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: give xs with equal leading sizes, or length
        """,
    )


def test_branches_that_differ() -> None:
    expect(
        lambda: stepwell.cond(True, lambda x: x, lambda x: x.sum(), X),
        """
        SW0119: the result is f32[3, 4] on one side and f32 on the other
          --> model.py:N
           |     lambda: stepwell.cond(True, lambda x: x, lambda x: x.sum(), X),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: convert or broadcast one of them
        """,
    )
    expect(
        lambda: stepwell.cond(True, lambda x: (x, x), lambda x: x, X),
        """
        SW0110: the result and the other are not nested alike
          --> model.py:N
           |     lambda: stepwell.cond(True, lambda x: (x, x), lambda x: x, X),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          the result: a tuple of 2
          the other: a single value
        """,
    )


def test_a_loop_that_changes_a_type() -> None:
    expect(
        lambda: stepwell.while_loop(lambda v: v < 3, lambda v: v + 0.5, 0),
        """
        SW0131: the body's result is f32, and began as i64
          --> model.py:N
           |     lambda: stepwell.while_loop(lambda v: v < 3, lambda v: v + 0.5, 0),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: a loop carries values of one type: convert the initial value or the result
        """,
    )


def test_arguments_nested_in_another_way() -> None:
    program = stepwell.compile(lambda p: p["w"] * p["b"], {"w": "f32[3]", "b": "f32"})
    expect(
        lambda: program({"w": numpy.ones(3, "f4")}),
        """
        SW0110: the signature and the arguments are not nested alike
          --> model.py:N
           |     lambda: program({"w": numpy.ones(3, "f4")}),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          the signature[0]: a dict with b, w
          the arguments[0]: a dict with w
        """,
    )


def test_an_argument_that_is_no_array() -> None:
    expect(
        lambda: stepwell.jit(lambda p: p["w"])({"w": object()}),
        """
        SW0108: argument [0]['w'] is a object, which is no array
          --> model.py:N
           |     lambda: stepwell.jit(lambda p: p["w"])({"w": object()}),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: give arrays, numbers, and tuples, lists, dicts or dataclasses of them
        """,
    )


def test_a_dtype_that_is_not_there() -> None:
    expect(
        lambda: np.zeros(3, "complex64"),
        """
        SW0105: 'complex64' is no dtype here
          --> model.py:N
           |     lambda: np.zeros(3, "complex64"),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^
          help: the dtypes are bool, i8, i32, i64, u8, f16, bf16, f32, f64
        """,
    )
    expect(
        lambda: np.asarray(numpy.ones(2, "i2")),
        """
        SW0105: dtype('int16') is no dtype here
          --> model.py:N
           |     lambda: np.asarray(numpy.ones(2, "i2")),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: the dtypes are bool, i8, i32, i64, u8, f16, bf16, f32, f64
        """,
    )


def test_a_spec_that_cannot_be_read() -> None:
    expect(
        lambda: stepwell.compile(lambda x: x, "f33[B]"),
        """
        SW0101: the spec does not begin with a dtype (bool, i8, i32, i64, u8, f16, bf16, f32, f64)
          --> model.py:N
           |     lambda: stepwell.compile(lambda x: x, "f33[B]"),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          f33[B]
          ^
          help: write a spec like i64, f32[784], f32[B, 2*S] or f32[B: 1..64]
        """,
    )


def test_axes_of_different_sizes_to_map_over() -> None:
    expect(
        lambda: stepwell.vmap(lambda x, y: x + y)(numpy.ones(3), numpy.ones(4)),
        """
        SW0118: vmap needs one size for its axis, and the arguments have 3, 4
          --> model.py:N
           |     lambda: stepwell.vmap(lambda x, y: x + y)(numpy.ones(3), numpy.ones(4)),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: give in_axes, with None for arguments that all share
        """,
    )


def test_a_custom_gradient_of_another_shape() -> None:
    @stepwell.custom_gradient
    def twice(x: Any) -> Any:
        return x * 2, lambda g: g.sum()

    expect(
        lambda: twice(X),
        """
        SW0115: the cotangent of argument [0] is f32, and should be f32[3, 4]
          --> model.py:N
           |     lambda: twice(X),
           |             ^^^^^^^^
          help: a derivative has the shape and the dtype of what it belongs to
        """,
    )


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (
            lambda: stepwell.vjp(lambda x: x.sum(1), X)[1](numpy.ones(4)),
            "SW0115: the cotangent of the result is f32[4], and should be f32[3]",
        ),
        (
            lambda: stepwell.jvp(lambda x: x, (X,), (numpy.ones(3),)),
            "SW0115: the tangent of argument [0] is f32[3], and should be f32[3, 4]",
        ),
        (
            lambda: stepwell.scan(lambda c, x: c, 0.0, X),
            "SW0140: the function of scan gives a single value, and should give a pair: the carry"
            " and what is stacked",
        ),
        (
            lambda: stepwell.custom_gradient(lambda x: x)(X),
            "SW0140: the function of custom_gradient gives a single value, and should give a pair:"
            " its value and its pullback",
        ),
        (
            lambda: stepwell.grad(lambda x: x.sum(), has_aux=True)(X),
            "SW0140: the function, with has_aux, gives a single value, and should give a pair: its"
            " value and the rest",
        ),
        (
            lambda: stepwell.grad(lambda x: x.sum(), argnums=1)(X),
            "SW0139: argnums is for other arguments than those given",
        ),
        (
            lambda: stepwell.vmap(lambda x: x)(1.0),
            "SW0123: axis 0 is not one of an array with 0 axes",
        ),
        (
            lambda: stepwell.scan(lambda c, x: (c, x), 0.0, (X, 1.0)),
            "SW0132: scan needs one length, and has 3 and a number without axes",
        ),
        (
            lambda: stepwell.compile(lambda x: x, "f32[2]")(numpy.ones(2)),
            "SW0402: x: expected f32[2], got float64 array of shape (2,)",
        ),
        (lambda: stepwell.compile(lambda x: x, "f32").ir("c"), "SW0220: there is no stage c"),
        (
            lambda: stepwell.compile(lambda x: x, "f32", target=("x86-64-v3", "x86-64-v9")),
            "SW0136: there is no target x86-64-v9",
        ),
        (lambda: stepwell.compile(lambda x: x, "f32", target=()), "SW0136: there is no target ()"),
        (lambda: stepwell.state("a b", 0), "SW0144: a state cannot be called 'a b'"),
        (
            lambda: stepwell.compile(lambda a, b: (0, a, b), *[stepwell.state("a", 0)] * 2),
            "SW0148: the state a is given twice to one function",
        ),
        (
            lambda: stepwell.compile(lambda a: (0, [a]), stepwell.state("a", 0)),
            "SW0110: the state a and what main gives for it are not nested alike",
        ),
        (
            lambda: stepwell.compile(lambda a: a["x"], {"x": stepwell.state("a", 0)}),
            "SW0101: a State is not a spec",
        ),
    ],
)
def test_the_first_line_of_others(function: Callable[[], Any], sentence: str) -> None:
    assert message(function).splitlines()[0] == sentence


def test_names_that_are_not_taken() -> None:
    def model(x: Any, y: Any) -> Any:
        return x + y

    expect(
        lambda: stepwell.jit(model)(X, z=X),
        """
        SW0135: the program has no argument z left to give
          --> model.py:N
           |     lambda: stepwell.jit(model)(X, z=X),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^
          it takes (x, y)
        """,
    )


@dataclass
class Layer:
    """A user's own tree of arrays."""

    w: Any


def test_errors_name_the_places_of_arguments() -> None:
    expect(
        lambda: stepwell.jit(lambda layer, x: x @ layer.w)(Layer(X), X),
        """
        SW0201: dot: axis 1 of f32[3, 4] does not meet axis 0 of f32[3, 4]
          --> model.py:N
           |     lambda: stepwell.jit(lambda layer, x: x @ layer.w)(Layer(X), X),
           |                                           ^^^^^^^^^^^
          f32[3, 4], the argument x
          f32[3, 4], the argument layer.w
        """,
    )


@pytest.mark.parametrize("name", ["", "state"])
def test_an_entry_point_that_no_model_could_have(name: str) -> None:
    expect(
        lambda: stepwell.compile({name: (lambda x: x, "f32")}),
        f"""
        SW0159: an entry point cannot be called {name!r}
          --> model.py:N
           |     lambda: stepwell.compile({{name: (lambda x: x, "f32")}}),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: give a name with which program.name(…) says nothing else, such as step
        """,
    )


def test_a_program_without_entry_points() -> None:
    expect(
        lambda: stepwell.compile({}),
        """
        SW0159: there is no entry point
          --> model.py:N
           |     lambda: stepwell.compile({}),
           |             ^^^^^^^^^^^^^^^^^^^^
          help: give a name with which program.name(…) says nothing else, such as step
        """,
    )


def test_a_parameter_with_the_name_of_an_option() -> None:
    expect(
        lambda: stepwell.compile(lambda x, target: x * target, x="f32", target="f32"),
        """
        SW0158: the parameter target has the name of an option of compile
          --> model.py:N
           |     lambda: stepwell.compile(lambda x, target: x * target, x="f32", target="f32"),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: give the specs by position, in the order of the parameters
        """,
    )


def test_an_entry_point_must_be_named_where_there_are_several() -> None:
    program = stepwell.compile({"a": (lambda x: x, "f32"), "b": (lambda x: x, "f32")})
    expect(
        lambda: program(1.0),
        """
        SW0134: this program has the entry points a, b
          --> model.py:N
           |     lambda: program(1.0),
           |             ^^^^^^^^^^^^
          help: name one, as in program['a'](…)
        """,
    )


def test_targets_and_numerics_that_are_not_there() -> None:
    expect(
        lambda: stepwell.compile(lambda x: x, "f32", target="abacus"),
        """
        SW0136: there is no target abacus
          --> model.py:N
           |     lambda: stepwell.compile(lambda x: x, "f32", target="abacus"),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: give one or several of host, x86-64-v3, x86-64-v3-vnni, x86-64-v4, x86-64-v4-vnni, \
x86-64-v4-amx, sapphirerapids, znver4, znver5, aarch64, aarch64-dotprod, cuda, sm_80, sm_90a
        """,
    )
    expect(
        lambda: stepwell.compile(lambda x: x, "f32", numerics="wild"),
        """
        SW0137: there are no numerics 'wild'
          --> model.py:N
           |     lambda: stepwell.compile(lambda x: x, "f32", numerics="wild"),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: there are strict and fast
        """,
    )
