"""Cumulative sums: the order of the additions."""

from typing import Any

import numpy as np
import pytest

from stepwell.array import apply, asarray
from stepwell.compiling import jit


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
