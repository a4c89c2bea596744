"""Fast arithmetic rounds less often, and is what it was where it matters."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import stepwell as sw
from stepwell import numpy as snp
from stepwell.runtime.system import architecture

Floats = NDArray[np.float32]
RANDOM = np.random.default_rng(5)
LEAST = {"x86_64": ("x86-64-v3",)}
EDGES = np.array([0, -0.0, 1, -3, np.inf, -np.inf, np.nan, 1e-40, 3e38], np.float32)


def values(
    program: Callable[..., sw.Array], numerics: str, *inputs: Floats, target: str = "host"
) -> Floats:
    specs = [sw.spec(f"f32[{','.join(map(str, each.shape))}]") for each in inputs]
    return np.asarray(sw.compile(program, *specs, numerics=numerics, target=target)(*inputs))


@pytest.mark.parametrize(("numerics", "exact"), [("strict", 0), ("fast", 2.0**-24)])
def test_a_product_and_a_sum_are_rounded_once(numerics: str, exact: float) -> None:
    """x² is 1 + 2⁻¹¹ + 2⁻²⁴, whose last part is lost where it is rounded."""
    x, z = np.full(64, 1 + 2.0**-12, np.float32), np.full(64, -1 - 2.0**-11, np.float32)
    np.testing.assert_array_equal(values(lambda x, z: x * x + z, numerics, x, z), exact)
    x = np.zeros(65, np.float32)
    y = x.copy()
    x[[0, 64]], y[[0, 64]] = (1, 1 + 2.0**-12), (-1 - 2.0**-11, 1 + 2.0**-12)
    assert values(lambda x, y: (x * y).sum(), numerics, x, y) == exact


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sin", "erf"])
def test_functions_keep_their_bits(name: str) -> None:
    function = getattr(snp, name, None) or getattr(sw.nn, name)
    x = np.concatenate([EDGES, RANDOM.uniform(-20, 20, 4096).astype(np.float32)])
    fast, strict = (values(function, numerics, x) for numerics in ("fast", "strict"))
    np.testing.assert_array_equal(fast.view(np.int32), strict.view(np.int32))


def test_nan_and_infinities_stay_what_they_are() -> None:
    x, y = (each.ravel() for each in np.meshgrid(EDGES, EDGES))
    for program in (lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y):
        fast, strict = (values(program, numerics, x, y) for numerics in ("fast", "strict"))
        np.testing.assert_array_equal(fast, strict)
    x, y = (np.tile(each[np.abs(y) != np.float32(1e-40)], 16) for each in (x, y))
    for program in (lambda x, y: x / y, lambda x, y: snp.sqrt(y)):
        fast, strict = (values(program, numerics, x, y) for numerics in ("fast", "strict"))
        np.testing.assert_array_almost_equal_nulp(*_finite(fast, strict), nulp=2)


@pytest.mark.parametrize("target", sorted({"host", *LEAST.get(architecture(), ())}))
@pytest.mark.parametrize("times", [1, 16])
def test_inverse_roots_of_zero_and_infinity_are_no_nan(target: str, times: int) -> None:
    """Where LLVM may take a quotient for near, it would make 1 / √x of an estimate."""
    x = np.tile(np.abs(EDGES), times)
    for program in (snp.rsqrt, lambda x: 3 / snp.sqrt(x), lambda x: x / (2 * snp.sqrt(x))):
        fast, strict = (values(program, each, x, target=target) for each in ("fast", "strict"))
        np.testing.assert_array_almost_equal_nulp(*_finite(fast, strict), nulp=3)


def _finite(fast: Floats, strict: Floats) -> tuple[Floats, Floats]:
    """The numbers of both, where all else is equal."""
    finite = np.isfinite(strict)
    np.testing.assert_array_equal(fast[~finite], strict[~finite])
    return fast[finite], strict[finite]


def test_programs_are_as_exact_as_before() -> None:
    x = RANDOM.standard_normal((64, 256), dtype=np.float32)
    fast, strict = (values(_softmax, numerics, x) for numerics in ("fast", "strict"))
    np.testing.assert_allclose(fast, strict, rtol=1e-5)


def _softmax(x: sw.Array) -> sw.Array:
    shifted = snp.exp(x - x.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
