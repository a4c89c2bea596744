"""Cumulative sums: the order of the additions, sizes, and what goes into their kernels."""

from typing import Any

import numpy as np
import pytest

from stepwell import nn
from stepwell import numpy as snp
from stepwell.array import Array, apply, asarray
from stepwell.compiling import compile, jit
from stepwell.specs import spec


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
def test_terms_are_added_in_order_and_from_the_end_in_reverse(run: Any) -> None:
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    for reverse in (0, 1):
        terms = x[::-1] if reverse else x
        expected = np.zeros_like(terms)
        so_far = np.float32(0)
        for place, term in enumerate(terms):
            so_far = so_far + term
            expected[place] = so_far
        y = run(lambda x, reverse=reverse: apply("cumsum", x, axis=0, reverse=reverse))(asarray(x))
        np.testing.assert_array_equal(y.value, expected[::-1] if reverse else expected)


def cumsum(x: Array, axis: int, reverse: int = 0) -> Array:
    return apply("cumsum", x, axis=axis, reverse=reverse)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_any_sizes_will_do(axis: int, reverse: int) -> None:
    program = compile(lambda x: cumsum(x, axis, reverse), spec("i32[N, M]"))
    for shape in ((0, 3), (3, 0), (1, 1), (1, 5), (33, 1), (2, 17), (9, 130)):
        x = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
        forwards = np.flip(x, axis) if reverse else x
        sums = np.cumsum(forwards, axis, dtype=np.int32)
        expected = np.flip(sums, axis) if reverse else sums
        np.testing.assert_array_equal(np.asarray(program(x)), expected)


@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_elementwise_before_and_behind_is_in_its_kernel(axis: int) -> None:
    program = compile(lambda x: snp.log(cumsum(snp.exp(x), axis)) + x, spec("f32[20, 30]"))
    assert program.ir("kernels").count("nd.kernel") == 1
    x = np.random.default_rng(0).standard_normal((20, 30)).astype(np.float32)
    expected = np.log(np.cumsum(np.exp(x), axis)) + x
    np.testing.assert_allclose(np.asarray(program(x)), expected, rtol=1e-5, atol=1e-5)


def test_two_of_them_are_two_kernels() -> None:
    program = compile(lambda x: cumsum(x, 0) + cumsum(x, 1), spec("f32[20, 30]"))
    assert program.ir("kernels").count("nd.kernel") == 2


def test_a_matrix_is_read_as_it_lies() -> None:
    program = compile(lambda x: cumsum(snp.reshape(x, (600,)), 0), spec("f64[20, 30]"))
    text = program.ir("explicit")
    assert "arith.divui" not in text
    assert "loop.gather" not in text
    x = np.random.default_rng(0).standard_normal((20, 30))
    np.testing.assert_array_equal(np.asarray(program(x)), np.cumsum(x))


def test_shares_of_rows_are_one_kernel_that_goes_by_rows() -> None:
    program = compile(lambda x: cumsum(nn.softmax(x), 1), spec("f32[20, 30]"))
    assert program.ir("kernels").count("nd.kernel") == 1
    assert "plan <rows" in program.ir("loop")
    x = np.random.default_rng(0).standard_normal((20, 30)).astype(np.float32)
    shares = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    np.testing.assert_allclose(np.asarray(program(x)), np.cumsum(shares, 1), rtol=1e-5)
