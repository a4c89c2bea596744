"""Keys of arrays: NumPy's rules, for sizes that are known and for sizes that are not."""

from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from drawing import examples
from stepwell import numpy as np
from stepwell.array import asarray
from stepwell.compiling import compile, jit
from stepwell.runtime.errors import CompileError
from stepwell.specs import spec

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)
FULL = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


def counted(shape: tuple[int, ...]) -> numpy.ndarray:
    return numpy.arange(numpy.prod(shape), dtype="i8").reshape(shape)


def same(actual: Any, expected: Any) -> None:
    numpy.testing.assert_array_equal(numpy.asarray(actual), expected, strict=True)


@st.composite
def basic(draw: st.DrawFn) -> tuple[numpy.ndarray, Any]:
    shape = draw(SHAPES)
    return counted(shape), draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=6))


@st.composite
def advanced(draw: st.DrawFn) -> tuple[numpy.ndarray, Any]:
    shape = draw(FULL)
    indices = draw(hnp.integer_array_indices(shape, dtype=numpy.dtype("i8")))
    return counted(shape), indices


@st.composite
def mixed(draw: st.DrawFn) -> tuple[numpy.ndarray, Any]:
    """Slices, numbers and one-dimensional arrays of indices, each for its axis."""
    shape = draw(FULL)
    length = draw(st.integers(1, 3))

    def part(size: int) -> st.SearchStrategy[Any]:
        place = st.integers(-size, size - 1)
        arrays = st.lists(place, min_size=length, max_size=length).map(numpy.array)
        return st.one_of(st.slices(size), place, arrays)

    return counted(shape), tuple(draw(part(size)) for size in shape)


@given(basic())
def test_basic_keys_pick_what_numpy_picks(case: tuple[numpy.ndarray, Any]) -> None:
    x, key = case
    same(asarray(x)[key], x[key])


@given(advanced())
def test_arrays_of_indices_pick_what_numpy_picks(case: tuple[numpy.ndarray, Any]) -> None:
    x, key = case
    same(asarray(x)[key], x[key])


@given(mixed())
def test_mixed_keys_pick_what_numpy_picks(case: tuple[numpy.ndarray, Any]) -> None:
    x, key = case
    same(asarray(x)[key], x[key])


@given(basic())
def test_at_replaces_what_a_basic_key_picks(case: tuple[numpy.ndarray, Any]) -> None:
    x, key = case
    expected = x.copy()
    expected[key] = -1
    same(asarray(x).at[key].set(-1), expected)
    expected = x.copy()
    expected[key] += x[key] * 2
    same(asarray(x).at[key].add(asarray(x)[key] * 2), expected)


@given(mixed())
def test_at_replaces_what_a_mixed_key_picks(case: tuple[numpy.ndarray, Any]) -> None:
    x, key = case
    update = -1 - counted(x[key].shape)
    expected = x.copy()
    expected[key] = update
    same(asarray(x).at[key].set(update), expected)
    expected = x.copy()
    numpy.add.at(expected, key, update)
    same(asarray(x).at[key].add(update), expected)


@pytest.mark.parametrize("dtype", ["bool", "u8", "f32", "bf16"])
def test_at_keeps_the_dtype(dtype: str) -> None:
    x = np.zeros(4, dtype)
    assert x.at[[1, 1, 3]].set(np.asarray([0, 1, 1], "i32").astype(dtype)).dtype == dtype
    assert x.at[[1, 3]].set(True).astype("i32").tolist() == [0, 1, 0, 1]


def test_the_last_of_several_values_for_a_place_stays() -> None:
    assert np.zeros(3).at[[1, 1, 0, 1]].set(asarray([1.0, 2.0, 3.0, 4.0])).tolist() == [3, 4, 0]


def test_set_writes_special_values_as_they_are() -> None:
    values = numpy.array([-0.0, numpy.inf, numpy.nan], "f4")
    result = numpy.asarray(np.ones(3).at[[2, 0, 1]].set(values))
    numpy.testing.assert_array_equal(result, values[[1, 2, 0]])
    assert numpy.signbit(result[2])


KEYS: list[Any] = [
    numpy.s_[:2],
    numpy.s_[1:],
    numpy.s_[-2:],
    numpy.s_[:-1],
    numpy.s_[::2],
    numpy.s_[1::2],
    numpy.s_[::-1],
    numpy.s_[-2::-2],
    numpy.s_[5:1:-1],
    numpy.s_[:, None, ..., -1],
    numpy.s_[:, 0],
    numpy.s_[..., 1:3],
    numpy.s_[1:-1, ::-1],
    numpy.s_[:, [2, 0, -1]],
    numpy.s_[None],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_keys_of_unknown_sizes(key: Any) -> None:
    program = compile(lambda x: x[key], spec("i64[B, 4]"))
    for size in (0, 1, 2, 3, 7):
        x = counted((size, 4))
        same(program(x), x[key])


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_writing_at_keys_of_unknown_sizes(key: Any) -> None:
    program = compile(lambda x: x.at[key].set(-1), spec("i64[B, 4]"))
    for size in (0, 1, 2, 3, 7):
        x = counted((size, 4))
        expected = x.copy()
        expected[key] = -1
        same(program(x), expected)


def test_a_range_settles_what_a_key_picks() -> None:
    program = compile(lambda x: (x[0], x[-1], x[:2], x[x.shape[0] - 1]), spec("i64[B: 2.., 4]"))
    x = counted((3, 4))
    for actual, expected in zip(program(x), (x[0], x[-1], x[:2], x[2]), strict=True):
        same(actual, expected)
    assert "min" not in program.ir("tensor")


def test_a_number_that_may_be_out_of_range_is_refused_with_the_range_that_settles_it() -> None:
    with pytest.raises(CompileError) as caught:
        compile(lambda x: x[:, 2], spec("f32[B, S]"))
    assert caught.value.sentence == "index 2 may be out of range for axis 1 of the shape [B, S]"
    assert caught.value.hint == "give the size its range in the spec: S: 3.."


@jit
def picked(x: Any, i: Any) -> Any:
    return x[i], x[:, i], x.at[i, 1:].set(-1), x.at[:, i].add(x[:, 0])


@pytest.mark.parametrize("i", [0, 2, -1])
def test_an_index_that_is_computed(i: int) -> None:
    x = counted((3, 4))
    row, column, replaced, added = picked(x, asarray(i))
    same(row, x[i])
    same(column, x[:, i])
    expected = x.copy()
    expected[i, 1:] = -1
    same(replaced, expected)
    expected = x.copy()
    expected[:, i] += x[:, 0]
    same(added, expected)


def test_computed_indices_are_moved_into_range() -> None:
    x = counted((3, 4))
    same(picked(x, asarray(7))[0], x[2])
    same(picked(x, asarray(-9))[0], x[0])


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (3, "index 3 is out of range for axis 0 of the shape [3, 4]"),
        ((0, -5), "index -5 is out of range for axis 1 of the shape [3, 4]"),
        ([0, 3], "index 3 is out of range for axis 0 of size 3"),
        ((0, 0, 0), "the key of an array has 3 indices for 2 axes"),
        ((..., ...), "the key of an array has more than one `...`"),
        (1.5, "the key of an array has the index 1.5"),
        ("a", "the key of an array has the index 'a'"),
        (slice(None, None, 0), "the key of an array has a slice with step 0"),
        ([0.5], "the key of an array has an index array of f32"),
        (
            [True, False, True],
            "an array of booleans as an index gives a shape that depends on its values",
        ),
        (
            numpy.ones((3, 4), bool),
            "an array of booleans as an index gives a shape that depends on its values",
        ),
        (
            asarray([True, False, True]),
            "an array of booleans as an index gives a shape that depends on its values",
        ),
        (True, "an array of booleans as an index gives a shape that depends on its values"),
    ],
    ids=str,
)
def test_keys_that_are_refused(key: Any, sentence: str) -> None:
    with pytest.raises(CompileError) as caught:
        asarray(counted((3, 4)))[key]
    assert caught.value.sentence == sentence
    assert caught.value.where is not None
    assert caught.value.where.file == __file__


@examples(10)
@given(basic())
def test_compiled_keys_pick_what_numpy_picks(case: tuple[numpy.ndarray, Any]) -> None:
    x, key = case
    same(jit(lambda x: x[key])(x), x[key])


def test_each_of_several_unknown_indices_stays_in_its_own_axis() -> None:
    x = numpy.arange(12, dtype=numpy.float32).reshape(3, 4)
    row, far = numpy.array([0, 2]), numpy.array([5, 1])
    read = jit(lambda x, i, j: x[i, j])
    assert read(x, row, far).tolist() == [3, 9]
    assert read(x, row - 3, far - 9).tolist() == [0, 8]
    for changed in (
        jit(lambda x, i, j: x.at[i, j].set(-1.0))(x, row, far),
        jit(lambda x, i, j: x.at[i, j].add(-10.0))(x, row, far),
    ):
        assert numpy.argwhere(numpy.asarray(changed) != x).tolist() == [[2, 1]]
