"""Arrays whose values are here: what they are, and how they go to NumPy and back without a copy."""

import copy
import pickle

import ml_dtypes
import numpy
import pytest

from stepwell import numpy as np
from stepwell.array import Array, asarray
from stepwell.compiling import jit
from stepwell.runtime.errors import CompileError


def test_an_array_of_numpy_is_not_copied() -> None:
    given = numpy.arange(6, dtype="f4").reshape(2, 3)
    assert numpy.shares_memory(asarray(given).value, given)
    assert numpy.shares_memory(numpy.asarray(asarray(given)), given)


def test_array_copies() -> None:
    given = numpy.zeros(3)
    made = np.array(given)
    given[0] = 1
    assert made.tolist() == [0, 0, 0]


def test_dlpack_goes_both_ways_without_a_copy() -> None:
    given = numpy.arange(6, dtype="i4")
    there = numpy.from_dlpack(asarray(given))
    assert numpy.shares_memory(there, given)
    back = np.from_dlpack(there)
    assert numpy.shares_memory(back.value, given)
    assert back.dtype == "i32"


class Old:
    """An array that is asked as before DLPack 1.0, which knows of nothing that is read-only."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def __dlpack__(self) -> object:
        return self.array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


def test_who_does_not_know_of_read_only_arrays_gets_a_copy() -> None:
    given = numpy.arange(3, dtype="f4")
    assert numpy.shares_memory(numpy.from_dlpack(Old(asarray(given))), given)
    given.flags.writeable = False
    there = numpy.from_dlpack(Old(asarray(given)))
    assert there.tolist() == [0, 1, 2]
    assert not numpy.shares_memory(there, given)


class OnlyDlpack:
    """An array of some other library."""

    def __init__(self, array: numpy.ndarray) -> None:
        self.array = array

    def __dlpack__(self, **options: object) -> object:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


def test_arrays_of_other_libraries_are_taken_by_dlpack() -> None:
    given = numpy.arange(3, dtype="f8")
    assert numpy.shares_memory(asarray(OnlyDlpack(given)).value, given)


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1, "i64", ()),
        (True, "bool", ()),
        (1.5, "f32", ()),
        ([1, 2], "i64", (2,)),
        ([[1.0], [2.0]], "f32", (2, 1)),
        (numpy.float64(2), "f64", ()),
        (numpy.ones(2, "u1"), "u8", (2,)),
        (numpy.ones((), "f4"), "f32", ()),
        (numpy.ones(1, ml_dtypes.bfloat16), "bf16", (1,)),
    ],
)
def test_asarray_knows_what_data_is(data: object, dtype: str, shape: tuple[int, ...]) -> None:
    array = asarray(data)
    assert (array.dtype, array.shape) == (dtype, shape)


def test_asarray_converts_as_programs_do() -> None:
    assert asarray([1e10, float("nan"), -2.7], "i32").tolist() == [2**31 - 1, 0, -2]
    assert asarray(numpy.ones(2, "i1"), "i32").dtype == "i32"


def test_strided_arrays_become_dense() -> None:
    given = numpy.arange(6).reshape(2, 3).T
    assert asarray(given).value.flags.c_contiguous
    assert asarray(given).tolist() == given.tolist()


def test_python_reads_values() -> None:
    assert float(asarray(1.5)) == 1.5
    assert int(asarray(3)) == 3
    assert bool(asarray(0)) is False
    assert asarray([2]).item() == 2
    assert [10, 20, 30][asarray(1)] == 20
    assert len(asarray([1, 2, 3])) == 3
    assert [x.item() for x in asarray([1, 2, 3])] == [1, 2, 3]
    assert asarray(5) in [asarray(4), asarray(5)]


def test_a_number_has_no_length() -> None:
    with pytest.raises(CompileError, match=r"SW0126: an array of the shape \[\] has no length"):
        len(asarray(1))


def test_arrays_print_their_values_and_dtype() -> None:
    assert repr(asarray([[1, 2], [3, 4]])) == "Array([[1, 2],\n       [3, 4]], i64)"
    assert repr(asarray(1.5)) == "Array(1.5, f32)"


def test_arrays_have_no_hash() -> None:
    with pytest.raises(TypeError, match="an Array is not hashable: == compares its elements"):
        hash(asarray(1))


def test_equality_is_by_element() -> None:
    assert (asarray([1, 2]) == asarray([1, 3])).tolist() == [True, False]
    assert (asarray([1, 2]) != 1).tolist() == [False, True]


def test_numpy_leaves_operators_to_the_array() -> None:
    left, right = numpy.arange(3.0), asarray([1.0, 1.0, 1.0], "f64")
    for result in (
        left + right,
        left * right,
        left < right,
        left @ right,
        numpy.float64(2) * right,
    ):
        assert isinstance(result, Array)


def test_numpy_functions_take_arrays() -> None:
    numpy.testing.assert_allclose(numpy.sin(asarray([0.0, 1.0])), [0, 0.841471], rtol=1e-6)


def test_arrays_are_copied_and_pickled() -> None:
    array = asarray([1.0, 2.0])
    assert copy.deepcopy(array).tolist() == [1, 2]
    assert pickle.loads(pickle.dumps(array)).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (asarray([[1, 2], [3, 4]]).T, [[1, 3], [2, 4]]),
        (asarray([[1, 2], [3, 4]]).reshape(-1), [1, 2, 3, 4]),
        (asarray([[1, 2], [3, 4]]).reshape(4, 1), [[1], [2], [3], [4]]),
        (asarray([[1, 2], [3, 4]]).flatten(), [1, 2, 3, 4]),
        (asarray([[1, 2], [3, 4]]).ravel(), [1, 2, 3, 4]),
        (asarray([[[1], [2]]]).squeeze(), [1, 2]),
        (asarray([[[1], [2]]]).squeeze(-1), [[1, 2]]),
        (asarray([[1, 2], [3, 4]]).sum(0), [4, 6]),
        (asarray([[1, 2], [3, 4]]).sum(axis=1, keepdims=True), [[3], [7]]),
        (asarray([[1, 2], [3, 4]]).prod(), 24),
        (asarray([[1, 2], [3, 4]]).mean((0, 1)), 2.5),
        (asarray([[1, 2], [3, 4]]).max(-1), [2, 4]),
        (asarray([[1, 2], [3, 4]]).min(), 1),
        (asarray([[1, 9], [3, 4]]).argmax(), 1),
        (asarray([[1, 9], [3, 4]]).argmax(1, keepdims=True), [[1], [1]]),
        (asarray([[1, 9], [3, 4]]).argmin(0), [0, 1]),
        (asarray([1.0, 3.0]).var(), 1),
        (asarray([[1.0, 3.0]]).std(1, ddof=1, keepdims=True), [[2**0.5]]),
        (asarray([[1, 2], [3, 4]]).cumsum(1), [[1, 3], [3, 7]]),
        (asarray([[1, 2], [3, 4]]).cumsum(), [1, 3, 6, 10]),
        (asarray([[1, 2], [3, 4]]).clip(2, max=3), [[2, 2], [3, 3]]),
        (asarray([1.0, 4.0]).clip(max=2), [1, 2]),
        (asarray([[1, 2], [3, 4]]).dot(asarray([1, 1])), [3, 7]),
        (asarray([1, 2]).dot(3), [3, 6]),
        (asarray([0.5, 1.5, -1.2]).round(), [0, 2, -1]),
        (round(asarray([0.26, 1.5]), 1), [numpy.float32(0.3), 1.5]),
        (round(asarray(2.5)), 2),
        (round(asarray([2**24 + 1]), 2), [2**24 + 1]),
        (round(asarray([25, 35, -25, 14, 126]), -1), [20, 40, -20, 10, 130]),
        (divmod(asarray([7, -7]), 2)[0], [3, -4]),
        (divmod(asarray([7, -7]), 2)[1], [1, 1]),
        (divmod(7, asarray([2, 4]))[1], [1, 3]),
        (asarray([0, 2]).astype("bool"), [False, True]),
        (asarray([0, 2]).any(), True),
        (asarray([0, 2]).all(), False),
        (asarray([[1, 2, 3]]).swapaxes(0, 1), [[1], [2], [3]]),
        (asarray([[1, 2, 3]]).transpose(1, 0), [[1], [2], [3]]),
        (asarray([[1, 2, 3]]).transpose((1, 0)), [[1], [2], [3]]),
        (asarray([5, -5]) % 3, [2, 1]),
        (7 % asarray([2, 4]), [1, 3]),
        (2 ** asarray([1, 3]), [2, 8]),
        (asarray([1, 2]) ** 2, [1, 4]),
        (asarray([4.0, 9.0]) ** 0.5, [2, 3]),
        (asarray([5, 6]) ^ asarray([3, 3]), [6, 5]),
        (~asarray([True, False]), [False, True]),
        (-abs(asarray([-1, 2])), [-1, -2]),
        (1 - asarray([1, 2]), [0, -1]),
        (asarray([[1, 2], [3, 4]]) @ asarray([1, 1]), [3, 7]),
    ],
)
def test_methods_and_operators(result: Array, expected: object) -> None:
    numpy.testing.assert_allclose(result, expected, rtol=1e-6)


def test_a_shape_with_two_open_sizes_or_that_does_not_divide_is_refused() -> None:
    with pytest.raises(CompileError, match="SW0125"):
        asarray([1, 2, 3]).reshape(2, -1)


def test_an_axis_must_be_there() -> None:
    with pytest.raises(CompileError, match="SW0123: axis 2 is not one of an array with 1 axes"):
        asarray([1]).sum(2)
    with pytest.raises(CompileError, match="SW0123: axis -1 is given twice"):
        asarray([[1]]).sum((1, -1))
    with pytest.raises(CompileError, match=r"SW0123: axis 0 .* has not the size 1"):
        asarray([1, 2]).squeeze(0)


def test_nobody_changes_an_array_from_outside() -> None:
    x = asarray([1.0, 2.0])
    for view in (numpy.asarray(x), numpy.from_dlpack(x)):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 3
    assert numpy.asarray(x, copy=True).flags.writeable


def test_a_copy_has_memory_of_its_own() -> None:
    data = numpy.zeros(2, "f4")
    shared = asarray(data)
    copied = shared.copy()
    data[0] = 1
    assert (shared.tolist(), copied.tolist()) == ([1, 0], [0, 0])
    assert jit(lambda x: x.copy() + 1)(shared).tolist() == [2, 1]


def test_the_memory_of_an_array() -> None:
    assert [asarray([1, 2], dtype).nbytes for dtype in ("bool", "bf16", "f64")] == [2, 4, 16]
