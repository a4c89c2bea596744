"""Every op over a batch of operands: what it gives for each of them, whichever have the axis."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pytest
from xdsl.ir import Block

from arrays import Array, expect_close, expect_same_bits, smooth
from catalogue import Case, mnemonic, samples
from derived import batch_of, evaluated, results_of
from op_samples import domain
from programs import Interpreter, compiled, module_of, named
from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import Effect, TensorOp
from stepwell.runtime.sizes import Size


@pytest.fixture(scope="module", params=TENSOR_OPS, ids=mnemonic)
def kind(request: pytest.FixtureRequest) -> type[TensorOp]:
    return request.param


def cases(kind: type[TensorOp]) -> list[Case]:
    return [] if issubclass(kind, Effect) else samples(kind)


def subsets(count: int) -> Iterator[tuple[bool, ...]]:
    """Every choice of some of so many operands; from five on, all of them, and each one alone."""
    if count < 5:
        yield from (on for on in product((True, False), repeat=count) if any(on))
        return
    yield (True,) * count
    yield from (tuple(n == m for m in range(count)) for n in range(count))


def wide(types: Sequence[Tensor], size: int, on: Sequence[bool]) -> list[Tensor]:
    """The types with a leading axis where it is marked."""
    return [
        tensor(dtype_of(type), (Size.of(size), *shape_of(type))) if flag else type
        for type, flag in zip(types, on, strict=True)
    ]


def one_by_one(
    block: Block, arrays: Sequence[Array], size: int, on: Sequence[bool]
) -> Iterator[list[Array]]:
    for place in range(size):
        pairs = zip(arrays, on, strict=True)
        yield evaluated(block, [np.asarray(x[place]) if flag else x for x, flag in pairs])


@pytest.mark.parametrize("size", [3, 1])
def test_a_batch_is_a_loop(kind: type[TensorOp], size: int) -> None:
    for case in cases(kind):
        block = case.block()
        for on in subsets(len(case.types)):
            with named((str(case), on)):
                batched, flags = batch_of(block, Size.of(size), on)
                arrays = smooth(wide(case.types, size, on), domain(case.kind))
                found = evaluated(batched, arrays)
                for place, expected in enumerate(one_by_one(block, arrays, size, on)):
                    each = [y[place] if flag else y for y, flag in zip(found, flags, strict=True)]
                    expect_close(each, expected)


def test_a_batch_may_be_empty_or_of_any_size(kind: type[TensorOp]) -> None:
    """It has the types that it should have, and runs."""
    for case in cases(kind):
        block = case.block()
        for on in subsets(len(case.types)):
            with named((str(case), on)):
                batched, flags = batch_of(block, Size.of(0), on)
                assert results_of(batched) == wide(results_of(block), 0, flags)
                found = evaluated(batched, smooth(wide(case.types, 0, on), domain(case.kind)))
                assert [y.shape[0] for y, flag in zip(found, flags, strict=True) if flag] == [
                    0 for flag in flags if flag
                ]
                symbolic, flags = batch_of(block, Size.of("N"), on)
                arrays = smooth(wide(case.types, 2, on), domain(case.kind))
                known, _ = batch_of(block, Size.of(2), on)
                expect_close(evaluated(symbolic, arrays, N=2), evaluated(known, arrays))


@pytest.mark.slow
def test_compiled_batches_have_the_bits_of_the_interpreter(kind: type[TensorOp]) -> None:
    for case in cases(kind):
        block, choices = case.block(), list(subsets(len(case.types)))
        if not choices:
            continue
        blocks = [batch_of(block, Size.of("N"), on)[0] for on in choices]
        module = module_of(*blocks)
        interpreter, model = Interpreter(module), compiled(module)
        for number, on in enumerate(choices):
            for size in (0, 1, 3):
                arrays = smooth(wide(case.types, size, on), domain(case.kind))
                with named((str(case), on, size)):
                    expected = interpreter(f"f{number}", arrays)
                    expect_close(expected, evaluated(blocks[number], arrays, N=size))
                    expect_same_bits(model[f"f{number}"].run(arrays), expected)
