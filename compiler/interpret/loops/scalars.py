"""The table of scalar ops: each op's class, and the function on NumPy arrays that it stands for.

Nests apply them to arrays over the index grid, explicit loops to NumPy scalars and vectors.
"""

from collections.abc import Callable, Mapping
from operator import add, eq, ge, gt, le, lt, mul, ne, sub
from typing import Any

import numpy as np
from xdsl.dialects import arith, math
from xdsl.ir import Operation

from stepwell.compiler.dialects.loop.explicit import AnyOp, DotOp, ExtractOp, MaskOp, ShuffleOp
from stepwell.compiler.dialects.loop.scalar import (
    CastOp,
    CompareOp,
    Comparison,
    LanesOp,
    SelectOp,
    SplatOp,
)
from stepwell.compiler.interpret.loops import vectors
from stepwell.compiler.interpret.loops.casts import CASTS
from stepwell.compiler.interpret.loops.functions import (
    Function,
    Unary,
    as_signed,
    as_unsigned,
    both,
    comparing_signed,
    comparing_unsigned,
    differing,
    divide,
    dividing,
    either,
    fma,
    maximum,
    minimum,
    negate,
    polynomial,
    quotient,
    select,
)
from stepwell.compiler.interpret.loops.values import constant, dtype_of

PLAIN: Mapping[type[Operation], Function] = {
    arith.AddfOp: add,
    arith.SubfOp: sub,
    arith.MulfOp: mul,
    arith.DivfOp: divide,
    arith.NegfOp: negate,
    arith.MaximumfOp: maximum,
    arith.MinimumfOp: minimum,
    arith.AddiOp: add,
    arith.SubiOp: sub,
    arith.MuliOp: mul,
    arith.DivSIOp: as_signed(dividing(quotient)),
    arith.DivUIOp: as_unsigned(dividing(np.floor_divide)),
    arith.RemSIOp: as_signed(dividing(np.fmod)),
    arith.RemUIOp: as_unsigned(dividing(np.fmod)),
    arith.FloorDivSIOp: as_signed(dividing(np.floor_divide)),
    arith.MaxSIOp: as_signed(np.maximum),
    arith.MinSIOp: as_signed(np.minimum),
    arith.MaxUIOp: as_unsigned(np.maximum),
    arith.MinUIOp: as_unsigned(np.minimum),
    arith.AndIOp: both,
    arith.OrIOp: either,
    arith.XOrIOp: differing,
    arith.ShLIOp: as_unsigned(np.left_shift),
    arith.ShRSIOp: as_signed(np.right_shift),
    arith.ShRUIOp: as_unsigned(np.right_shift),
    math.AbsFOp: np.abs,
    math.AbsIOp: as_signed(np.abs),
    math.SqrtOp: np.sqrt,
    math.ExpOp: polynomial("exp"),
    math.LogOp: polynomial("log"),
    math.SinOp: polynomial("sin"),
    math.CosOp: polynomial("cos"),
    math.TanhOp: polynomial("tanh"),
    math.ErfOp: polynomial("erf"),
    math.PowFOp: polynomial("pow"),
    math.FloorOp: np.floor,
    math.RoundEvenOp: np.rint,
    math.CopySignOp: np.copysign,
    math.FmaOp: fma,
    SelectOp: select,
    AnyOp: np.any,
}
"""Ops of which nothing but the operands matters."""

FLOATS: Mapping[Comparison, Function] = {
    Comparison.EQ: eq,
    Comparison.NE: ne,
    Comparison.LT: lt,
    Comparison.LE: le,
    Comparison.GT: gt,
    Comparison.GE: ge,
}
INTEGERS: Mapping[Comparison, Function] = {
    Comparison.EQ: eq,
    Comparison.NE: ne,
    Comparison.LT: comparing_signed(lt),
    Comparison.LE: comparing_signed(le),
    Comparison.GT: comparing_signed(gt),
    Comparison.GE: comparing_signed(ge),
    Comparison.ULT: comparing_unsigned(lt),
    Comparison.ULE: comparing_unsigned(le),
    Comparison.UGT: comparing_unsigned(gt),
    Comparison.UGE: comparing_unsigned(ge),
}


def _constant(op: arith.ConstantOp) -> Function:
    value = constant(op.value)
    return lambda: value


def _cast(op: CastOp) -> Unary:
    convert, dtype = CASTS[op.cast], dtype_of(op.result.type)
    return lambda x: convert(np.asarray(x), dtype)[()]


def _compare(op: CompareOp) -> Function:
    return (FLOATS if op.compares_floats else INTEGERS)[op.comparison]


WITH_PROPERTIES: Mapping[type[Operation], Callable[[Any], Function]] = {
    arith.ConstantOp: _constant,
    CompareOp: _compare,
    CastOp: _cast,
    SplatOp: vectors.splat,
    LanesOp: vectors.lanes,
    MaskOp: vectors.mask,
    ShuffleOp: vectors.shuffle,
    ExtractOp: vectors.extract,
    DotOp: vectors.dot,
}
"""Ops that make their function of their properties and types."""


def function_of(op: Operation) -> Function | None:
    """What a scalar op computes from the values of its operands; None for an op that is none."""
    if (plain := PLAIN.get(type(op))) is not None:
        return plain
    made = WITH_PROPERTIES.get(type(op))
    return made(op) if made is not None else None
