"""Convolutions by tiles give what convolutions give, up to the accuracy of their matrices."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr

from drawing import examples
from programs import Array, block_of, by_reference, compiled, module_of
from stepwell.compiler.dialects.nd import Weight, tensor
from stepwell.compiler.dialects.winograd import FILTERS, transformed
from stepwell.compiler.ops.convolution import Convolution
from stepwell.compiler.ops.emission import emit
from stepwell.compiler.ops.phases import convolve
from stepwell.compiler.ops.sliding import Sliding
from stepwell.compiler.ops.structure import NUMERICS, FuncOp
from stepwell.compiler.ops.value import Value
from stepwell.compiler.passes import winograd
from stepwell.compiler.passes.winograd import Winograd
from stepwell.runtime.sizes import Size

RANDOM = np.random.default_rng(3)
ONE = Size.of(1)
Shape = Sequence[int | str]


def numbers(*shape: int) -> Array:
    return RANDOM.standard_normal(shape).astype(np.float32)


def program(
    x: Shape, w: Shape | Array, low: int = 1, high: int = 1, dtype: str = "f32", stride: int = 1
) -> ModuleOp:
    """A fast convolution of x with a kernel that is given, or a weight."""
    types = [tensor(dtype, tuple(map(Size.of, x)))]
    if not isinstance(w, np.ndarray):
        types.append(tensor(dtype, tuple(map(Size.of, w))))

    def write(x: Value, *given: Value) -> Sequence[Value]:
        kernel = given[0] if given else weight(w)
        sliding = [Sliding(n, stride, Size.of(low), Size.of(high)) for n in kernel.shape[:2]]
        return [convolve(x, kernel, sliding, ONE)]

    module = module_of(block_of(types, write))
    for op in module.ops:
        if isinstance(op, FuncOp):
            op.attributes[NUMERICS] = StringAttr("fast")
    return module


def weight(values: object) -> Value:
    assert isinstance(values, np.ndarray)
    shape = tuple(map(Size.of, values.shape))
    return Value(
        emit("weight", [], value=Weight(values=values), dtype="f32", shape=shape).results[0]
    )


def convolutions(module: ModuleOp) -> int:
    Winograd().apply(Context(), module)
    module.verify()
    return sum(isinstance(op, Convolution) for op in module.walk())


@pytest.mark.parametrize("tile", FILTERS)
def test_a_filter_is_sums_of_three(tile: int) -> None:
    """The products of a tile and a kernel, transformed and back, in f64."""
    given, kernel, found = RANDOM.random(tile + 2), RANDOM.random(3), FILTERS[tile]
    by_filter = found.output @ ((found.kernel @ kernel) * (found.input @ given))
    np.testing.assert_allclose(by_filter, np.convolve(given, kernel[::-1], "valid"), rtol=1e-13)


def test_a_kernel_is_transformed_along_both_axes() -> None:
    kernel, matrix = numbers(3, 3, 2, 5), FILTERS[2].kernel
    found = transformed(kernel, [2])
    for row, column in np.ndindex(4, 4):
        expected = np.einsum("a,b,abco->co", matrix[row], matrix[column], kernel)
        np.testing.assert_allclose(found[column * 4 + row], expected, rtol=1e-6, atol=1e-6)


@examples(24)
@given(st.data())
def test_convolutions(data: st.DataObject) -> None:
    n, h, w = (data.draw(st.integers(1, most)) for most in (3, 9, 9))
    c, o = data.draw(st.sampled_from([(8, 8), (9, 16), (32, 24)]))
    low, high = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
    tile, known = data.draw(st.sampled_from(list(FILTERS))), data.draw(st.booleans())
    x, kernel = numbers(n, h, w, c), numbers(3, 3, c, o)
    given = [x] if known else [x, kernel]
    module = program(x.shape, kernel if known else kernel.shape, low, high)
    (expected,) = by_reference(module, "f0", given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "best_tile", lambda op: tile)
        assert convolutions(module) == 0
    for found in (*by_reference(module, "f0", given), *compiled(module).f0(*given)):
        np.testing.assert_allclose(found, expected, atol=3e-5 * c)


def test_sizes_may_be_symbols() -> None:
    kernel = numbers(3, 3, 64, 64)
    module, other = program(["N", "H", "W", 64], kernel), program(["N", "H", "W", 64], kernel)
    assert convolutions(module) == 0
    model = compiled(module)
    for shape in ((1, 4, 4, 64), (2, 7, 5, 64), (0, 3, 3, 64), (1, 1, 0, 64)):
        x = numbers(*shape)
        (expected,) = by_reference(other, "f0", [x])
        (found,) = model.f0(x)
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_the_error_is_small() -> None:
    x, kernel = numbers(1, 28, 28, 128), numbers(3, 3, 128, 128)
    module = program(x.shape, kernel)
    Winograd().apply(Context(), module)
    (found,) = compiled(module).f0(x)
    (exact,) = by_reference(program(x.shape, kernel.shape), "f0", [x, kernel])
    assert np.abs(found - exact).max() <= 2e-5 * np.abs(exact).max()


@pytest.mark.parametrize(
    ("x", "w", "stride"),
    [
        ((1, 28, 28, 4), (3, 3, 4, 64), 1),  # few channels
        ((1, 28, 28, 64), (3, 3, 64, 64), 2),
        ((1, 28, 28, 64), (5, 5, 64, 64), 1),
        ((1, 28, 28, 64), (3, 1, 64, 64), 1),
        ((1, 1, 1, 512), (3, 3, 512, 512), 1),  # kernels that are transformed take longer to come
    ],
)
def test_what_is_better_as_it_is_stays(x: Shape, w: Shape, stride: int) -> None:
    assert convolutions(program(x, w, stride=stride)) == 1


def test_doubles_and_what_is_cut_off_stay() -> None:
    assert convolutions(program((1, 28, 28, 64), (3, 3, 64, 64), dtype="f64")) == 1
    assert convolutions(program((1, 28, 28, 64), (3, 3, 64, 64), low=-1)) == 1


def test_large_kernels_are_transformed_in_calls_only_for_many_images() -> None:
    assert convolutions(program((1, 7, 7, 512), (3, 3, 512, 512))) == 1
    assert convolutions(program((64, 7, 7, 512), (3, 3, 512, 512))) == 0
