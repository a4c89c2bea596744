"""Safetensors: what is written is read back without copying, and a malformed header is refused."""

import json
from itertools import permutations

import numpy as np
import pytest

from stepwell.runtime import safetensors
from stepwell.runtime.dtypes import BY_NAME, BY_SAFETENSORS, DTYPES
from stepwell.runtime.errors import LoadError

BF16 = BY_NAME["bf16"].numpy


def parse(data):
    return safetensors.parse(memoryview(data), "w.safetensors")


def refusal(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    with pytest.raises(LoadError) as caught:
        parse(len(text).to_bytes(8, "little") + text + body)
    return str(caught.value)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 5), (2, 3, 5)])
def test_every_dtype_and_shape_comes_back(dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype.numpy)
    (found,) = parse(safetensors.serialize({"a": array})).values()
    assert found.dtype == dtype.numpy
    assert found.shape == shape
    np.testing.assert_array_equal(found, array)


def test_special_values_keep_their_bits():
    values = np.array([np.nan, -0.0, np.inf, -np.inf, 1e-40], np.float32)
    for array in (values, values.astype(BF16), values.astype(np.float16)):
        found = parse(safetensors.serialize({"a": array}))["a"]
        assert found.tobytes() == array.tobytes()


def test_strided_arrays_are_written_row_major():
    array = np.arange(12, dtype=np.int32).reshape(3, 4).T
    np.testing.assert_array_equal(parse(safetensors.serialize({"a": array}))["a"], array)


def test_reading_copies_nothing_and_cannot_write():
    data = bytearray(safetensors.serialize({"a": np.zeros(4, np.float32)}))
    found = parse(data)["a"]
    data[-1] = 0x3F
    assert found[-1] == 0.5
    assert not found.flags.writeable


def test_equal_arrays_give_equal_bytes():
    arrays = {"x": np.ones(3, np.uint8), "y": np.ones(16, np.float32), "z": np.ones((), np.float64)}
    files = {safetensors.serialize(dict(order)) for order in permutations(arrays.items())}
    assert len(files) == 1


def test_data_and_whole_cache_lines_are_aligned():
    arrays = {
        "a": np.ones(1, np.uint8),
        "b": np.ones(16, np.float32),
        "c": np.ones(3, np.float64),
        "d": np.ones((8, 32), BF16),
    }
    data = np.frombuffer(safetensors.serialize(arrays), np.uint8)
    padded = np.zeros(data.size + 64, np.uint8)
    start = -padded.ctypes.data % 64
    padded[start : start + data.size] = data
    found = parse(memoryview(padded)[start : start + data.size])
    assert [found[name].ctypes.data % 64 for name in "bd"] == [0, 0]
    assert all(array.ctypes.data % array.itemsize == 0 for array in found.values())


def test_the_header_of_another_writer_is_read():
    header = {
        "__metadata__": {"format": "pt"},
        "late": {"dtype": "U8", "shape": [2], "data_offsets": [4, 6]},
        "early": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
    }
    text = json.dumps(header).encode() + b"   "
    body = np.float32(1.5).tobytes() + b"\7\x08"
    found = parse(len(text).to_bytes(8, "little") + text + body)
    assert found["early"] == 1.5
    assert found["late"].tolist() == [7, 8]


MISFIT = "the bytes of a do not fit its shape, or leave a gap"


def entry(**changes):
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (b"{", "it is not JSON"),
        (b"[]", "expected an object, got []"),
        ({"a": 1}, "a: expected an object, got 1"),
        (entry(dtype="F33"), f'a.dtype: expected {" or ".join(BY_SAFETENSORS)}, got "F33"'),
        (entry(shape="2"), 'a.shape: expected a list, got "2"'),
        (entry(shape=[-2]), "a.shape[0]: expected a whole number of 0 or more, got -2"),
        (entry(shape=[2.0]), "a.shape[0]: expected a whole number of 0 or more, got 2.0"),
        (entry(shape=[0, 2**62]), f"a.shape: expected a shape that NumPy allows, got [0, {2**62}]"),
        (entry(data_offsets=[0]), "a.data_offsets: expected the begin and the end, got [0]"),
    ],
)
def test_a_wrong_field_of_the_header_is_named(header, sentence):
    assert refusal(header, bytes(8)) == f"SW0307: w.safetensors: {sentence}"


@pytest.mark.parametrize(
    ("header", "size", "reason"),
    [
        (entry(shape=[3]), 8, MISFIT),
        (entry(), 7, MISFIT),
        (entry(data_offsets=[4, 12]), 12, MISFIT),
        (entry(data_offsets=[8, 0]), 8, MISFIT),
        (entry(), 9, "1 bytes follow the last array"),
    ],
)
def test_arrays_must_fill_the_file(header, size, reason):
    expected = f"SW0313: w.safetensors is not a safetensors file: {reason}"
    assert refusal(header, bytes(size)) == expected


@pytest.mark.parametrize("data", [b"", b"\1\2\3", (9).to_bytes(8, "little") + b"{}"])
def test_a_header_longer_than_the_file_is_refused(data):
    with pytest.raises(LoadError) as caught:
        parse(data)
    assert caught.value.sentence == (
        "w.safetensors is not a safetensors file: its header is longer than the file"
    )
