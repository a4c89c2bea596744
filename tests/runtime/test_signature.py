"""Calls: arguments are bound by position or name, and whatever does not fit is named."""

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from stepwell.runtime.entry import Argument, SizeRange
from stepwell.runtime.errors import CallError, LoadError
from stepwell.runtime.signature import Signature
from stepwell.runtime.symbols import Symbols
from stepwell.runtime.tree import Fields, Items, Leaf

ANY = SizeRange("B"), SizeRange("S")


@pytest.fixture
def signature(make):
    """The signature of a function f of some arrays."""
    return lambda **inputs: Signature("f", make.entry("f", inputs, {"y": "f32[]"}, sizes=ANY))


@pytest.fixture
def solve(make):
    """The symbols' values for a call of a function with some sizes and arrays."""

    def solve(inputs, shapes, sizes=ANY, others=()):
        used = [each for each in sizes if any(each.name in text for text in inputs.values())]
        entry = make.entry("f", inputs, {}, sizes=used, others=others, outputs=Items("tuple", ()))
        return Symbols("f", entry).solve([np.empty(shape, np.float32) for shape in shapes])

    return solve


def refusal(function, *args, **kwargs):
    with pytest.raises(CallError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


def bound(signature, *args, **kwargs):
    return signature.bind(args, kwargs)


X, W = np.float32([1, 2]), np.float32([3])


def test_arguments_go_by_position_or_by_name(signature):
    f = signature(x="f32[2]", w="f32[1]")
    for args, kwargs in [((X, W), {}), ((X,), {"w": W}), ((), {"w": W, "x": X})]:
        found = f.bind(args, kwargs)
        assert found[0] is X
        assert found[1] is W


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ((), {}, "missing x, w"),
        ((X,), {}, "missing w"),
        ((), {"w": W}, "missing x"),
        ((X, W, X), {}, "expected 2 arguments, got 3"),
        ((X,), {"v": W}, "there is no argument v"),
        ((X, W), {"x": X}, "argument x is given twice"),
    ],
)
def test_wrong_names_are_refused(signature, args, kwargs, reason):
    f = signature(x="f32[2]", w="f32[1]")
    assert refusal(bound, f, *args, **kwargs) == (
        f"SW0401: f: {reason}\n  signature: f(x: f32[2], w: f32[1]) -> f32[]"
    )


def test_arguments_go_by_the_names_of_their_leaves(signature):
    f = signature(x="f32[2]", w="f32[1]")
    found = f.bind_leaves({"w": W, "x": X})
    assert found[0] is X
    assert found[1] is W
    text = "\n  signature: f(x: f32[2], w: f32[1]) -> f32[]"
    assert refusal(f.bind_leaves, {"w": W}) == f"SW0401: f: missing x{text}"
    assert refusal(f.bind_leaves, {"v": W}) == f"SW0401: f: there is no argument v{text}"


def test_a_long_signature_is_cut_in_its_repr(signature):
    assert repr(signature(x="f32[2]")) == "f(x: f32[2]) -> f32[]"
    long = signature(**{f"argument{number}": "f32[2]" for number in range(20)})
    assert repr(long) == f"{str(long)[:99]}…"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (np.zeros((3, 784)), "float64 array of shape (3, 784)"),
        (np.zeros((3, 784), ">f4"), ">f4 array of shape (3, 784)"),
        (np.zeros((3, 784), np.int64), "int64 array of shape (3, 784)"),
        (np.zeros(784, np.float32), "float32 array of shape (784,)"),
        (np.float32(1), "float32 array of shape ()"),
        (np.array(["a"]), "<U1 array of shape (1,)"),
        ([[1.0]], "list"),
        (None, "NoneType"),
        ("x", "str"),
        (1.5, "float 1.5"),
    ],
)
def test_what_is_not_the_array_is_refused(signature, value, found):
    f = signature(x="f32[B,784]")
    assert refusal(bound, f, value) == f"SW0402: x: expected f32[B,784], got {found}"


def test_arrays_are_copied_only_if_they_have_gaps(signature):
    f = signature(x="f32[2,3]")
    dense, gaps = np.ones((2, 3), np.float32), np.ones((3, 2), np.float32).T
    misplaced = np.zeros(25, np.uint8)[1:].view(np.float32).reshape(2, 3)
    assert bound(f, dense)[0] is dense
    for array in (gaps, np.ones((2, 6), np.float32)[:, ::2], misplaced):
        (found,) = bound(f, array)
        assert found.flags.c_contiguous
        assert found.flags.aligned
        np.testing.assert_array_equal(found, array)


def test_arrays_of_other_libraries_are_taken(signature):
    class Foreign:
        def __array__(self, dtype=None, copy=None):
            return X

    assert bound(signature(x="f32[2]"), Foreign())[0] is X


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("bool", True),
        ("u8", 255),
        ("i64", -(2**63)),
        ("f32", 1.5),
        ("f64", 2),
        ("bf16", 3),
        ("f16", float("inf")),
        ("i32", np.int32(5)),
    ],
)
def test_numbers_stand_for_arrays_without_axes(signature, dtype, value):
    f = signature(n=f"{dtype}[]")
    (found,) = bound(f, value)
    assert found.shape == ()
    assert found.dtype == f.entry.arguments[0].type.dtype.numpy
    assert found == value


@pytest.mark.parametrize(
    ("dtype", "value", "sentence"),
    [
        ("u8", 300, "SW0406: n: 300 does not fit u8"),
        ("u8", -1, "SW0406: n: -1 does not fit u8"),
        ("f32", 1e300, "SW0406: n: 1e+300 does not fit f32"),
        ("bf16", 1e300, "SW0406: n: 1e+300 does not fit bf16"),
        ("f16", 65520, "SW0406: n: 65520 does not fit f16"),
        ("f64", 10**400, f"SW0406: n: {10**400} does not fit f64"),
        ("i32", 1.0, "SW0402: n: expected i32[], got float 1.0"),
        ("f32", True, "SW0402: n: expected f32[], got bool True"),
        ("bool", 1, "SW0402: n: expected bool[], got int 1"),
        ("f32", np.float64(1), "SW0402: n: expected f32[], got float64 array of shape ()"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(signature, dtype, value, sentence):
    assert refusal(bound, signature(n=f"{dtype}[]"), value) == sentence


def test_nested_arguments_become_leaves(make):
    inputs = {"params['b']": "f32[1]", "params['w']": "f32[2]", "x": "bf16[]"}
    entry = replace(
        make.entry("f", inputs, {"y": "f32[2]", "z": "f32[]"}),
        parameters=("x", "params"),
        inputs=Items("tuple", (Leaf(2), Fields({"b": Leaf(0), "w": Leaf(1)}))),
        outputs=Items("list", (Leaf(1), Fields({"y": Leaf(0)}))),
    )
    f = Signature("f", entry)
    x = ml_dtypes.bfloat16(1)
    b, w, number = bound(f, x, {"w": X, "b": W})
    assert b is W
    assert w is X
    assert number == x
    assert str(f) == "f(x: bf16[], params: {b: f32[1], w: f32[2]}) -> [f32[], {y: f32[2]}]"
    assert refusal(bound, f, x, params={"w": X, "c": W}) == (
        "SW0405: params: expected the keys b, w, got the keys w, c"
    )
    assert refusal(bound, f, x, {"w": 1, "b": W}) == (
        "SW0402: params['w']: expected f32[2], got int 1"
    )


@pytest.mark.parametrize(
    ("inputs", "shapes", "values"),
    [
        ({"x": "f32[B,784]"}, [(3, 784)], {"B": 3}),
        ({"x": "f32[B]", "y": "f32[B,S]"}, [(0,), (0, 1)], {"B": 0, "S": 1}),
        ({"x": "f32[2*B + 1]"}, [(7,)], {"B": 3}),
        ({"x": "f32[B*S]", "y": "f32[B]"}, [(12,), (3,)], {"B": 3, "S": 4}),
        ({"x": "f32[floordiv(B, 2),B]"}, [(3, 7)], {"B": 7}),
        ({"x": "f32[B + S]", "y": "f32[3*B]"}, [(5,), (6,)], {"B": 2, "S": 3}),
    ],
)
def test_symbols_are_found_in_shapes(solve, inputs, shapes, values):
    assert solve(inputs, shapes) == values


@pytest.mark.parametrize(
    ("inputs", "shapes", "sentence"),
    [
        ({"x": "f32[B,9]"}, [(3, 7)], "x: expected f32[B,9], got float32 array of shape (3, 7)"),
        ({"x": "f32[B,B]"}, [(3, 4)], "x: expected f32[B,B], got float32 array of shape (3, 4)"),
        ({"x": "f32[2*B]"}, [(7,)], "x: expected f32[2*B], got float32 array of shape (7,)"),
        ({"x": "f32[B + 4]"}, [(3,)], "x: expected f32[B + 4], got float32 array of shape (3,)"),
        ({"x": "f32[B,9]", "y": "f32[B,8]"}, [(3, 9), (4, 8)],
         "y: expected f32[B,8] with B = 3, got float32 array of shape (4, 8)"),
        ({"x": "f32[B]", "y": "f32[S]", "z": "f32[B*S]"}, [(3,), (4,), (13,)],
         "z: expected f32[B*S] with B = 3 and S = 4, got float32 array of shape (13,)"),
        ({"x": "f32[B]", "y": "f32[floordiv(8, B)]"}, [(0,), (8,)],
         "y: expected f32[floordiv(8, B)] with B = 0, got float32 array of shape (8,)"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_agree_are_refused(solve, inputs, shapes, sentence):
    assert refusal(solve, inputs, shapes) == f"SW0402: {sentence}"


def test_sizes_out_of_range_are_refused(solve):
    sizes = [SizeRange("B", 1, 64), SizeRange("S", 2)]
    assert refusal(solve, {"x": "f32[B,784]"}, [(65, 784)], sizes) == (
        "SW0403: x: expected f32[B,784] with B in 1..64, got float32 array of shape (65, 784)"
    )
    assert refusal(solve, {"x": "f32[2*S]"}, [(2,)], sizes) == (
        "SW0403: x: expected f32[2*S] with S in 2.., got float32 array of shape (2,)"
    )
    assert solve({"x": "f32[B,S]"}, [(64, 2)], sizes) == {"B": 64, "S": 2}


def test_a_size_that_is_multiplied_by_zero_is_unknown(solve):
    assert refusal(solve, {"x": "f32[B*S]", "y": "f32[B]"}, [(0,), (0,)]) == (
        "SW0404: f: no shape tells S in this call"
    )


def test_a_size_that_no_shape_determines_is_refused_at_once(solve):
    for text in ("f32[B*B]", "f32[floordiv(B, 2)]", "f32[B*S]", "f32[min(B, 4)]"):
        with pytest.raises(LoadError) as caught:
            solve({"x": text}, [(4,)])
        assert str(caught.value) == "SW0307: f: no argument's shape determines B"


def test_states_tell_sizes_too(make, solve):
    cache = Argument("state", "cache", make.type("f32[S]"), "ab")
    assert solve({"x": "f32[B + S]"}, [(5,), (2,)], others=[cache]) == {"B": 3, "S": 2}
