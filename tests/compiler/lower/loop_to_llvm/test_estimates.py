"""Fast roots and quotients, from estimates: near to the nearest float, for numbers of all kinds."""

import numpy as np
import pytest
from llvmlite import binding
from numpy.typing import NDArray

import stepwell as sw
from stepwell import numpy as snp
from stepwell.compiler.machines import X86_64_V4

Floats = NDArray[np.float32]
COUNT = 1 << 16
TARGET = "x86-64-v4"

pytestmark = pytest.mark.skipif(
    not X86_64_V4.runs_on([name for name, has in binding.get_host_cpu_features().items() if has]),
    reason="for processors with AVX-512",
)


def root(x: sw.Array) -> sw.Array:
    return snp.sqrt(x)


def quotient(x: sw.Array, y: sw.Array) -> sw.Array:
    return x / y


def of_all_sizes(seed: int) -> Floats:
    """Random fractions with each exponent but those of denormal numbers."""
    random = np.random.default_rng(seed)
    bits = random.integers(1 << 23, 0xFF << 23, COUNT, np.uint32)
    return bits.view(np.float32)


def units(found: object, exact: NDArray[np.float64]) -> float:
    """How far the results are from the exact ones at the most, in units in the last place."""
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    return float((np.abs(np.asarray(found).astype(np.float64) - exact) / unit).max())


def test_roots() -> None:
    x = of_all_sizes(1)
    program = sw.compile(root, f"f32[{COUNT}]", numerics="fast", target=TARGET)
    assert program.ir("asm").count("vrsqrt14ps") > 1
    assert units(program(x), np.sqrt(x.astype(np.float64))) < 1


def test_quotients() -> None:
    y = of_all_sizes(2)
    y = y[y < 2.0**126]
    x = np.random.default_rng(3).uniform(-2, 2, len(y)).astype(np.float32) * y
    program = sw.compile(quotient, *[f"f32[{len(y)}]"] * 2, numerics="fast", target=TARGET)
    assert program.ir("asm").count("vrcp14ps") > 1
    exact = x.astype(np.float64) / y
    inside = np.abs(exact) > 2.0**-100
    assert units(np.asarray(program(x, y))[inside], exact[inside]) < 2


def test_quotients_by_what_does_not_change() -> None:
    """Are products by an inverse, for which the divider is not asked in the loop."""
    x, y = np.resize(of_all_sizes(4), (16, 4096)), np.linspace(1, 50, 16).astype(np.float32)
    x = np.maximum(x, np.float32(2.0**-80))
    rows = "f32[16,4096]", "f32[16]"
    program = sw.compile(lambda x, y: x / y[:, None], *rows, numerics="fast", target=TARGET)
    assert units(program(x, y), x.astype(np.float64) / y[:, None]) < 2
    strict = sw.compile(lambda x, y: x / y[:, None], *rows, target=TARGET)
    divisions = [each.ir("asm").count("vdivps") for each in (program, strict)]
    assert divisions[0] < divisions[1]


@pytest.mark.parametrize("x", [0.0, -0.0, np.inf, -np.inf, np.nan, -2.0, 1e-40, 3e38])
@np.errstate(all="ignore")
def test_roots_of_what_has_no_inverse(x: float) -> None:
    """In all lanes, so that no other number decides what is computed."""
    given = np.full(256, x, np.float32)
    found = np.asarray(sw.compile(root, "f32[256]", numerics="fast", target=TARGET)(given))
    np.testing.assert_allclose(found, np.sqrt(given), rtol=2.0**-23)
    if x == 0:
        np.testing.assert_array_equal(np.signbit(found), np.signbit(given))


@pytest.mark.parametrize("y", [0.0, -0.0, np.inf, -np.inf, np.nan, -3e38])
@np.errstate(all="ignore")
def test_quotients_by_what_has_no_inverse(y: float) -> None:
    x = np.resize(np.float32([0, 1, -1, np.inf, -np.inf, np.nan]), 256)
    given = np.full(256, y, np.float32)
    program = sw.compile(quotient, *["f32[256]"] * 2, numerics="fast", target=TARGET)
    np.testing.assert_allclose(np.asarray(program(x, given)), x / given, rtol=2.0**-20)


def test_quotients_by_denormal_numbers() -> None:
    """Are exact where the divider computes them, and infinite where it does not."""
    x, y = np.full(256, 1e-40, np.float32), np.full(256, -2e-40, np.float32)
    program = sw.compile(quotient, *["f32[256]"] * 2, numerics="fast", target=TARGET)
    assert {*np.asarray(program(x, y)).tolist()} <= {-np.inf, float(x[0] / y[0])}
