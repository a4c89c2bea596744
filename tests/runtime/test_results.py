"""Large results: their memory is used again, but never while somebody holds it."""

import gc
import os

import ml_dtypes
import numpy as np
import pytest

from at_once import at_once
from stepwell.runtime import results
from stepwell.runtime.errors import CallError
from stepwell.runtime.results import empty

LARGE = 1 << 20
F32 = np.dtype(np.float32)
SHAPE = (LARGE // 4, 3)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(results, "LARGE", LARGE)
    gc.collect()
    monkeypatch.setattr(results, "_kept", results._Kept())


def address(array):
    return array.__array_interface__["data"][0]


def test_what_nobody_holds_is_used_again():
    first = empty(SHAPE, F32)
    place = address(first)
    del first
    assert address(empty(SHAPE, F32)) == place


@pytest.mark.parametrize("hold", [lambda x: x[1:, ::2], lambda x: x.T, memoryview, lambda x: [x]])
def test_what_somebody_holds_is_not(hold):
    first = empty(SHAPE, F32)
    first[:] = 7
    held = hold(first)
    place = address(first)
    del first
    second = empty(SHAPE, F32)
    assert address(second) != place
    second[:] = 8
    assert (np.asarray(held) == 7).all()


def test_memory_of_another_size_is_not_taken():
    first = empty(SHAPE, F32)
    place = address(first)
    del first
    assert address(empty((LARGE, 2), F32)) != place


@pytest.mark.parametrize("dtype", [np.float64, np.bool_, np.int32, ml_dtypes.bfloat16])
def test_an_array_is_like_any_other(dtype):
    array = empty((3, LARGE), np.dtype(dtype))
    assert array.dtype == dtype
    assert array.shape == (3, LARGE)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    array[:] = 1
    assert array.astype(np.float64).sum() == 3 * LARGE


def test_small_ones_are_numpys():
    assert empty((3,), F32).base is None
    assert empty((0, LARGE), F32).base is None


@pytest.mark.parametrize("count", [10**13, 10**19])
def test_more_than_there_is_is_refused(count):
    with pytest.raises(CallError) as caught:
        empty((count, 2), F32)
    assert str(caught.value) == f"SW0414: there is no memory for a result of {count * 8} bytes"


def test_no_more_is_kept_than_a_bound(monkeypatch):
    monkeypatch.setattr(results, "KEPT", 3 * LARGE)
    held = [empty((LARGE,), np.dtype(np.uint8)) for _ in range(5)]
    last = [address(array) for array in held[2:]]
    for number in range(5):
        held[number] = None
    assert [memory.address for memory in results._kept._oldest] == last
    again = [empty((LARGE,), np.dtype(np.uint8)) for _ in range(3)]
    assert [address(array) for array in again] == last[::-1]


def test_sizes_that_vary_share_memory():
    first = empty((LARGE * 8 - 100,), np.dtype(np.uint8))
    place = address(first)
    del first
    second = empty((LARGE * 8 - 100_000,), np.dtype(np.uint8))
    assert address(second) == place
    assert empty((LARGE * 6,), np.dtype(np.uint8)).size == LARGE * 6


def test_a_step_in_the_middle_of_another_does_without():
    with results._kept._busy:
        first = empty(SHAPE, F32)
        del first
    assert not results._kept._oldest
    first = empty(SHAPE, F32)
    place = address(first)
    del first
    with results._kept._busy:
        assert address(empty(SHAPE, F32)) != place


def test_a_child_process_keeps_memory_whatever_its_parent_was_at():
    with results._kept._busy:
        child = os.fork()
        if child == 0:
            first = empty(SHAPE, F32)
            place = address(first)
            del first
            os._exit(address(empty(SHAPE, F32)) != place)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_threads_never_get_the_same():
    wrong = []

    def work(number):
        for _ in range(200):
            array = empty((LARGE,), np.dtype(np.uint8))
            array[:: 1 << 16] = number
            if not (array[:: 1 << 16] == number).all():
                wrong.append(number)

    at_once(4, work)
    assert not wrong
