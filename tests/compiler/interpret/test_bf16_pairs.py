"""Sums of pairs of bf16: as the manual says, and as the processor does it, to the last bit."""

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from expanding import expanded, kernel_of, run_natively, same
from loop_text import parse_module
from stepwell.compiler.interpret.bf16_pairs import add_pair
from stepwell.compiler.interpret.loops import run_kernel
from stepwell.compiler.machines.dots import DOTS
from stepwell.compiler.targets.cpu import host

M, N, K = 40, 100, 7
TEXT = f"""
loop.kernel @product(%a: !loop.buffer<[{M}, {K}] x bf16>, %b: !loop.buffer<[{K}, {N}] x bf16>)
    -> (%c: !loop.buffer<[{M}, {N}] x f32>) {{
  loop.nest [%i : {M}, %j : {N}] {{
    %s = loop.fold fma <pairs> [%k : {K}] {{
      %u = loop.read %a[%i, %k] : bf16
      %v = loop.read %b[%k, %j] : bf16
      %p = loop.cast extf %u : bf16 to f32
      %q = loop.cast extf %v : bf16 to f32
      loop.yield %p, %q : f32, f32
    }} : f32
    loop.write %s, %c[%i, %j] : f32
  }}
}}"""


def floats(*numbers: float) -> NDArray[np.float32]:
    return np.array(numbers, np.float32)


@pytest.mark.parametrize(
    ("start", "left", "right", "sum"),
    [
        (0.0, (2.0**-30, 1.0), (1.0, 1.0), 1.0),
        (1.0, (1.0, 2.0**-24), (1.0, 1.0), 2.0),
        (1.0, (2.0**-24, 2.0**-24), (1.0, 1.0), 1.0),
        (2.0**-127, (0.0, 0.0), (0.0, 0.0), 0.0),
        (0.0, (2.0**-127, 0.0), (1.0, 0.0), 0.0),
        (0.0, (2.0**-70, 0.0), (-(2.0**-70), 0.0), -0.0),
        (0.0, (0.0, 2.0**-70), (0.0, -(2.0**-70)), 0.0),
        (2.0**-126, (2.0**-75, 0.0), (-(2.0**-75), 0.0), 0.0),
        (2.0**-126, (2.0**-75, 0.0), (-(2.0**-76), 0.0), 2.0**-126),
        (-0.0, (5.0,), (0.0,), 0.0),
    ],
)
def test_as_the_manual_says(
    start: float, left: tuple[float, ...], right: tuple[float, ...], sum: float
) -> None:
    """The second product first, each rounded to nearest even, denormals as zeros."""
    found = add_pair(floats(start), floats(*left)[:, None], floats(*right)[:, None])
    assert same(found, floats(sum))


@pytest.mark.skipif(not host().has(DOTS["vdpbf16ps"]), reason="this processor has it not")
@pytest.mark.parametrize(
    ("least", "most"), [(0, 256), (120, 134), (126, 128), (56, 70), (62, 65), (188, 192)]
)
def test_as_the_processor_does(least: int, most: int) -> None:
    """Of any exponents, of some that cancel, and of those whose products are tiny or huge."""
    random = np.random.default_rng(least)

    def drawn(*shape: int) -> NDArray[ml_dtypes.bfloat16]:
        signs, exponents = random.integers(0, 2, shape), random.integers(least, most, shape)
        bits = signs << 15 | exponents << 7 | random.integers(0, 128, shape)
        return bits.astype(np.uint16).view(ml_dtypes.bfloat16)

    arrays = [drawn(M, K), drawn(K, N)]
    expected, found = np.zeros((M, N), np.float32), np.ones((M, N), np.float32)
    run_kernel(kernel_of(parse_module(TEXT)), [*arrays, expected], {})
    kernel = expanded(TEXT, machine="znver4")
    room = np.zeros(1 << 16, np.uint8)
    run_natively(kernel, [*arrays, found, room], {})
    assert same(found, expected)
