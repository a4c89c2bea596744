"""Weights in panels: products over any axes, and convolutions, are what they were, bit for bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from xdsl.context import Context

from drawing import examples
from programs import Interpreter, block_of, by_reference, compiled, module_of
from stepwell.compiler.dialects.nd import Weight, tensor
from stepwell.compiler.ops.creation import WeightOp
from stepwell.compiler.ops.emission import emit
from stepwell.compiler.ops.movement import inverse
from stepwell.compiler.ops.value import Value
from stepwell.compiler.passes.pack_weights import PackWeights
from stepwell.compiler.passes.simplify import Simplify
from stepwell.runtime.sizes import Size

SIZES = st.sampled_from([1, 2, 3, 32, 64])
RANDOM = np.random.default_rng(7)


def weight(shape: Sequence[int], dtype: str = "f32") -> Value:
    """Small integers, of which all sums are exact."""
    values = RANDOM.integers(-4, 5, shape).astype({"f32": "f4", "f64": "f8"}[dtype])
    sizes = tuple(map(Size.of, shape))
    return Value(
        emit("weight", [], value=Weight(values=values), dtype=dtype, shape=sizes).results[0]
    )


def numbers(shape: Sequence[int], dtype: str) -> NDArray[Any]:
    return RANDOM.integers(-4, 5, shape).astype({"f32": "f4", "f64": "f8"}[dtype])


@examples(60)
@given(st.data())
def test_products_over_any_axes(data: st.DataObject) -> None:
    batch = data.draw(st.lists(SIZES.filter(lambda n: n < 32), max_size=1), "batch")
    summed = data.draw(st.lists(SIZES, min_size=1, max_size=2), "summed")
    kept = data.draw(st.lists(SIZES, min_size=1, max_size=2), "kept")
    dtype = data.draw(st.sampled_from(["f32", "f64"]), "dtype")
    own = data.draw(st.permutations(range(len(summed) + len(kept))), "the weight's own axes")
    turned = data.draw(st.permutations(range(len(batch) + len(own))), "moved before")
    sizes = [*batch, *([*summed, *kept][axis] for axis in own)]
    right = [len(batch) + own.index(axis) for axis in range(len(summed))]
    left = range(len(batch) + 1, len(batch) + 1 + len(summed))

    def write(x: Value) -> Sequence[Value]:
        w = weight([sizes[axis] for axis in turned], dtype).transpose(inverse(turned))
        return [x.dot(w, len(batch), left, right)]

    shape = (*batch, 3, *summed)
    block = block_of([tensor(dtype, tuple(map(Size.of, shape)))], write)
    module, x = module_of(block), numbers(shape, dtype)
    (expected,) = by_reference(module, "f0", [x])
    PackWeights().apply(Context(), module)
    module.verify()
    (packed,) = by_reference(module, "f0", [x])
    np.testing.assert_array_equal(packed, expected)
    (nests,) = Interpreter(module)("f0", [x])
    np.testing.assert_array_equal(nests, expected)


def test_machine_code_reads_the_panels() -> None:
    def write(x: Value) -> Sequence[Value]:
        return [x.dot(weight((40, 96)), 0, (1,), (0,))]

    block = block_of([tensor("f32", (Size.of("M"), Size.of(40)))], write)
    module = module_of(block)
    model = compiled(module)
    assert [each.type.shape for each in model.manifest.entries["f0"].arguments[1:]] == [
        tuple(map(Size.of, (3, 40, 32)))
    ]
    for rows in (0, 1, 5, 33):
        x = numbers((rows, 40), "f32")
        (expected,) = by_reference(module, "f0", [x])
        np.testing.assert_array_equal(model["f0"].run([x])[0], expected)


def test_nobody_else_is_left_with_the_weight() -> None:
    def write(x: Value) -> Sequence[Value]:
        w = weight((64, 5))
        return [x.dot(w.transpose((1, 0)), 0, (1,), (0,)), x.dot(w, 0, (1,), (1,))]

    module = module_of(block_of([tensor("f32", (Size.of(2), Size.of(5)))], write))
    for each in (PackWeights(), Simplify()):
        each.apply(Context(), module)
    found = {op.value.data for op in module.walk() if isinstance(op, WeightOp)}
    assert [each.moves[-1] for each in found] == [("transpose", (1, 0, 2))]
