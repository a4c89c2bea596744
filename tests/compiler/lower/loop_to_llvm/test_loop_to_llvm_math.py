"""Math functions as machine code: the interpreter's bits, in scalars and in vectors."""

import numpy as np
import pytest

from stepwell.compiler.lower.loop_to_llvm.math_functions import NAMES
from stepwell.compiler.lower.polynomials import FUNCTIONS

COUNT = 256
MNEMONICS = {name: op.name for op, name in NAMES.items()}


def kernel(name: str, dtype: str, lanes: int) -> str:
    x, v = f"!loop.buffer<[{COUNT}] x {dtype}>", f"vector<{lanes}x{dtype}>" if lanes else dtype
    operands = "%p, %q" if name == "pow" else "%p"
    return f"""
loop.kernel @k(%a: {x}, %b: {x}) -> (%y: {x}) {{
  %zero = loop.index 0
  %n = loop.index {COUNT}
  loop.for %i = %zero to %n step {lanes or 1} {{
    %p = loop.load %a[%i] : {x} to {v}
    %q = loop.load %b[%i] : {x} to {v}
    %r = {MNEMONICS[name]} {operands} : {v}
    loop.store %r, %y[%i] : {v} to {x}
    loop.yield
  }}
}}"""


def specimens(dtype: str, seed: int) -> np.ndarray:
    """Ordinary numbers, numbers of any size, and all that is special."""
    rng = np.random.default_rng(seed)
    limits = np.finfo(dtype)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 2.0, float(limits.max)]
    special += [float(limits.tiny), -float(limits.tiny) / 4, 1e5, -1e5, 88.7, -87.4, 709.7, 1e30]
    bits = rng.integers(np.iinfo(f"i{limits.dtype.itemsize}").max, size=100)
    parts = [
        np.array(special).astype(dtype),
        bits.astype(f"i{limits.dtype.itemsize}").view(dtype),
        (rng.standard_normal(COUNT - 100 - len(special)) * 5).astype(dtype),
    ]
    return rng.permutation(np.concatenate(parts))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions(agree, name, dtype):
    numpy = dtype.replace("f", "float")
    a, b = specimens(numpy, 1), specimens(numpy, 2)
    for lanes in (0, 8):
        agree(kernel(name, dtype, lanes), [a, b, np.zeros_like(a)])


def test_a_part_that_is_rarely_used_is_one_function_of_its_own(native):
    once = "    %r = math.sin %p : vector<8xf32>"
    source = kernel("sin", "f32", 8)
    assert once in source
    twice = source.replace(
        once, f"    %s = math.sin %p : vector<8xf32>\n{once.replace('%p', '%s')}"
    )
    heads = [line for line in native(twice).text.splitlines() if line.startswith("define")]
    assert [head.split("@")[1].split("(")[0] for head in heads] == ["k", "sin.rare1.1"]
    assert "cold noinline" in heads[1]
