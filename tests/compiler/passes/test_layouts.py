"""Where arrays are transposed changes no element."""

from collections.abc import Sequence
from functools import partial
from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from xdsl.context import Context

import stepwell as sw
from drawing import examples
from programs import block_of, by_reference, module_of
from stepwell import Array, nn
from stepwell.compiler.dialects.nd import tensor
from stepwell.compiler.ops.joining import concatenate
from stepwell.compiler.ops.movement import Transpose
from stepwell.compiler.ops.value import Value, full
from stepwell.compiler.passes.layouts import Layouts
from stepwell.runtime.sizes import Size

ONE = Size.of(1)
CUBE = (Size.of(2),) * 3
"""All sizes are alike, so that no wrong axis is refused."""
AXES = list(permutations(range(3)))
Step = tuple[str, int, int, int]
NAMES = (
    *("transpose", "transpose", "exp", "add", "broadcast", "constant"),
    *("concatenate", "slice", "reverse", "pad"),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 2), st.integers(0, 9), st.integers(0, 5)),
    min_size=3,
    max_size=12,
)


def write(steps: Sequence[Step], *arguments: Value) -> list[Value]:
    """Each step takes one of the latest values, and perhaps any other; some, with the last, are
    what comes out."""
    *pool, vector = arguments
    outputs: list[Value] = []
    for name, first, second, number in steps:
        x, y = pool[-1 - first % len(pool)], pool[-1 - second % len(pool)]
        alike = x.shape == y.shape
        if name == "transpose":
            pool.append(x.transpose(AXES[number]))
        elif name == "exp":
            pool.append(x.apply("exp"))
        elif name == "constant":
            pool.append(x * full(0.5 + number, x.dtype, x.shape))
        elif name == "broadcast" and x.shape[number % 3] == vector.shape[0]:
            pool.append(x + vector.broadcast(x.shape, (number % 3,)))
        elif name == "add" and alike:
            pool.append(x + y)
        elif name == "concatenate" and alike:
            pool.append(concatenate([x, y], number % 3))
        elif name == "slice" and x.shape[number % 3] != ONE:
            pool.append(x.part(number % 3, ONE, ONE))
        elif name == "reverse":
            pool.append(x.apply("reverse", axes=AXES[number][: second % 3]))
        elif name == "pad":
            low, high = (tuple(Size.of(n == axis) for n in range(3)) for axis in AXES[number][:2])
            pool.append(x.pad(full(second, x.dtype), low, high))
        if not second:
            outputs.append(pool[-1])
    return [*outputs, pool[-1]]


@examples(300)
@given(STEPS)
def test_no_element_changes(steps: Sequence[Step]) -> None:
    types = [tensor("f32", CUBE), tensor("f32", CUBE), tensor("f32", CUBE[:1])]
    module = module_of(block_of(types, partial(write, steps)))
    random = np.random.default_rng(len(steps))
    given = [random.random((2,) * len(shape), np.float32) for shape in (CUBE, CUBE, CUBE[:1])]
    expected = by_reference(module, "f0", given)
    Layouts().apply(Context(), module)
    module.verify()
    for found, before in zip(by_reference(module, "f0", given), expected, strict=True):
        np.testing.assert_array_equal(found, before)


def first(x: Array, kernel: Array) -> Array:
    """A convolution where channels come first."""
    y = nn.conv2d(x.transpose(0, 2, 3, 1), kernel, padding="same")
    return y.transpose(0, 3, 1, 2)


def test_a_network_whose_channels_come_first_transposes_its_input_and_what_it_adds_last() -> None:
    def network(x: Array, a: Array, b: Array, bias: Array) -> Array:
        for _ in range(3):
            inner = nn.relu(first(x, a) * bias[:, None, None] + 1)
            x = nn.relu(first(inner, b) + x)
        return x

    specs = ["f32[N,8,H,W]", "f32[3,3,8,8]", "f32[3,3,8,8]", "f32[8]"]
    found = sw.compile(network, *map(sw.spec, specs)).ir("simple")
    assert found.count(Transpose.name) == 1 + 2
