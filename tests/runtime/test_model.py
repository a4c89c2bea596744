"""A model from file to answers: entry points, state, prints, assertions, threads, lifetime."""

import numpy as np

from stepwell.runtime import load


def test_a_loaded_model_is_called_like_the_function(scale_file):
    model = load(scale_file)
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(model(x), 2 * x + np.float32([1, 2, 3, 4]))
    np.testing.assert_array_equal(model(x=x), model.scale(x))
    assert str(model.signature) == "scale(x: f32[B,4]) -> f32[B,4]"
