"""Weights are equal where their dtypes, shapes and bytes are, and are hashed for text and files."""

import hashlib

import ml_dtypes
import numpy as np
import pytest

from stepwell.compiler.dialects.nd import PART, Weight

LONG = np.arange(PART, dtype=np.float32)


def changed(at: int) -> np.ndarray:
    result = LONG.copy()
    result[at] += 1
    return result


def test_equal_bytes_are_one_weight() -> None:
    one, other = Weight(values=LONG), Weight(values=LONG.copy())
    assert one == other
    assert hash(one) == hash(other)
    assert one.sha == other.sha
    assert len({one, other, Weight(values=np.array([1.0]))}) == 2


@pytest.mark.parametrize("at", [0, 1, 4095, 4096, PART // 4 - 1, PART // 4, -2, -1])
def test_any_other_element_is_another(at: int) -> None:
    assert Weight(values=LONG) != Weight(values=changed(at))
    assert Weight(values=LONG).sha != Weight(values=changed(at)).sha


def test_dtypes_shapes_and_signs_of_zero_count() -> None:
    zeros = [
        np.zeros(4, "f4"),
        np.zeros(4, "i4"),
        np.zeros((2, 2), "f4"),
        -np.zeros(4, "f4"),
        np.zeros(0, "f4"),
        np.zeros((), "f4"),
        np.zeros(4, ml_dtypes.bfloat16),
        np.zeros(4, "f2"),
        np.zeros(4, bool),
    ]
    weights = [Weight(values=zero) for zero in zeros]
    assert len(set(weights)) == len({each.sha for each in weights}) == len(zeros)
    assert Weight(values=np.full(3, np.nan)) == Weight(values=np.full(3, np.nan))


def test_the_hash_is_of_dtype_shape_and_bytes() -> None:
    digest = hashlib.sha256(b"float32(2, 3)" + bytes(24)).hexdigest()
    assert Weight(values=np.zeros((2, 3), "f4")).sha == digest
    assert Weight(values=np.zeros((3, 2), "f4").T).sha == digest
    assert Weight(digest) == Weight(digest) != Weight(values=np.zeros((2, 3), "f4"))


def test_a_weight_that_is_moved_is_made_when_it_is_asked_for() -> None:
    source = Weight(values=np.arange(24, dtype=np.float32).reshape(4, 6))
    moves = (("reshape", (4, 2, 3)), ("transpose", (1, 0, 2)))
    moved = source.moved(moves)
    assert moved is source.moved(moves)
    assert source.moved(()) is source
    assert moved == Weight(values=source.values.copy()).moved(moves) != source
    assert moved != source.moved(moves[:1])
    expected = np.arange(24, dtype=np.float32).reshape(4, 2, 3).transpose(1, 0, 2)
    np.testing.assert_array_equal(moved.values, expected)
    assert moved.values.flags.c_contiguous
    assert moved.sha == Weight(values=expected).sha


def test_a_moved_weight_without_values() -> None:
    parsed = Weight("ab12").moved((("transpose", (1, 0)),))
    assert parsed.values is None
    assert parsed == Weight("ab12").moved((("transpose", (1, 0)),)) != Weight("ab12")
