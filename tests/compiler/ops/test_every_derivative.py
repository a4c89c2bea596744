"""The derivatives of every op: against finite differences, each other, and of second order."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from xdsl.ir import Block

from arrays import Array, expect_close, expect_same_bits
from catalogue import Case, distinct, mnemonic, samples, sized, symbolic, with_values
from derived import (
    difference,
    directions,
    evaluated,
    is_f64,
    product,
    pullback_of,
    results_of,
    tangent_of,
    types_of,
)
from programs import Interpreter, by_reference, compiled, module_of, named
from stepwell.compiler.dialects.nd import Tensor, dtype_of, is_float, numpy_dtype
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import Effect, TensorOp

NO_REVERSE = ("while",)
"""Ops without reverse mode; see test_gaps.py."""


@pytest.fixture(scope="module", params=TENSOR_OPS, ids=mnemonic)
def kind(request: pytest.FixtureRequest) -> type[TensorOp]:
    return request.param


def smooth_cases(kind: type[TensorOp]) -> Iterator[tuple[Case, Block]]:
    """The samples, also with sizes 0 and 1, that take and give some f64, and no other floats."""
    if issubclass(kind, Effect):
        return
    for case in distinct(v for each in samples(kind) for v in (each, *sized(each))):
        block = case.block()
        if _in_f64(types_of(block)) and _in_f64(results_of(block)):
            yield case, block


def _in_f64(types: Sequence[Tensor]) -> bool:
    floats = {dtype_of(type) for type in types if is_float(dtype_of(type))}
    return floats == {"f64"}


def subsets(types: Sequence[Tensor]) -> list[list[bool]]:
    """All f64 together, and each alone."""
    flags = [is_f64(type) for type in types]
    alone = [[n == m for m in range(len(flags))] for n, flag in enumerate(flags) if flag]
    return [flags, *(each for each in alone if each != flags)]


def marked(on: Sequence[bool], arrays: Sequence[Array]) -> list[Array]:
    return [array for array, flag in zip(arrays, on, strict=True) if flag]


def test_tangents_are_finite_differences(kind: type[TensorOp]) -> None:
    for case, block in smooth_cases(kind):
        arrays, moves = case.arrays(), directions(case.types, 0)
        for on in subsets(case.types):
            with named((str(case), on)):
                tangent = tangent_of(block, on)
                found = evaluated(tangent, [*arrays, *marked(on, moves)])
                along = [move if flag else None for move, flag in zip(moves, on, strict=True)]
                expect_near(found, difference(block, arrays, along))


def test_gradients_are_transposed_tangents(kind: type[TensorOp]) -> None:
    """<w, J v> = <J' w, v>."""
    if mnemonic(kind) in NO_REVERSE:
        return
    for case, block in smooth_cases(kind):
        arrays, moves = case.arrays(), directions(case.types, 0)
        for on in subsets(case.types):
            with named((str(case), on)):
                expect_transposed(block, on, arrays, marked(on, moves))


def test_pullbacks_have_derivatives(kind: type[TensorOp]) -> None:
    """Forward over reverse against finite differences, reverse over reverse against that."""
    if mnemonic(kind) in NO_REVERSE:
        return
    for case, block in smooth_cases(kind):
        with named(case):
            pullback = pullback_of(block, [is_f64(type) for type in case.types])
            types = types_of(pullback)
            arrays = [*case.arrays(), *directions(types[len(case.types) :], 1)]
            on, moves = [is_f64(type) for type in types], directions(types, 2)
            found = evaluated(tangent_of(pullback, on), [*arrays, *marked(on, moves)])
            along = [move if flag else None for move, flag in zip(moves, on, strict=True)]
            expect_near(found, difference(pullback, arrays, along))
            expect_transposed(pullback, on, arrays, marked(on, moves))


def test_gradients_have_the_types_of_what_they_are_by(kind: type[TensorOp]) -> None:
    if mnemonic(kind) in NO_REVERSE or issubclass(kind, Effect):
        return
    for case in samples(kind):
        with named(case):
            block = case.block()
            wanted = [is_float(dtype_of(type)) for type in case.types]
            pullback = pullback_of(block, wanted)
            assert results_of(pullback) == marked(wanted, case.types)


def test_gradients_hold_for_symbolic_sizes(kind: type[TensorOp]) -> None:
    if mnemonic(kind) in NO_REVERSE or issubclass(kind, Effect):
        return
    for case, values in (each for sample in samples(kind) for each in symbolic(sample)):
        static = with_values(case, values)
        wanted = [is_float(dtype_of(type)) for type in case.types]
        with named((str(case), values)):
            known = pullback_of(static.block(), wanted)
            given = [*static.arrays(), *seeds(types_of(known)[len(case.types) :])]
            found = evaluated(pullback_of(case.block(), wanted), given, **values)
            expect_close(found, evaluated(known, given))


@pytest.mark.slow
def test_compiled_derivatives_have_the_bits_of_the_interpreter(kind: type[TensorOp]) -> None:
    for case, block in smooth_cases(kind):
        on = [is_f64(type) for type in case.types]
        blocks = [tangent_of(block, on)]
        if mnemonic(kind) not in NO_REVERSE:
            blocks += [pullback_of(block, on), tangent_of(blocks[-1], on + [False] * sum(on))]
        module = module_of(*blocks)
        interpreter, model = Interpreter(module), compiled(module)
        for number, each in enumerate(blocks):
            arrays = [*case.arrays(), *directions(types_of(each)[len(on) :], 3)]
            with named((str(case), number)):
                expected = interpreter(f"f{number}", arrays)
                expect_close(expected, by_reference(module, f"f{number}", arrays))
                expect_same_bits(model[f"f{number}"].run(arrays), expected)


def seeds(types: Sequence[Tensor]) -> list[Array]:
    pairs = zip(directions(types, 4), types, strict=True)
    return [array.astype(numpy_dtype(dtype_of(type))) for array, type in pairs]


def expect_near(found: Sequence[Array], expected: Sequence[Array]) -> None:
    for a, b in zip(found, expected, strict=True):
        scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8 * scale)


def expect_transposed(
    block: Block, on: Sequence[bool], arrays: Sequence[Array], moves: Sequence[Array]
) -> None:
    tangents = evaluated(tangent_of(block, on), [*arrays, *moves])
    weights = directions([type for type in results_of(block) if is_f64(type)], 5)
    cotangents = evaluated(pullback_of(block, on), [*arrays, *weights])
    left, right = product(weights, tangents), product(cotangents, moves)
    size = product(list(map(np.abs, weights)), list(map(np.abs, tangents)))
    assert abs(left - right) <= 1e-11 * (size + 1)
