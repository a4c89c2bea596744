"""The ops on lanes of vectors as NumPy functions."""

from collections.abc import Callable

import numpy as np
from ml_dtypes import bfloat16

from stepwell.compiler.dialects.loop.explicit import DotOp, ExtractOp, MaskOp, ShuffleOp
from stepwell.compiler.dialects.loop.scalar import LanesOp, SplatOp
from stepwell.compiler.interpret.bf16_pairs import add_pair
from stepwell.compiler.interpret.loops.functions import Binary, Unary
from stepwell.compiler.interpret.loops.values import Value, dtype_of, lanes_of

DOT_DTYPES = {"u8": np.uint8, "i8": np.int8, "i16": np.int16}


def splat(op: SplatOp) -> Unary:
    lanes, dtype = lanes_of(op.result.type), dtype_of(op.result.type)
    return lambda scalar: scalar if lanes is None else np.full(lanes, scalar, dtype)


def lanes(op: LanesOp) -> Unary:
    numbers, dtype = np.arange(lanes_of(op.result.type) or 1), dtype_of(op.result.type)
    return lambda first: (numbers + first).astype(dtype)


def mask(op: MaskOp) -> Binary:
    numbers = np.arange(lanes_of(op.result.type) or 1)
    return lambda first, bound: numbers + first < bound


def shuffle(op: ShuffleOp) -> Binary:
    picked = np.array(op.lanes.data)
    return lambda first, second: np.concatenate((first, second))[picked]


def dot(op: DotOp) -> Callable[[Value, Value, Value], Value]:
    """Integers wrap."""
    if op.dot.sums == "f32":
        return _dot_of_pairs
    kinds = [DOT_DTYPES[op.dot.left], DOT_DTYPES[op.dot.right]]

    def add(left: Value, right: Value, sums: Value) -> Value:
        pairs = zip((left, right), kinds, strict=True)
        a, b = (np.ascontiguousarray(each).view(kind).astype(np.int32) for each, kind in pairs)
        return sums + (a * b).reshape(len(sums), -1).sum(axis=1, dtype=np.int32)

    return add


def _dot_of_pairs(left: Value, right: Value, sums: Value) -> Value:
    a, b = (np.ascontiguousarray(each).view(bfloat16).reshape(-1, 2).T for each in (left, right))
    return add_pair(sums, a, b)


def extract(op: ExtractOp) -> Callable[[Value], Value]:
    lane = op.lane.data
    return lambda vector: vector[lane]
