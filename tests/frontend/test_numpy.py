"""`stepwell.numpy` beside NumPy: equal expressions give equal numbers, eagerly and compiled."""

import math
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import stepwell.numpy
from drawing import examples
from stepwell.array import Array, asarray
from stepwell.compiling import compile, jit
from stepwell.runtime.errors import CompileError
from stepwell.specs import spec

rng = numpy.random.default_rng(7)
NAMES: dict[str, Any] = {
    "x": rng.normal(size=(3, 4)).astype("f4"),
    "y": rng.normal(size=(3, 4)).astype("f4"),
    "v": rng.normal(size=4).astype("f4"),
    "w": rng.normal(size=(2, 3, 4)).astype("f4"),
    "m": rng.normal(size=(4, 5)).astype("f4"),
    "q": rng.normal(size=(4, 4)).astype("f4"),
    "p": rng.uniform(0.1, 3, size=(3, 4)).astype("f4"),
    "h": numpy.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.3, 1e9], "f4"),
    "s": numpy.array([0.0, numpy.inf, -numpy.inf, numpy.nan, -1.0], "f4"),
    "t": numpy.array([0, 1e-8, -1e-8, 1e-3, -1e-3, 0.5, -0.5, 3, 20, 88], "f4"),
    "i": rng.integers(-9, 9, size=(3, 4)),
    "j": rng.integers(1, 9, size=(3, 4)),
    "k": numpy.array([2, 0, -1]),
    "b": rng.normal(size=(3, 4)) > 0,
    "c": rng.normal(size=(3, 4)) > 0,
    "z": numpy.ones((0, 4), "f4"),
}
"""Arrays by the names that the expressions use."""

ELEMENTWISE = """
np.add(x, y) | np.subtract(x, v) | np.multiply(x, 2) | np.divide(x, p) | np.true_divide(i, 1) - 0
np.floor_divide(i, j) | np.floor_divide(x, p) | np.mod(i, j) | np.remainder(i, -j) | np.mod(x, p)
np.power(p, y) | np.pow(p, 2) | np.power(2.0, x) | np.power(i, 3) | np.negative(x)
np.positive(x)
np.abs(x) | np.absolute(i) | np.sign(x) | np.square(x) | np.reciprocal(p)
np.equal(i, j) | np.not_equal(i, j) | np.less(x, y) | np.less_equal(i, j) | np.greater(x, 0)
np.greater_equal(i, 3) | np.isnan(s) | np.isfinite(s) | np.isinf(s) | np.isnan(i) | np.isfinite(i)
np.isclose(x, x + 1e-7) | np.isclose(s, s, equal_nan=True) | np.isclose(s, 1) | np.nan_to_num(s)
np.nan_to_num(s, nan=1, posinf=2, neginf=3) | np.nan_to_num(i)
np.maximum(x, y) | np.minimum(x, 0.5) | np.clip(x, -0.5, 0.5) | np.clip(x, None, v)
np.where(b, x, y) | np.where(x > 0, x, 0) | np.where(b, 1, i)
np.exp(x) | np.exp2(x) | np.expm1(t) | np.log(p) | np.log1p(t) | np.log2(p) | np.log10(p)
np.log(s) | np.sqrt(s) | np.logaddexp(x, y) | np.logaddexp(s, s) | np.sqrt(p)
np.sin(x) | np.cos(x) | np.tan(x) | np.tanh(x) | np.sinh(t) | np.cosh(x)
np.floor(x) | np.ceil(x) | np.trunc(x) | np.round(h) | np.rint(h) | np.round(x, 2) | np.floor(i)
np.logical_and(b, c) | np.logical_or(i, c) | np.logical_xor(b, c) | np.logical_not(i)
np.bitwise_and(i, j) | np.bitwise_or(i, 3) | np.bitwise_xor(i, j) | np.bitwise_invert(i)
np.invert(b) | np.bitwise_left_shift(i, j) | np.left_shift(3, j) | np.bitwise_right_shift(i, 70)
np.right_shift(i, j) | i << j | i >> 1 | 3 << j | -1000 >> j
"""
REDUCTIONS = """
np.sum(x) | np.sum(x, axis=0) | np.sum(w, axis=(0, -1)) | np.sum(x, axis=1, keepdims=True)
np.sum(b)
np.sum(z, axis=0) | np.prod(x, axis=1) | np.prod(z, axis=0) | np.mean(x) | np.mean(w, axis=(0, 1))
np.var(x) | np.var(x, axis=1, ddof=1) | np.std(w, axis=1, keepdims=True) | np.max(x, axis=0)
np.min(i)
np.max(s) | np.any(b) | np.any(i > 8, axis=1) | np.all(b, axis=0, keepdims=True) | np.any(z)
np.all(z)
np.argmax(x) | np.argmax(x, axis=1) | np.argmin(x, axis=0) | np.argmin(i, axis=1, keepdims=True)
np.argmax(s) | np.cumsum(x) | np.cumsum(w, axis=1) | np.cumsum(b, axis=0)
np.count_nonzero(b, axis=1)
"""
MANIPULATION = """
np.reshape(w, (4, -1)) | np.ravel(x) | np.transpose(w) | np.transpose(w, (1, 2, 0))
np.swapaxes(w, 0, -1)
np.moveaxis(w, 0, -1) | np.moveaxis(w, (0, 1), (-1, 0)) | np.permute_dims(w, (2, 0, 1))
np.matrix_transpose(w) | np.expand_dims(x, 1) | np.expand_dims(x, (0, -1))
np.squeeze(x[:, None])
np.squeeze(x[None], 0) | np.broadcast_to(v, (3, 4)) | np.broadcast_arrays(v, x)[0]
np.concatenate([x, y]) | np.concat([x, x[:, :1]], axis=1) | np.concatenate([x, v], axis=None)
np.stack([x, y]) | np.stack([x, y], axis=-1) | np.split(x, 2, axis=1)[1] | np.split(x, [1, 2])[1]
np.flip(x) | np.flip(w, 1) | np.roll(x, 1) | np.roll(x, -2, axis=1)
np.roll(x, (1, 2), axis=(0, 1))
np.pad(x, 1) | np.pad(x, (1, 2), constant_values=7) | np.pad(x, ((0, 1), (2, 0))) | np.tile(x, 2)
np.tile(x, (2, 1, 3)) | np.repeat(x, 2) | np.repeat(x, 3, axis=0) | np.roll(z, 1, axis=0)
np.concatenate([i, b]) | np.diff(x) | np.diff(i, axis=0) | np.allclose(x, x) | np.allclose(x, y)
np.array_equal(i, i) | np.array_equal(i, j) | np.array_equal(i, v) | np.unstack(x)[1]
np.astype(i, np.float32) | np.diagonal(q)
"""
CREATION = """
np.zeros((2, 3), np.float32) | np.ones(3, np.int32) | np.full((2,), 7) | np.full((3, 4), v)
np.zeros_like(i) | np.ones_like(x) | np.full_like(x, 3) | np.arange(5) | np.arange(2, 9, 3)
np.arange(9, 2, -2) | np.arange(3, 3) | np.arange(0.0, 1.0, 0.25, np.float32)
np.eye(3, dtype=np.float32)
np.eye(2, 4, 1, np.float32) | np.linspace(0, 1, 7, dtype=np.float32) | np.tril(q) | np.triu(w, 1)
np.linspace(2, 3, 4, endpoint=False, dtype=np.float32) | np.tril(w, -1) | np.array([1, 2])
np.asarray(x)
np.meshgrid(np.arange(2), np.arange(3))[0]
np.meshgrid(np.arange(2), np.arange(3), indexing="ij")[1]
"""
LINEAR_ALGEBRA = """
np.matmul(x, m) | np.matmul(w, m) | np.matmul(v, m) | np.matmul(x, v)
np.matmul(w, w.swapaxes(1, 2))
np.matmul(x[None], np.stack([m, m])) | np.matmul(v, np.stack([m, m])) | np.dot(x, v)
np.dot(w, m)
np.dot(x, 2) | np.vdot(x, y) | np.inner(x, v) | np.inner(v, v) | np.outer(v, v)
np.tensordot(w, x, 2)
np.tensordot(w, m, axes=([2], [0])) | np.trace(q) | np.matmul(i, i.T)
np.einsum("ij,jk->ik", x, m) | np.einsum("ij,ij->", x, y) | np.einsum("ij->ji", x)
np.einsum("ij->j", x)
np.einsum("ii->i", q) | np.einsum("ii", q) | np.einsum("ij,jk", x, m)
np.einsum("bij,jk->bik", w, m)
np.einsum("...ij,...ij->...i", w, w) | np.einsum("i,j->ij", v, v)
np.einsum("ij,j,jk->ik", x, v, m)
np.einsum("bij,bkj->bik", w, w) | np.einsum("ij,kj->", x, y) | np.einsum("...i->...", w)
"""
SELECTION = """
np.take(x, k, axis=0) | np.take(x, k) | np.take(w, k, axis=2) | np.sort(x) | np.sort(x, axis=0)
np.sort(s)
np.argsort(y, axis=1) | np.argsort(x, axis=0)
np.take_along_axis(x, np.argsort(x, axis=1), axis=1) | np.take_along_axis(i, i % 3, axis=0)
"""
EXPRESSIONS = [
    expression.strip()
    for table in (ELEMENTWISE, REDUCTIONS, MANIPULATION, CREATION, LINEAR_ALGEBRA, SELECTION)
    for line in table.strip().splitlines()
    for expression in line.split(" | ")
]


def value(expression: str, module: Any, arrays: dict[str, Any]) -> Any:
    with numpy.errstate(all="ignore"):
        return eval(expression, {"np": module, **arrays})


def compare(actual: Any, expected: Any) -> None:
    found, wanted = numpy.asarray(actual), numpy.asarray(expected)
    assert found.dtype.kind == wanted.dtype.kind or {found.dtype.kind, wanted.dtype.kind} <= {*"iu"}
    numpy.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-6)
    assert found.shape == wanted.shape


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_eager(expression: str) -> None:
    arrays = {name: asarray(array) for name, array in NAMES.items()}
    expected = value(expression, numpy, NAMES)
    compare(value(expression, stepwell.numpy, arrays), expected)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_compiled(expression: str) -> None:
    names = [name for name in NAMES if name in expression]
    expected = value(expression, numpy, NAMES)

    def function(*given: Any) -> Any:
        return value(expression, stepwell.numpy, dict(zip(names, given, strict=True)))

    compare(jit(function)(*(NAMES[name] for name in names)), expected)


@examples(40)
@given(
    hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3),
    st.sampled_from(["add", "multiply", "maximum", "less", "subtract"]),
)
def test_shapes_broadcast_as_in_numpy(shapes: Any, name: str) -> None:
    x, y = (
        numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape) for shape in shapes.input_shapes
    )
    compare(getattr(stepwell.numpy, name)(x, y), getattr(numpy, name)(x, y))


@examples(40)
@given(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3), st.data())
def test_sums_along_any_axes(shape: tuple[int, ...], data: Any) -> None:
    axes = data.draw(st.one_of(st.none(), hnp.valid_tuple_axes(len(shape))))
    keepdims = data.draw(st.booleans())
    x = numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape)
    compare(stepwell.numpy.sum(x, axes, keepdims=keepdims), x.sum(axes, keepdims=keepdims))


OWN: list[tuple[str, Any]] = [
    ("np.logsumexp(x)", numpy.log(numpy.exp(NAMES["x"]).sum())),
    (
        "np.logsumexp(x, axis=1, keepdims=True)",
        numpy.log(numpy.exp(NAMES["x"]).sum(1, keepdims=True)),
    ),
    ("np.logsumexp(s[2:3])", -numpy.inf),
    ("np.rsqrt(p)", 1 / numpy.sqrt(NAMES["p"])),
    ("np.erf(v)", numpy.vectorize(math.erf)(NAMES["v"]).astype("f4")),
    ("np.iota((2, 3), 1)", [[0, 1, 2], [0, 1, 2]]),
    ("np.finfo('bf16').bits", 16),
    ("np.iinfo('u8').max", 255),
    ("np.iinfo('i8').min", -128),
    ("np.from_dlpack(v)", NAMES["v"]),
    ("np.dynamic_slice(x, (1, 3), (2, 2))", NAMES["x"][1:, 2:]),
    ("np.dynamic_update_slice(i, j[:1], (9, 0))", numpy.append(NAMES["i"][:2], NAMES["j"][:1], 0)),
]


@pytest.mark.parametrize(("expression", "expected"), OWN)
def test_names_that_numpy_has_not(expression: str, expected: Any) -> None:
    compare(value(expression, stepwell.numpy, NAMES | {"s": asarray(NAMES["s"])}), expected)


SYMBOLIC = """
np.zeros((x.shape[0], 2), np.float32) | np.arange(x.shape[0]) | np.arange(1, x.shape[0] + 1, 2)
np.eye(x.shape[0], dtype=np.float32) | np.roll(x, 1, axis=0) | np.tile(x, (2, 1))
np.repeat(x, 2, axis=0)
np.mean(x, axis=1) | np.sum(x, axis=0) | np.concatenate([x, x]) | np.pad(x, ((1, 0), (0, 0)))
x.reshape(-1) | x.reshape(2 * x.shape[0], 2) | np.flip(x, 0) | x + np.arange(x.shape[0])[:, None]
np.broadcast_to(x[:, None], (x.shape[0], 3, 4)) | np.matmul(x, x.T) | np.tril(np.matmul(x, x.T))
np.argmax(x, axis=1) | np.sort(x, axis=0) | np.cumsum(x, axis=0) | x * x.shape[0]
"""


@pytest.mark.parametrize(
    "expression", [e.strip() for line in SYMBOLIC.strip().splitlines() for e in line.split(" | ")]
)
def test_unknown_sizes(expression: str) -> None:
    program = compile(lambda x: value(expression, stepwell.numpy, {"x": x}), spec("i64[B, 4]"))
    for size in (0, 1, 3, 5):
        x = rng.integers(-9, 9, size=(size, 4))
        compare(program(x), value(expression, numpy, {"x": x}))


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("np.einsum('ij,jk', x)", "the einsum 'ij,jk' names 2 operands, and is given 1"),
        ("np.einsum('ijk', x)", "the einsum 'ijk' has 'ijk' for an array with 2 axes"),
        (
            "np.einsum('ij->k', x)",
            "the einsum 'ij->k' has a result with labels that repeat, or that no operand has",
        ),
        ("np.split(x, 3, 1)", "an axis of size 4 has no 3 equal parts"),
        ("np.diagonal(x)", "diagonal needs two last axes of one size, and has 3 and 4"),
        ("np.arange(1, 2, 0)", "arange has the step 0"),
        ("np.concatenate([])", "there are no arrays to concatenate"),
        ("np.zeros((2, -1))", "the shape [2, -1] has a negative size"),
        ("np.add(u, 300)", "the number 300 does not fit u8"),
        ("np.matmul(x, 2.0)", "@ needs arrays with axes, and has a number"),
    ],
)
def test_what_is_refused(expression: str, sentence: str) -> None:
    with pytest.raises(CompileError) as caught:
        value(expression, stepwell.numpy, {**NAMES, "u": numpy.ones(2, "u1")})
    assert caught.value.sentence == sentence
    assert caught.value.where is not None


def test_the_names_are_functions_of_arrays() -> None:
    """What NumPy has under the same name is a function or a dtype too."""
    for name, member in vars(stepwell.numpy).items():
        if callable(member) and not name.startswith("_") and hasattr(numpy, name):
            assert callable(getattr(numpy, name)), name
    assert isinstance(stepwell.numpy.zeros(2), Array)
