"""Code for AArch64: it is made on any machine, loads, and has the bits of code for x86-64."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy
import pytest

from emulated import QEMU, emulate
from stepwell import nn
from stepwell import numpy as np
from stepwell.compiling import compile
from stepwell.runtime import elf
from stepwell.runtime.artifact import Artifact

TARGETS = ("aarch64", "aarch64-dotprod")
Case = tuple[Callable[..., Any], Sequence[str]]
CASES: dict[str, Case] = {
    "a product": (lambda x, y: x @ y, ["f32[B, 70]", "f32[70, 33]"]),
    "of doubles": (lambda x, y: x @ y, ["f64[B, 70]", "f64[70, 33]"]),
    "of bf16": (lambda x, y: x @ y, ["bf16[B, 70]", "bf16[70, 33]"]),
    "of bytes": (lambda x, y: np.matmul(x, y, dtype="int32"), ["i8[B, 70]", "i8[70, 33]"]),
    "of other bytes": (lambda x, y: np.matmul(x, y, dtype="int32"), ["u8[B, 70]", "u8[70, 33]"]),
    "of words of bytes": (
        lambda x, y: np.matmul(
            x, np.reshape(np.transpose(y, (1, 3, 0, 2)), (72, 64)), dtype="int32"
        ),
        ["i8[B, 72]", "i8[2, 18, 32, 4]"],
    ),
    "softmax": (nn.softmax, ["f32[B, 70]"]),
    "functions": (lambda x: np.exp(x) + np.sin(x) * np.tanh(x) - np.floor(x), ["f32[B, 70]"]),
    "of doubles, too": (lambda x: np.exp(x) + np.sin(x) * np.tanh(x), ["f64[B, 70]"]),
    "sorting": (lambda x: np.sort(x, axis=1), ["f32[B, 70]"]),
    "sums": (lambda x: (np.sum(x), np.sum(x, axis=0), np.argmax(x, axis=1)), ["f32[B, 70]"]),
    "prefixes": (lambda x: np.cumsum(x, axis=1), ["f32[B, 70]"]),
    "conversions": (
        lambda x: (x.astype("f16"), x.astype("bf16"), (x * 100).astype("i8"), x.astype("i64")),
        ["f32[B, 70]"],
    ),
    "a convolution": (
        lambda x, w: nn.conv2d(x, w, padding="same"),
        ["f32[B, 12, 12, 8]", "f32[3, 3, 8, 16]"],
    ),
    "attention": (nn.attention, ["f32[B, 64, 32]"] * 3),
}


@pytest.fixture(scope="module", params=CASES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The program, and a file of it for AArch64 alone."""
    function, specs = CASES[request.param]
    program = compile(function, *specs)
    file = tmp_path_factory.mktemp("aarch64") / "m.well"
    compile(function, *specs, target=TARGETS).save(file)
    return program, specs, file


@pytest.mark.parametrize("target", TARGETS)
def test_the_loader_takes_the_code(made: Any, target: str) -> None:
    """All that it asks the loader for can be done, and nothing is asked of a library."""
    artifact = Artifact.open(made[2])
    (found,) = (each for each in artifact.manifest.targets if each.name == target)
    assert found.architecture == "aarch64"
    assert elf.parse(artifact.read(found.code), target, "aarch64").symbols
    assert elf.parse(artifact.read(found.pool or ""), target, "aarch64").symbols


@pytest.mark.skipif(QEMU is None, reason="there is no qemu-aarch64")
@pytest.mark.parametrize("target", TARGETS)
def test_it_has_the_bits_of_this_machine(made: Any, target: str) -> None:
    program, specs, file = made
    random = numpy.random.default_rng(0)
    inputs = [_drawn(spec.replace("B", "5"), random) for spec in specs]
    given = program(*inputs)
    expected = [numpy.asarray(each) for each in (given if isinstance(given, tuple) else (given,))]
    found = emulate(file, target, inputs, expected, {"B": 5})
    for one, other in zip(found, expected, strict=True):
        assert one.tobytes() == other.tobytes()


def _drawn(spec: str, random: numpy.random.Generator) -> Any:
    dtype, shape = spec.rstrip("]").split("[")
    sizes = tuple(map(int, shape.split(",")))
    if dtype in ("i8", "u8"):
        return random.integers(0, 256, sizes).astype("u1").view("i1" if dtype == "i8" else "u1")
    return numpy.asarray(np.asarray(random.standard_normal(sizes), dtype))


def test_instructions_are_those_of_the_machine() -> None:
    function, specs = CASES["of bytes"]
    plain, dots = (compile(function, *specs, target=name).ir("asm") for name in TARGETS)
    assert "sdot\tv" in dots
    assert "sdot" not in plain
    assert "mla\tv" in plain
