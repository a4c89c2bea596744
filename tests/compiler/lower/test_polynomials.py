"""The math functions on NumPy lanes: errors over all of f32, samples of f64, special values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ml_dtypes
import mpmath
import numpy as np
import pytest
import scipy.special
from numpy.typing import NDArray

import stepwell
import stepwell.numpy as snp
from accuracy import error_f64, errors_f32, every_exponent
from stepwell.compiler.interpret.lanes import NumpyLanes, evaluate
from stepwell.compiler.lower.polynomials import FUNCTIONS

inf, nan = np.inf, np.nan
Floats = NDArray[np.floating]
Sampler = Callable[[np.random.Generator, int], Floats]


def powers(low: float, high: float) -> Sampler:
    """Numbers of both signs whose binary logarithm is uniform."""
    return lambda r, n: np.exp2(r.uniform(low, high, n)) * r.choice([-1, 1], n)


def uniform(low: float, high: float) -> Sampler:
    return lambda r, n: r.uniform(low, high, n)


def multiples(step: float) -> Sampler:
    """The floats nearest to multiples of the step."""
    return lambda r, n: r.integers(-(10**6), 10**6, n) * step


def near(point: float, width: float) -> Sampler:
    return lambda r, n: point + r.uniform(-width, width, n)


@dataclass(frozen=True)
class Known:
    """What a function is compared with, and by how many ulp it may differ (docs/semantics.md)."""

    f32: float
    f64: float
    numpy: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    exact: Callable[[mpmath.mpf], mpmath.mpf]
    samples: tuple[Sampler, ...]


KNOWN: Mapping[str, Known] = {
    "cos": Known(
        2.0,
        1.9,
        np.cos,
        mpmath.cos,
        (powers(-30, 30), powers(30, 1024), uniform(-10, 10), multiples(np.pi / 2), near(0, 1e-7)),
    ),
    "erf": Known(
        2.1,
        1.6,
        scipy.special.erf,
        mpmath.erf,
        (powers(-1074, 3), uniform(-1.2, 1.2), uniform(1, 6), near(1.2, 0.1)),
    ),
    "exp": Known(
        1.0,
        1.0,
        np.exp,
        mpmath.exp,
        (powers(-60, 9.4), uniform(-746, 710), uniform(-1, 1), uniform(-746, -708)),
    ),
    "log": Known(
        1.0,
        1.0,
        np.log,
        mpmath.log,
        (lambda r, n: np.abs(powers(-1074, 1024)(r, n)), near(1, 1e-9), near(4 / 3, 0.01)),
    ),
    "sin": Known(
        2.0,
        1.9,
        np.sin,
        mpmath.sin,
        (powers(-1074, 30), powers(30, 1024), uniform(-10, 10), multiples(np.pi / 2)),
    ),
    "tanh": Known(
        1.5,
        1.6,
        np.tanh,
        mpmath.tanh,
        (powers(-1074, 5), uniform(-1, 1), uniform(-4, 4), near(0.35, 0.02)),
    ),
}
POW_F32, POW_F64 = 1.0, 1.0


def test_every_function_is_known() -> None:
    assert KNOWN.keys() | {"pow"} == FUNCTIONS.keys()
    assert all(known.f32 <= 2.5 and known.f64 <= 2 for known in KNOWN.values())


@pytest.mark.parametrize("name", KNOWN)
def test_f32_at_every_exponent(name: str) -> None:
    with np.errstate(all="ignore"):
        for x in every_exponent():
            errors = errors_f32(evaluate(name, x), KNOWN[name].numpy(x.astype(np.float64)))
            worst = errors.argmax()
            assert errors[worst] <= KNOWN[name].f32, f"{name}({x[worst]!r})"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("name", KNOWN)
def test_f32_everywhere(name: str, part: int) -> None:
    """Compiled, and so in minutes, not hours: machine code has the bits of the lanes above."""
    function = stepwell.compile(getattr(snp, name), stepwell.spec(f"f32[{1 << 16}]"))
    with np.errstate(all="ignore"):
        for low in range(part << 29, (part + 1) << 29, 1 << 16):
            x = np.arange(low, low + (1 << 16), dtype=np.uint32).view(np.float32)
            errors = errors_f32(np.asarray(function(x)), KNOWN[name].numpy(x.astype(np.float64)))
            worst = errors.argmax()
            assert errors[worst] <= KNOWN[name].f32, f"{name}({x[worst]!r})"


@pytest.mark.parametrize("name", KNOWN)
def test_f64_against_exact_values(name: str) -> None:
    known, random = KNOWN[name], np.random.default_rng(7)
    x = np.concatenate([sample(random, 1200) for sample in known.samples])
    x = x[np.isfinite(x)]
    with mpmath.workprec(160):
        for point, got in zip(x.tolist(), evaluate(name, x).tolist()):
            error = error_f64(got, known.exact(mpmath.mpf(point)))
            assert error <= known.f64, f"{name}({point!r})"


def pow_operands(dtype: type[np.floating], count: int, seed: int) -> tuple[Floats, Floats]:
    """Bases of all exponents and near 1, and exponents that take them over the whole range."""
    random, info = np.random.default_rng(seed), np.finfo(dtype)
    bases = [
        np.exp2(random.uniform(info.minexp - info.nmant, info.maxexp, count)),
        random.uniform(0.6, 1.4, count),
        1 + powers(-info.nmant, -1)(random, count),
        near(4 / 3, 0.01)(random, count),
    ]
    x = np.concatenate(bases).astype(dtype)
    results = random.uniform(info.minexp - info.nmant - 2, info.maxexp + 1, len(x))
    with np.errstate(all="ignore"):
        y = np.where(x == 1, 3, results / np.log2(x.astype(np.float64)))
    y = np.where(random.random(len(x)) < 0.2, random.uniform(-4, 4, len(x)), y)
    return x, y.astype(dtype)


def test_pow_f32() -> None:
    for seed in range(8):
        x, y = pow_operands(np.float32, 30_000, seed)
        with np.errstate(all="ignore"):
            exact = np.power(x.astype(np.float64), y.astype(np.float64))
        errors = errors_f32(evaluate("pow", x, y), exact)
        worst = errors.argmax()
        assert errors[worst] <= POW_F32, f"{x[worst]!r} ** {y[worst]!r}"


def test_pow_f64() -> None:
    x, y = pow_operands(np.float64, 1200, 3)
    with mpmath.workprec(160):
        for base, power, got in zip(x.tolist(), y.tolist(), evaluate("pow", x, y).tolist()):
            error = error_f64(got, mpmath.mpf(base) ** mpmath.mpf(power))
            assert error <= POW_F64, f"{base!r} ** {power!r}"


def same(got: Floats, expected: Floats) -> bool:
    """Equal, with the same signs of zeros, and NaN where NaN is expected."""
    signs = np.signbit(got) == np.signbit(expected)
    return bool(np.all(np.isnan(got) & np.isnan(expected) | (got == expected) & signs))


SPECIAL: Mapping[str, tuple[list[float], list[float]]] = {
    "cos": ([0.0, -0.0, inf, -inf, nan], [1.0, 1.0, nan, nan, nan]),
    "erf": ([0.0, -0.0, 7.0, -7.0, inf, -inf, nan], [0.0, -0.0, 1.0, -1.0, 1.0, -1.0, nan]),
    "exp": ([0.0, -0.0, 1e4, -1e4, inf, -inf, nan], [1.0, 1.0, inf, 0.0, inf, 0.0, nan]),
    "log": ([0.0, -0.0, 1.0, -1.0, inf, -inf, nan], [-inf, -inf, 0.0, nan, inf, nan, nan]),
    "sin": ([0.0, -0.0, inf, -inf, nan], [0.0, -0.0, nan, nan, nan]),
    "tanh": ([0.0, -0.0, 50.0, -50.0, inf, -inf, nan], [0.0, -0.0, 1.0, -1.0, 1.0, -1.0, nan]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name: str, dtype: type[np.floating]) -> None:
    x, expected = SPECIAL[name]
    with np.errstate(all="ignore"):
        got = evaluate(name, np.array(x, np.float64).astype(dtype))
    assert got.dtype == dtype
    assert same(got.astype(np.float64), np.array(expected))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["sin", "erf", "tanh"])
def test_odd_functions_are_odd_and_keep_denormals(name: str, dtype: type[np.floating]) -> None:
    tiny = np.finfo(dtype).smallest_subnormal * np.array([1, 2, 3, 1000], dtype)
    x = np.concatenate([tiny, np.exp2(np.linspace(-100, 100, 1001)).astype(dtype)])
    assert same(evaluate(name, -x), -evaluate(name, x))
    slope = 2 / np.sqrt(np.pi) if name == "erf" else 1.0
    np.testing.assert_array_equal(evaluate(name, tiny), (tiny * slope).astype(dtype))


@pytest.mark.parametrize(("dtype", "integer"), [(np.float32, np.int32), (np.float64, np.int64)])
def test_no_sine_exceeds_one(dtype: type[np.floating], integer: type[np.integer]) -> None:
    # Where the sine is 1 to half an ulp, each float of the reduced angle rounds in its own way.
    peak = np.array([np.pi / 2], dtype).view(integer)[0]
    angles = (peak + np.arange(-150_000, 150_000)).astype(integer).view(dtype)
    assert np.max(evaluate("sin", angles)) == 1
    assert np.max(np.abs(evaluate("cos", angles - angles.dtype.type(np.pi / 2)))) == 1


@pytest.mark.parametrize("angle", [1e22, 6381956970095103.0 * 2.0**797, np.finfo(np.float64).max])
def test_large_angles(angle: float) -> None:
    """The second is the f64 next to a multiple of pi/2 (J.-M. Muller, "Elementary Functions")."""
    with mpmath.workprec(1400):
        exact = {"sin": mpmath.sin(mpmath.mpf(angle)), "cos": mpmath.cos(mpmath.mpf(angle))}
    for name, value in exact.items():
        assert error_f64(evaluate(name, np.array([angle]))[0], value) <= KNOWN[name].f64


def test_pow_special_cases() -> None:
    """C23, F.10.4.4, which NumPy's f64 power follows."""
    values = [0.0, 1.0, 0.5, 2.0, 3.0, 1.5, 1e30, inf, 2.0**24 + 2, 2.0**24 - 1, 1e-40, nan]
    values += [-x for x in values]
    x, y = (grid.ravel() for grid in np.meshgrid(values, values))
    for dtype in (np.float32, np.float64):
        a, b = x.astype(dtype), y.astype(dtype)
        with np.errstate(all="ignore"):
            expected = np.power(a.astype(np.float64), b.astype(np.float64)).astype(dtype)
        got = evaluate("pow", a, b)
        decided = ~np.isfinite(expected) | (expected == 0) | (np.abs(expected) == 1)
        assert decided.sum() > 300
        assert same(got[decided], expected[decided])
        assert not np.isnan(got[~decided]).any()
        np.testing.assert_allclose(got[~decided], expected[~decided], rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_a_softmax_hides_is_zero_without_an_underflow(dtype: type[np.floating]) -> None:
    hidden = np.array([-np.inf, -1000.0, -1e30], dtype)
    with np.errstate(under="raise"):
        assert same(evaluate("exp", hidden), np.zeros(3, dtype))


def test_half_precision_is_f32_rounded_once() -> None:
    for dtype in (np.float16, ml_dtypes.bfloat16):
        every = np.arange(2**16, dtype=np.uint16).view(dtype)
        with np.errstate(all="ignore"):
            expected = evaluate("exp", every.astype(np.float32)).astype(dtype)
            got = evaluate("exp", every)
        assert same(got.astype(np.float32), expected.astype(np.float32))


@pytest.mark.parametrize("bits", [32, 64])
def test_scale_rounds_once(bits: int) -> None:
    lanes = NumpyLanes(bits)
    limit = 1.25 * lanes.format.bias // 1
    random = np.random.default_rng(0)
    x = random.uniform(0.25, 4, 20_000).astype(lanes.float_type)
    exponent = np.rint(random.uniform(-limit, limit, len(x))).astype(lanes.float_type)
    with np.errstate(all="ignore"):
        expected = np.ldexp(x, exponent.astype(np.int32))
        np.testing.assert_array_equal(lanes.scale(x, exponent), expected)
        assert np.isnan(lanes.scale(lanes.constant(nan), lanes.constant(nan)))


def test_rare_lanes_alone_are_computed_again() -> None:
    lanes = NumpyLanes(32)
    x = np.array([1, 2, 3], np.float32)
    seen: list[Floats] = []

    def slow(value: Floats) -> Floats:
        seen.append(value)
        return -value

    np.testing.assert_array_equal(lanes.rarely(x > 5, slow, x, x), x)
    assert not seen
    np.testing.assert_array_equal(lanes.rarely(x > 1, slow, x, x), [1, -2, -3])
    np.testing.assert_array_equal(seen[0], [2, 3])
