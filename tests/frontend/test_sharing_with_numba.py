"""Memory that numba-cuda shares on a card by `__cuda_array_interface__`, in both directions."""

from typing import Any

import numpy
import pytest

import stepwell as sw
import stepwell.numpy as np
import under_test

CARD = under_test.CHOICE.name
KIND, _, NUMBER = CARD.partition(":")
pytestmark = [
    pytest.mark.device,
    pytest.mark.skipif(KIND != "cuda", reason="no card of NVIDIA"),
    pytest.mark.filterwarnings("ignore:.*deprecated"),
]
DTYPES = ["bool", "i8", "i32", "i64", "u8", "f16", "f32", "f64"]


@pytest.fixture
def cuda() -> Any:
    """Numba's module, in the context of the card."""
    found = pytest.importorskip("numba.cuda", reason="numba.cuda is not here")
    found.select_device(int(NUMBER or 0))
    return found


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_goes(cuda: Any, dtype: str) -> None:
    x = numpy.asarray(np.asarray(numpy.arange(6).reshape(2, 3) % 2).astype(dtype))
    there = sw.device_put(x, CARD)
    given = cuda.as_cuda_array(there)
    assert given.__cuda_array_interface__["data"][0] == there.held.address
    assert (given.shape, given.dtype) == (x.shape, x.dtype)
    numpy.testing.assert_array_equal(given.copy_to_host(), x, strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes(cuda: Any, dtype: str) -> None:
    x = numpy.asarray(np.asarray(numpy.arange(6).reshape(2, 3) % 2).astype(dtype))
    given = cuda.to_device(x)
    back = np.asarray(given)
    assert (back.dtype, back.device) == (dtype, CARD)
    assert back.held.address == given.__cuda_array_interface__["data"][0]
    assert numpy.array_equal(back, x)


def test_numba_waits_for_what_a_program_computes(cuda: Any) -> None:
    x = sw.device_put(numpy.ones(1 << 22, "f4"), CARD)
    f = sw.jit(lambda x: x * 2 + 1, target=CARD)
    for _ in range(3):
        x = f(x)
    assert cuda.as_cuda_array(x).copy_to_host().max() == 15.0


def test_a_program_waits_for_what_numba_copies(cuda: Any) -> None:
    """In a stream of its own."""
    f = sw.jit(lambda x: x.sum(), target=CARD)
    stream = cuda.stream()
    for n in range(4):
        host = cuda.pinned_array(1 << 24, numpy.float32)
        host[:] = n
        x = cuda.to_device(host, stream=stream)
        assert float(f(x)) == float(n << 24)


def test_memory_of_numba_outlives_its_name(cuda: Any) -> None:
    given = cuda.to_device(numpy.arange(1 << 16, dtype="f4"))
    x = np.asarray(given)
    del given
    cuda.to_device(numpy.zeros(1 << 16, "f4"))
    assert numpy.array_equal(x, numpy.arange(1 << 16, dtype="f4"))


def test_memory_of_a_program_outlives_its_name(cuda: Any) -> None:
    x = sw.device_put(numpy.arange(1 << 16, dtype="f4"), CARD)
    given = cuda.as_cuda_array(x)
    del x
    sw.device_put(numpy.zeros(1 << 16, "f4"), CARD)
    assert numpy.array_equal(given.copy_to_host(), numpy.arange(1 << 16, dtype="f4"))


def test_what_is_not_row_major_is_refused(cuda: Any) -> None:
    given = cuda.to_device(numpy.zeros((4, 6), "f4"))
    with pytest.raises(sw.CallError, match="SW0422"):
        np.asarray(given[:, ::2])


def test_bf16_has_no_word() -> None:
    there = sw.device_put(np.ones(3).astype("bf16"), CARD)
    assert not hasattr(there, "__cuda_array_interface__")
