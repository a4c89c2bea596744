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
