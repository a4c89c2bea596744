"""Products of halves on any card: near, as the page on semantics says, and the same every time."""

import numpy as np
import pytest

from gpu_kernels import run_on_gpu
from halves import in_halves
from products import KERNELS, fixed
from stepwell.compiler.lower.grids.tensor import Tensor

BLOCK = 16
"""Positions that are added at a time, with an error of 20 · 2⁻²³ of all that meets in them."""
pytestmark = pytest.mark.device


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
@pytest.mark.parametrize("plan", [Tensor(64, 64), Tensor(128, 128)])
def test_sums_are_as_near_as_the_bound_says(dtype: str, plan: Tensor) -> None:
    text = fixed(in_halves(KERNELS["bare"], dtype), 72, 72, 160)
    first, again = (run_on_gpu(text, {}, plan) for _ in "12")
    left, right = (np.asarray(each, np.float64) for each in first.given[:2])
    bound = 20 * 2.0**-23 * (left.shape[1] // BLOCK) * (np.abs(left) @ np.abs(right))
    assert np.all(np.abs(first.found[-1] - left @ right) <= bound)
    np.testing.assert_array_equal(first.found[-1], again.found[-1])
