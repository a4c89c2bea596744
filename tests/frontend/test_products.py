"""Products of bytes with sums that hold them: `matmul(x, y, dtype="int32")`."""

from typing import Any

import numpy
import pytest

from stepwell import numpy as np
from stepwell.array import asarray
from stepwell.compiler.targets.cpu import host
from stepwell.compiling import compile, jit
from stepwell.runtime.errors import CompileError

both = pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
EXTREMES = {"i8": (-128, 127), "u8": (0, 255)}


@both
@pytest.mark.parametrize("right", EXTREMES)
@pytest.mark.parametrize("left", EXTREMES)
def test_no_byte_saturates(run: Any, left: str, right: str) -> None:
    """As it would in the saturating instructions."""
    for a in EXTREMES[left]:
        for b in EXTREMES[right]:
            x, y = np.full((5, 70), a, left), np.full((70, 40), b, right)
            found = run(lambda x, y: np.matmul(x, y, dtype=np.int32))(x, y)
            assert found.dtype == "i32"
            assert set(numpy.unique(numpy.asarray(found))) == {70 * a * b}


@both
def test_bytes_multiply_as_in_numpy(run: Any) -> None:
    random = numpy.random.default_rng(0)
    x, y = (random.integers(-128, 128, shape).astype("i1") for shape in ((3, 9, 33), (33, 20)))
    wide = run(lambda x, y: np.matmul(x, y, dtype="int32"))(x, y)
    numpy.testing.assert_array_equal(wide, numpy.matmul(x, y, dtype=numpy.int32))
    narrow = run(lambda x, y: x @ y)(asarray(x), asarray(y))
    assert narrow.dtype == "i8"
    numpy.testing.assert_array_equal(narrow, numpy.matmul(x, y))


@both
def test_a_layer_of_bytes_has_its_scale_behind_it(run: Any) -> None:
    x = numpy.arange(-60, 60, dtype="i1").reshape(4, 30)
    w = numpy.arange(-100, 110, dtype="i1").reshape(30, 7)

    def layer(x: Any, w: Any) -> Any:
        sums = np.matmul(x, w, dtype="int32").astype("f32") * 0.01
        return np.clip(np.round(sums), -128, 127).astype("int8")

    found = numpy.asarray(run(layer)(asarray(x), asarray(w)))
    sums = (x.astype("i4") @ w.astype("i4")).astype("f4") * numpy.float32(0.01)
    numpy.testing.assert_array_equal(found, numpy.clip(numpy.round(sums), -128, 127).astype("i1"))


def test_they_are_computed_by_the_machine_s_instruction() -> None:
    program = compile(lambda x, y: np.matmul(x, y, dtype="int32"), "i8[64, 64]", "i8[64, 64]")
    features = {*host().features}
    best = "vpdpbusd" if features & {"avx512vnni", "avxvnni"} else "vpmaddwd"
    assert ("tdpbssd" if "amx-int8" in features else best) in program.ir("asm")


def test_fast_products_of_bf16_are_pairs_where_that_pays() -> None:
    shapes = "bf16[64, 64]", "bf16[64, 64]"
    for target, numerics, pairs in (
        ("znver5", "fast", True),
        ("znver4", "strict", False),
        ("sapphirerapids", "fast", False),
        ("x86-64-v4", "fast", False),
    ):
        program = compile(lambda x, y: x @ y, *shapes, target=target, numerics=numerics)
        assert ("<pairs>" in program.ir("nests")) is pairs
        assert ("vdpbf16ps" in program.ir("asm")) is pairs


def test_a_row_and_floats_keep_their_order_under_fast_numerics() -> None:
    for shapes in (("bf16[64]", "bf16[64, 64]"), ("f32[64, 64]", "f32[64, 64]")):
        program = compile(lambda x, y: x @ y, *shapes, target="znver5", numerics="fast")
        assert "<pairs>" not in program.ir("nests")


def test_floats_are_not_made_integers() -> None:
    with pytest.raises(CompileError) as caught:
        np.matmul(np.ones((2, 2)), np.ones((2, 2)), dtype="int32")
    assert (caught.value.code, caught.value.sentence) == (
        "SW0104",
        "f32 is not converted to i32 by itself, which is of a lower kind",
    )
