"""What is read through reshapes is read where it lies, with padding in front, too."""

import numpy as np
import pytest

import stepwell as sw
from stepwell import numpy as snp


@pytest.mark.parametrize("before", range(5))
def test_padding_in_front_of_an_axis_that_another_operand_has_split(before: int) -> None:
    """The padding is, or is not, a multiple of the axis that the reshape has joined."""

    def padded(module, x, y):
        behind, front = ((0, 0), (0, 0), (0, before)), ((0, 0), (0, 0), (before, 0))
        x, y = (module.reshape(module.swapaxes(each, 1, 2), (2, 3, 4)) for each in (x, y))
        return module.pad(x, behind) + module.pad(y, front)

    x = np.arange(24, dtype=np.float32).reshape(2, 2, 3, 2)
    program = sw.compile(lambda x, y: padded(snp, x, y), *["f32[2,2,3,2]"] * 2)
    np.testing.assert_array_equal(program(x, 2 * x), padded(np, x, 2 * x))


@pytest.mark.parametrize("size", ["20", "N"])
def test_what_is_padded_or_joined_is_read_by_windows_that_are_padded_too(size: str) -> None:
    """Of a row's end that is outside of the window, and of the image inside of it."""

    def convolved(x, w):
        outer = snp.pad(x, ((0, 0), (1, 2), (2, 1), (0, 0)))
        joined = snp.concatenate([x, x[:, :3]], axis=1)
        return [sw.nn.conv2d(each, w, padding=2) for each in (outer, joined)]

    x, w = (
        np.random.default_rng(0).standard_normal(s, "f4") for s in ((2, 20, 20, 4), (3, 3, 4, 16))
    )
    program = sw.compile(convolved, f"f32[2,20,{size},4]", "f32[3,3,4,16]")
    for found, wanted in zip(program(x, w), convolved(snp.asarray(x), snp.asarray(w)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
