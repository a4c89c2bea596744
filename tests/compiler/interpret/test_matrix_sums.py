"""Sums of a block of products: exact, rounded once, against fractions; and the order of a fold."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from drawing import examples
from expanding import arrays_for, same
from halves import HALVES
from loop_text import parse_kernel
from products import fixed
from stepwell.compiler.interpret.loops import run_kernel
from stepwell.compiler.interpret.matrix_sums import add_products

bits = st.integers(0, 0x7F7F).flatmap(lambda low: st.sampled_from([low, low | 0x8000]))
blocks = st.lists(st.tuples(bits, bits), min_size=1, max_size=16)
ONE, TINY = 0x3F80, 0x3380
"""1 and 2⁻²⁴ as bf16."""


def halves(*patterns: int) -> NDArray[ml_dtypes.bfloat16]:
    return np.array(patterns, np.uint16).view(ml_dtypes.bfloat16)


def rounded(exact: Fraction) -> np.float32:
    """To nearest even: of the neighbours of what f64 makes of it the nearest; zeros are +0."""
    near = np.float32(float(exact))
    others = [near, *(np.nextafter(near, np.float32(way)) for way in (-np.inf, np.inf))]

    def distance(each: np.float32) -> tuple[Fraction, int]:
        return abs(Fraction(float(each)) - exact), int(each.view(np.uint32) & 1)

    return min(others, key=distance) + np.float32(0)


@examples(100)
@given(start=st.floats(width=32, allow_nan=False, allow_infinity=False), block=blocks)
@example(1.0, [(TINY, ONE)])
@example(1.0, [(TINY, ONE), (0x0080, 0x3F80)])
@example(1.0, [(TINY, ONE), (0x8080, 0x3F80)])
@example(0.0, [(0x7E00, 0x4000), (0xFE00, 0x4000), (ONE, ONE)])
@example(0.0, [(0x0001, ONE), (0x0001, 0x3F00)])
def test_a_block_is_added_without_error_and_rounded_once(
    start: float, block: list[tuple[int, int]]
) -> None:
    left, right = (halves(*each)[:, None] for each in zip(*block, strict=True))
    terms = [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(left[:, 0], right[:, 0])]
    exact = Fraction(start) + sum(terms)
    if abs(exact) < Fraction(2) ** 127:
        found = add_products(np.float32([start]), left, right)
        assert same(found + np.float32(0), np.array([rounded(exact)]))


@pytest.mark.parametrize(
    ("start", "left", "right", "sum"),
    [
        (np.inf, [1.0], [1.0], np.inf),
        (np.inf, [1.0], [-np.inf], np.nan),
        (0.0, [0.0], [np.inf], np.nan),
        (0.0, [np.nan], [0.0], np.nan),
        (3e38, [1e38], [1.0], np.inf),
        (3e38, [1e38, -1e38], [1.0, 1.0], 3e38),
        (0.0, [-1.0], [0.0], 0.0),
        (1.0, [-1.0], [1.0], 0.0),
    ],
)
def test_what_is_not_finite_and_zeros(
    start: float, left: list[float], right: list[float], sum: float
) -> None:
    a, b = (np.array(each).astype(ml_dtypes.bfloat16)[:, None] for each in (left, right))
    found = add_products(np.float32([start]), a, b)
    if np.isfinite(sum) and sum:
        assert found[0] == pytest.approx(sum, rel=1e-2)
    else:
        assert same(found, np.float32([sum]))


def test_a_fold_takes_sixteen_positions_at_a_time() -> None:
    """The last ones alone."""
    kernel = parse_kernel(fixed(HALVES["terms swapped"], 3, 5, 37))
    a, b, bias, old, found = arrays = arrays_for(kernel, {}, special=False)
    run_kernel(kernel, arrays, {})
    sums = np.zeros((3, 5), np.float32)
    for low in range(0, 37, 16):
        left, right = np.asarray(a).T[low : low + 16, :, None], np.asarray(b)[low : low + 16, None]
        sums = add_products(sums, left, right)
    assert same(found, np.maximum(sums + np.asarray(bias), np.asarray(old)))
