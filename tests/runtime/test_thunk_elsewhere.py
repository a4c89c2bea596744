"""Where there is no thunk: other Pythons, builds and objects make all calls in Python."""

import sys
from functools import cache

import numpy as np
import pytest

from stepwell.runtime import Model, thunk

W = np.float32([1, 2, 3, 4])
X = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def fresh_cache(monkeypatch):
    """What was found out of this process is found out again, now and after the test."""
    for each in (thunk.supported, thunk._resolved):
        monkeypatch.setattr(thunk, each.__name__, cache(each.__wrapped__))


@pytest.mark.parametrize(
    ("where", "what", "value"),
    [
        (sys, "abiflags", "t"),
        (sys, "abiflags", "d"),
        (sys.implementation, "name", "pypy"),
        (thunk, "_as_expected", lambda array: False),
        (thunk, "SYMBOL", "stepwell_thunk_0"),
        (thunk, "NEW", "PyCFunction_Unknown"),
    ],
)
def test_elsewhere_all_calls_are_made_by_python(
    make, slow, monkeypatch, fresh_cache, where, what, value
):
    manifest, members = make.scale()
    monkeypatch.setattr(where, what, value)
    model = Model(manifest, members["code/baseline.o"], {make.digest(W): W})
    for _ in range(3):
        np.testing.assert_array_equal(model(X), 2 * X + W)
    assert len(slow) == 3


def test_debug_builds_that_link_all_objects_are_unlike(monkeypatch):
    monkeypatch.setattr(sys, "getobjects", None, raising=False)
    assert not thunk.supported.__wrapped__()


def test_this_process_has_a_thunk(slow):
    assert thunk.supported()
    assert thunk.functions() is not None
