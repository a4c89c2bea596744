"""Programs derived from programs, derivatives and batches, and what numbers say about them."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from xdsl.ir import Block

from arrays import Array
from programs import LOCATION, block_of
from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of
from stepwell.compiler.ops.base import bound, evaluate
from stepwell.compiler.ops.control import floating
from stepwell.compiler.ops.emission import emitting
from stepwell.compiler.ops.regions import copied, inline
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value, Zero, dense
from stepwell.compiler.transforms import BlockTransforms
from stepwell.runtime.sizes import Size

Function: TypeAlias = Callable[[Sequence[Array]], list[Array]]
TRANSFORMS = BlockTransforms()
STEP = 1e-4


def types_of(block: Block) -> tuple[Tensor, ...]:
    return tuple(Value(argument).type for argument in block.args)


def results_of(block: Block) -> list[Tensor]:
    return [Value(value).type for value in yielded(block)]


def tangent_of(block: Block, on: Sequence[bool]) -> Block:
    """Takes the arguments, then tangents of those marked; gives the tangents of all floats."""
    with emitting(Block(), LOCATION):
        moved, flags = TRANSFORMS.forward(block, on)
    types = results_of(block)
    active = floating(yielded(block))

    def write(*arguments: Value) -> list[Value]:
        values = inline(moved, arguments)
        tangents = iter(values[len(types) :])
        known = [next(tangents) if flag else Zero(t) for t, flag in zip(types, flags, strict=True)]
        return [dense(t) for t, flag in zip(known, active, strict=True) if flag]

    return block_of(types_of(moved), write)


def pullback_of(block: Block, wanted: Sequence[bool]) -> Block:
    """Takes the arguments, then cotangents of all floats; gives those of the arguments marked."""
    with emitting(Block(), LOCATION):
        forward = copied(block)
        active = floating(yielded(forward))
        seeds = [t for t, flag in zip(results_of(forward), active, strict=True) if flag]
        half = TRANSFORMS.split(forward, wanted, active)
    last = forward.last_op
    assert last is not None
    last.operands = half.residuals
    count = len(block.args)

    def write(*arguments: Value) -> list[Value]:
        return inline(half.back, [*inline(forward, arguments[:count]), *arguments[count:]])

    return block_of([*types_of(block), *seeds], write)


def batch_of(block: Block, size: Size, on: Sequence[bool]) -> tuple[Block, tuple[bool, ...]]:
    """The block with a leading axis on the arguments marked, and which results have it."""
    with emitting(Block(), LOCATION):
        return TRANSFORMS.batch(block, size, on)


def evaluated(block: Block, arrays: Sequence[Array], **sizes: int) -> list[Array]:
    """What a block gives, by reference."""
    with np.errstate(all="ignore"), bound(sizes):
        return [np.asarray(value) for value in evaluate(block, arrays)]


def difference(
    block: Block, arrays: Sequence[Array], directions: Sequence[Array | None]
) -> list[Array]:
    """The derivative of the floats that a block gives, from four values along the directions.

    The five-point rule: its error is of order STEP**4.
    """

    def at(distance: float) -> list[Array]:
        moved = [
            x if v is None else np.asarray(x + distance * STEP * v)
            for x, v in zip(arrays, directions, strict=True)
        ]
        return [y for y in evaluated(block, moved) if y.dtype == np.float64]

    near = [_minus(a, b) for a, b in zip(at(1), at(-1), strict=True)]
    far = [_minus(a, b) for a, b in zip(at(2), at(-2), strict=True)]
    return [(8 * n - f) / (12 * STEP) for n, f in zip(near, far, strict=True)]


def _minus(a: Array, b: Array) -> Array:
    """What stays infinite does not change."""
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0.0, a - b)


def directions(types: Sequence[Tensor], seed: int) -> list[Array]:
    """One array for each type, of about 1."""
    random = np.random.default_rng([seed, 1])
    return [
        np.asarray(random.standard_normal([size.evaluate({}) for size in shape_of(type)]))
        for type in types
    ]


def product(a: Sequence[Array], b: Sequence[Array]) -> float:
    """The inner product over all elements."""
    return float(sum(np.sum(x * y) for x, y in zip(a, b, strict=True)))


def is_f64(type: Tensor) -> bool:
    return dtype_of(type) == "f64"
