"""Convolution beside loops over its definition, at its borders, and with symbols for its sizes."""

import re
from typing import Any

import numpy as np
import pytest

from stepwell.array import Array, apply, asarray
from stepwell.compiling import compile, jit
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size
from stepwell.specs import spec
from stepwell.transforms import value_and_grad

SMALL = np.float32(2.0**-100)


def convolution(
    x: Any,
    w: Any,
    stride: tuple[int, ...] = (1, 1),
    padding: tuple[int, ...] = (0, 0),
    dilation: tuple[int, ...] = (1, 1),
    groups: int = 1,
) -> Array:
    sizes = tuple(map(Size.of, padding))
    return apply(
        "convolution",
        asarray(x),
        asarray(w),
        stride=stride,
        low=sizes,
        high=sizes,
        dilation=dilation,
        groups=Size.of(groups),
    )


def by_loops(
    x: np.ndarray[Any, Any],
    w: np.ndarray[Any, Any],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> np.ndarray[Any, Any]:
    """The definition, one product after the other."""
    n, height, width, channels = x.shape
    kh, kw, part, results = w.shape
    out_height = (height + 2 * padding[0] - (kh - 1) * dilation[0] - 1) // stride[0] + 1
    out_width = (width + 2 * padding[1] - (kw - 1) * dilation[1] - 1) // stride[1] + 1
    y = np.zeros((n, out_height, out_width, results), x.dtype)
    assert part * groups == channels
    for e, i, j, o in np.ndindex(*y.shape):
        first = o // (results // groups) * part
        for di, dj, c in np.ndindex(kh, kw, part):
            row = i * stride[0] + di * dilation[0] - padding[0]
            column = j * stride[1] + dj * dilation[1] - padding[1]
            if 0 <= row < height and 0 <= column < width:
                y[e, i, j, o] += x[e, row, column, first + c] * w[di, dj, c, o]
    return y


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [
        ((1, 1), (0, 0), (1, 1), 1),
        ((1, 1), (1, 1), (1, 1), 1),
        ((2, 1), (1, 2), (1, 1), 2),
        ((1, 3), (2, 1), (2, 1), 1),
        ((2, 2), (1, 1), (1, 2), 4),
    ],
)
def test_it_is_the_sum_of_its_definition(
    stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int], groups: int
) -> None:
    random = np.random.default_rng(1)
    x, w = random.standard_normal((2, 6, 7, 4)), random.standard_normal((3, 2, 4 // groups, 8))
    expected = by_loops(x, w, stride, padding, dilation, groups)

    def f(x: Array, w: Array) -> Array:
        return convolution(x, w, stride, padding, dilation, groups)

    np.testing.assert_allclose(f(asarray(x), asarray(w)).value, expected, atol=1e-12)
    np.testing.assert_allclose(jit(f)(x, w).value, expected, atol=1e-12)


def test_padding_contributes_no_term_whatever_the_kernel_holds() -> None:
    """Zeros in the padding would give NaN beside an infinite weight."""
    x, w = np.ones((1, 1, 3, 1), np.float32), np.ones((1, 3, 1, 1), np.float32)
    w[0, 0] = np.inf

    def f(x: Array, w: Array) -> Array:
        return convolution(x, w, padding=(0, 1))

    expected = np.array([2, np.inf, np.inf], np.float32)
    np.testing.assert_array_equal(f(asarray(x), asarray(w)).value.ravel(), expected)
    np.testing.assert_array_equal(jit(f)(x, w).value.ravel(), expected)


def test_padding_leaves_even_a_negative_zero_as_it_is() -> None:
    """A product that underflows leaves -0 in the accumulator; a term of 0 * 0 would make it 0."""
    x = np.full((1, 1, 1, 1), -SMALL, np.float32)
    w = np.full((1, 3, 1, 1), SMALL, np.float32)
    y = jit(lambda x, w: convolution(x, w, padding=(0, 1)))(x, w).value
    assert y.ravel()[0] == 0
    assert np.signbit(y.ravel()[0])


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_one_program_serves_every_size(stride: tuple[int, int]) -> None:
    def loss(w: Array, x: Array) -> Array:
        y = convolution(x, w, stride, (1, 1))
        return apply("reduce_sum", y * y, axes=(0, 1, 2, 3))

    f = value_and_grad(loss, argnums=(0, 1))
    program = compile(f, spec("f64[3,3,2,4]"), spec("f64[N,H,W,2]"))
    random = np.random.default_rng(2)
    w = random.standard_normal((3, 3, 2, 4))
    for shape in ((2, 6, 5, 2), (1, 1, 1, 2), (0, 4, 4, 2), (2, 0, 4, 2)):
        x = random.standard_normal(shape)
        value, gradients = program(w, x)
        expected_value, expected = f(asarray(w), asarray(x))
        np.testing.assert_allclose(value.value, expected_value.value)
        for a, b in zip(gradients, expected, strict=True):
            np.testing.assert_allclose(a.value, b.value, atol=1e-12)


def test_the_gradient_by_the_kernel_sums_example_after_example() -> None:
    """Each with its positions in a row, as they lie in memory: the 1 is lost beside 2^60."""

    def loss(w: Array, x: Array) -> Array:
        return apply("reduce_sum", convolution(x, w, (1,), (0,), (1,)), axes=(0, 1, 2))

    program = compile(value_and_grad(loss), spec("f32[1,1,1]"), spec("f32[2,2,1]"))
    x = np.array([[2.0**60, 1], [-(2.0**60), 0]], np.float32)[..., None]
    assert program(np.ones((1, 1, 1), np.float32), x)[1].value.ravel()[0] == 0
    assert re.search(r"fma <serial> \[%\d+ : 2, %\d+ : 2\]", program.ir("nests"))


@pytest.mark.parametrize(
    ("x", "w", "groups", "sentence"),
    [
        ((1, 4, 4, 3), (3, 3, 2, 4), 1, "3 channels of f32[1, 4, 4, 3] are not 1 groups of the 2"),
        ((1, 4, 4, 6), (3, 3, 2, 4), 3, "the 4 results of f32[3, 3, 2, 4] are not 3 groups"),
        ((1, 4, 3), (3, 3, 3, 4), 1, "should be [N, spatial…, C] and [kernel…, C/groups, O]"),
    ],
)
def test_operands_that_do_not_fit(
    x: tuple[int, ...], w: tuple[int, ...], groups: int, sentence: str
) -> None:
    with pytest.raises(CompileError) as caught:
        convolution(np.ones(x, np.float32), np.ones(w, np.float32), groups=groups)
    assert sentence in str(caught.value)
