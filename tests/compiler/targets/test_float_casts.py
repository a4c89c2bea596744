"""Casts between floats: bit for bit the nearest number, denormals, infinities and NaN included."""

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.ir import Attribute

from stepwell.compiler.dialects.llvm.types import bf16, f16, f32, f64, i64, ptr, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder

Call = Callable[..., int]
TYPES = {"bf16": bf16, "f16": f16, "f32": f32, "f64": f64}
DTYPES = {"bf16": ml_dtypes.bfloat16, "f16": np.float16, "f32": np.float32, "f64": np.float64}


def cast(source: Attribute, result: Attribute, lanes: int, name: str) -> LlvmBuilder:
    """`name(x, y, n)`: y[i] = x[i] in another type, some lanes at a time."""
    b = LlvmBuilder.define(name, [ptr, ptr, i64])
    x, y, n = b.arguments
    kind = vector(source, lanes) if lanes > 1 else source
    with b.loop(0, n, lanes) as loop:
        value = b.load(b.gep(x, loop.index, source), kind)
        change = b.truncate_float if name.startswith("narrow") else b.extend_float
        b.store(change(value, result), b.gep(y, loop.index, result))
    b.ret()
    return b


def interesting(dtype: type, count: int) -> NDArray[np.generic]:
    """Random bits, and every tie, edge and special number of the 16-bit types, one step around."""
    generator = np.random.default_rng(7)
    width = np.dtype(dtype).itemsize
    random = generator.integers(0, 256, count * width, dtype=np.uint8).view(dtype)
    if width == 2:
        return np.arange(65536, dtype=np.uint16).view(dtype)
    halves = np.arange(65536, dtype=np.uint16)
    with np.errstate(all="ignore"):
        exact = np.concatenate(
            [halves.view(np.float16).astype(dtype), halves.view(ml_dtypes.bfloat16).astype(dtype)]
        )
        ties = (exact + np.roll(exact, 1)) / dtype(2)
        near = [np.nextafter(ties, dtype(s) * dtype(np.inf)) for s in (-1, 1)]
        found = np.concatenate([exact, ties, *near, random])
    return np.resize(found, -(-len(found) // 16) * 16)


def same_bits(actual: NDArray[np.generic], expected: NDArray[np.generic]) -> None:
    nan = np.isnan(expected.astype(np.float64))
    assert np.array_equal(np.isnan(actual.astype(np.float64)), nan)
    words = f"u{actual.itemsize}"
    np.testing.assert_array_equal(actual.view(words)[~nan], expected.view(words)[~nan])


NARROWING = [("f32", "bf16"), ("f32", "f16"), ("f64", "bf16"), ("f64", "f16"), ("f64", "f32")]


@pytest.mark.parametrize("lanes", [1, 8, 16])
@pytest.mark.parametrize(("source", "result"), NARROWING)
def test_narrowing_rounds_once_to_even(
    compiled: Callable[..., Call], source: str, result: str, lanes: int
) -> None:
    run = compiled(cast(TYPES[source], TYPES[result], lanes, "narrow"))
    x = interesting(DTYPES[source], 1 << 16)
    y = np.zeros(len(x), DTYPES[result])
    run(x, y, len(x))
    with np.errstate(all="ignore"):
        if (source, result) == ("f64", "bf16"):
            same_bits(y, exact_bf16(x))
        else:
            same_bits(y, x.astype(DTYPES[result]))


def exact_bf16(x: NDArray[np.float64]) -> NDArray[np.generic]:
    """f64 to bf16 rounded once, to 8 bits: ml_dtypes goes through f32 and rounds twice."""
    exponent = np.maximum(np.frexp(x)[1] - 8, -133)
    rounded = np.ldexp(np.rint(np.ldexp(x, -exponent)), exponent)
    return np.where(np.isfinite(x), rounded, x).astype(ml_dtypes.bfloat16)


WIDENING = [("bf16", "f32"), ("f16", "f32"), ("bf16", "f64"), ("f16", "f64"), ("f32", "f64")]


@pytest.mark.parametrize("lanes", [1, 8, 16])
@pytest.mark.parametrize(("source", "result"), WIDENING)
def test_widening_is_exact(
    compiled: Callable[..., Call], source: str, result: str, lanes: int
) -> None:
    run = compiled(cast(TYPES[source], TYPES[result], lanes, "widen"))
    x = interesting(DTYPES[source], 1 << 16)
    y = np.zeros(len(x), DTYPES[result])
    run(x, y, len(x))
    with np.errstate(all="ignore"):
        same_bits(y, x.astype(DTYPES[result]))


@pytest.mark.parametrize("result", ["bf16", "f16"])
@pytest.mark.parametrize("source", ["f32", "f64"])
def test_nan_becomes_a_quiet_nan(compiled: Callable[..., Call], source: str, result: str) -> None:
    run = compiled(cast(TYPES[source], TYPES[result], 8, "narrow"))
    word = {"f32": np.uint32(0x7F800001), "f64": np.uint64(0x7FF0000000000001)}[source]
    x = np.full(8, word).view(DTYPES[source])
    y = np.zeros(8, DTYPES[result])
    run(x, y, 8)
    quiet = {"bf16": 0x0040, "f16": 0x0200}[result]
    assert np.isnan(y.astype(np.float32)).all()
    assert (y.view(np.uint16) & quiet == quiet).all()
