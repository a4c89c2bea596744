"""The dtype of a result: the tables of the array API standard, and NEP 50 for Python's numbers."""

import itertools

import ml_dtypes
import numpy
import pytest

from stepwell import numpy as np
from stepwell.array import asarray, promoted
from stepwell.promotion import dtype_name, promote
from stepwell.runtime.dtypes import BY_NAME
from stepwell.runtime.errors import CompileError

INTEGERS = ("u8", "i8", "i32", "i64")
FLOATS = ("f16", "bf16", "f32", "f64")


@pytest.mark.parametrize(("a", "b"), [*itertools.product(("bool", *INTEGERS), repeat=2)])
def test_integers_promote_as_in_the_standard(a: str, b: str) -> None:
    expected = numpy.promote_types(BY_NAME[a].numpy, BY_NAME[b].numpy)
    if {a, b} == {"i8", "u8"}:
        assert (expected, promote([a, b])) == (numpy.int16, "i32"), "of i16 there is none"
        return
    assert BY_NAME[promote([a, b])].numpy == expected


@pytest.mark.parametrize(("a", "b"), [*itertools.product(FLOATS, repeat=2)])
def test_floats_promote_to_one_that_holds_both(a: str, b: str) -> None:
    expected = ml_dtypes.finfo(BY_NAME[promote([a, b])].numpy)
    for dtype in (a, b):
        limits = ml_dtypes.finfo(BY_NAME[dtype].numpy)
        assert expected.nmant >= limits.nmant
        assert expected.maxexp >= limits.maxexp


def test_the_two_short_floats_meet_in_f32() -> None:
    assert promote(["f16", "bf16"]) == "f32"


@pytest.mark.parametrize(("a", "b"), [*itertools.product(INTEGERS, FLOATS)])
def test_integer_and_float_arrays_do_not_mix(a: str, b: str) -> None:
    for pair in ([a, b], [b, a]):
        with pytest.raises(CompileError, match="SW0104"):
            promote(pair)


@pytest.mark.parametrize("dtype", FLOATS)
def test_booleans_take_the_dtype_they_meet(dtype: str) -> None:
    assert promote(["bool", dtype]) == promote([dtype, "bool"]) == dtype


@pytest.mark.parametrize("dtype", [*INTEGERS, "f16", "f32", "f64"])
@pytest.mark.parametrize("number", [True, 3, 2.5], ids=["bool", "int", "float"])
def test_python_numbers_are_weak(dtype: str, number: bool | int | float) -> None:
    array = numpy.ones(2, BY_NAME[dtype].numpy)
    result = asarray(array) + number
    if dtype in INTEGERS and isinstance(number, float):
        assert result.dtype == "f32", "the default float, where NumPy has f64"
    else:
        assert BY_NAME[result.dtype].numpy == (array + number).dtype


@pytest.mark.parametrize(
    ("numbers", "dtype"), [((True, False), "bool"), ((1, True), "i64"), ((1, 2.0), "f32")]
)
def test_python_numbers_among_themselves_have_the_default_dtypes(
    numbers: tuple[float, ...], dtype: str
) -> None:
    assert promoted(*numbers)[0].dtype == dtype
    assert np.maximum(*numbers).dtype == dtype


def test_numbers_of_numpy_have_a_dtype_though_some_are_python_floats() -> None:
    assert (asarray(numpy.ones(2, "f4")) + numpy.float64(1)).dtype == "f64"
    assert (numpy.float64(1) + asarray(numpy.ones(2, "f4"))).dtype == "f64"


def test_values_never_count() -> None:
    assert (asarray(numpy.zeros(1, "i4")) + asarray(numpy.int64(1))).dtype == "i64"
    assert (asarray(numpy.zeros(1, "u1")) + 255).dtype == "u8"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("f32", "f32"),
        ("float32", "f32"),
        (numpy.float32, "f32"),
        (numpy.dtype("<i8"), "i64"),
        (ml_dtypes.bfloat16, "bf16"),
        ("bfloat16", "bf16"),
        (bool, "bool"),
        (int, "i64"),
        (float, "f32"),
        (np.uint8, "u8"),
        (np.int8, "i8"),
    ],
)
def test_dtypes_have_many_spellings(given: object, name: str) -> None:
    assert dtype_name(given) == name


@pytest.mark.parametrize(
    ("function", "dtypes"),
    [
        (
            np.sum,
            {"bool": "i64", "u8": "i64", "i8": "i64", "i32": "i64", "f16": "f16", "f32": "f32"},
        ),
        (np.prod, {"u8": "i64", "f64": "f64"}),
        (np.cumsum, {"i32": "i64", "bf16": "bf16"}),
        (np.mean, {"i32": "f32", "f16": "f16", "f64": "f64"}),
        (np.var, {"u8": "f32", "bf16": "bf16"}),
        (np.max, {"u8": "u8", "i8": "i8", "bool": "bool"}),
        (np.argmax, {"f32": "i64", "u8": "i64"}),
        (np.exp, {"i64": "f32", "f64": "f64"}),
        (np.floor, {"i32": "i32", "f16": "f16"}),
        (np.isnan, {"f32": "bool", "i64": "bool"}),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_functions_have_the_dtypes_of_the_standard(
    function: object, dtypes: dict[str, str]
) -> None:
    assert callable(function)
    for given, expected in dtypes.items():
        assert function(np.ones((2, 3), given)).dtype == expected


def test_the_quotient_of_integers_is_a_float() -> None:
    assert (asarray([1, 2]) / 2).dtype == "f32"
    assert (asarray([7, -7]) // 2).tolist() == [3, -4]
