"""Sorting: every length up to some runs of runs, equal keys, NaN and signed zeros."""

from typing import Any

import numpy as np
import pytest

from stepwell.array import Array, apply_all, asarray
from stepwell.compiling import compile, jit
from stepwell.specs import spec

both = pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])


def sort(*operands: Any) -> tuple[Array, ...]:
    return tuple(apply_all("sort", *map(asarray, operands), axis=0))


def test_every_length_is_sorted_and_equal_keys_keep_their_order() -> None:
    program = compile(sort, spec("i32[N]"), spec("i64[N]"))
    random = np.random.default_rng(0)
    for length in (*range(20), 31, 32, 33, 100, 1000):
        key = random.integers(0, max(1, length // 3), length).astype(np.int32)
        sorted_key, positions = program(key, np.arange(length))
        np.testing.assert_array_equal(sorted_key.value, np.sort(key))
        np.testing.assert_array_equal(positions.value, np.argsort(key, kind="stable"))


@both
def test_nan_comes_last_and_zeros_are_equal(run: Any) -> None:
    key = asarray([np.nan, 0.0, -np.inf, -0.0, np.inf, np.nan, -1.0])
    _, positions = run(sort)(key, asarray(np.arange(7)))
    np.testing.assert_array_equal(positions.value, [2, 6, 1, 3, 4, 0, 5])


@both
def test_unsigned_keys_are_compared_as_such(run: Any) -> None:
    (key,) = run(sort)(asarray([200, 3, 128, 127], "u8"))
    np.testing.assert_array_equal(key.value, [3, 127, 128, 200])


@both
def test_signed_bytes_are_compared_as_such(run: Any) -> None:
    key, places = run(sort)(asarray([5, -128, -1, 127, -1], "i8"), np.arange(5))
    np.testing.assert_array_equal(key.value, [-128, -1, -1, 5, 127])
    np.testing.assert_array_equal(places.value, [1, 2, 4, 0, 3])


@pytest.mark.parametrize("dtype", ["f32", "f64", "i32", "i64"])
def test_long_arrays_are_sorted_by_all_threads(dtype: str) -> None:
    program = compile(sort, spec(f"{dtype}[N]"), spec("i64[N]"))
    kind = {"f": np.float32, "i": np.int64}[dtype[0]]
    key = (np.random.default_rng(0).standard_normal(300_000) * 1e4).astype(kind)
    sorted_key, positions = program(asarray(key, dtype), np.arange(300_000))
    order = np.argsort(key, kind="stable")
    np.testing.assert_array_equal(positions.value, order)
    np.testing.assert_array_equal(sorted_key.value, key[order])


def test_a_sort_is_a_kernel() -> None:
    program = compile(lambda x: sort(x * 2)[0] + 1, spec("f32[20]"))
    assert program.ir("kernels").count("nd.kernel") == 3
    np.testing.assert_array_equal(
        np.asarray(program(np.float32([3, 1, 2] * 6 + [0, 9]))),
        np.sort(np.float32([3, 1, 2] * 6 + [0, 9]) * 2) + 1,
    )
