"""Products of halves on any card: near, as the page on semantics says, and the same every time."""

import numpy as np
import pytest
from ml_dtypes import bfloat16

from expanding import kernel_of
from gpu_kernels import run_on_gpu
from halves import HALVES, in_halves
from loop_text import parse_module
from near import BLOCK, ERROR, expect_near, expect_near_nests
from products import KERNELS, fixed
from stepwell.compiler.lower.grids.tensor import Tensor

pytestmark = pytest.mark.device


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
@pytest.mark.parametrize("plan", [Tensor(64, 64), Tensor(128, 128)])
def test_sums_are_as_near_as_the_bound_says(dtype: str, plan: Tensor) -> None:
    text = fixed(in_halves(KERNELS["bare"], dtype), 72, 72, 160)
    first, again = (run_on_gpu(text, {}, plan) for _ in "12")
    left, right = (np.asarray(each, np.float64) for each in first.given[:2])
    bound = ERROR * (left.shape[1] // BLOCK) * (np.abs(left) @ np.abs(right))
    assert np.all(np.abs(first.found[-1] - left @ right) <= bound)
    np.testing.assert_array_equal(first.found[-1], again.found[-1])


@pytest.mark.parametrize("name", ["plain", "computed", "two axes folded apart"])
def test_a_product_that_is_left_out_is_not_near(name: str) -> None:
    """Of 40 and more, with a bias, with a left factor that is computed, and of two axes; the card's
    own order is."""
    text = fixed(HALVES[name], 33, 40, 40)
    kernel = kernel_of(parse_module(text))
    for special in (True, False):
        outcome = run_on_gpu(text, {}, Tensor(64, 64), special=special)
        expect_near_nests(kernel, {}, outcome.given, outcome.found, outcome.expected)
    *others, sums = outcome.found
    for off in (0.02, np.inf):
        changed = sums.copy()
        changed[0, 0] += off
        with pytest.raises(AssertionError):
            expect_near_nests(kernel, {}, outcome.given, [*others, changed], outcome.expected)


@pytest.mark.parametrize(
    ("found", "near"),
    [(1.0078125, True), (0.9921875, True), (1.015625, False), (np.nan, False), (-1.0, False)],
)
def test_the_next_number_is_near(found: float, near: bool) -> None:
    """Of bf16, to which sums are rounded."""
    one, other = (np.array([each], bfloat16) for each in (1.0, found))
    if near:
        return expect_near([other], [one], [one], 1)
    with pytest.raises(AssertionError):
        expect_near([other], [one], [one], 1)
    return None


def test_what_is_no_number_or_infinite_is_so_for_both() -> None:
    special = np.array([np.nan, np.inf, -np.inf], np.float32)
    expect_near([special], [special], [np.abs(special)], 1)
    for changed in (np.zeros_like(special), -special):
        with pytest.raises(AssertionError):
            expect_near([changed], [special], [np.abs(special)], 1)
