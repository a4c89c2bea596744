"""The scalar ops as NumPy functions, lane by lane; vectors and index grids are arrays alike."""

from collections.abc import Callable, Mapping
from operator import add, and_, eq, ge, gt, le, lt, mul, ne, neg, or_, sub, truediv, xor
from typing import Any

import numpy as np
from stepwell.compiler.dialects.loop.explicit import AnyOp, ExtractOp, MaskOp, ShuffleOp
from stepwell.compiler.dialects.loop.scalar import CastOp, LanesOp, SelectOp, SplatOp
from stepwell.compiler.interpret.fma import fma32, fma64
from stepwell.compiler.interpret.lanes import evaluate
from stepwell.compiler.interpret.loops.casts import CASTS, signed, unsigned, wrap
from stepwell.compiler.interpret.loops.values import Value, constant, dtype_of, lanes_of
from xdsl.dialects import arith, math
from xdsl.ir import Operation

Function = Callable[..., Value]


def maximum(a: Value, b: Value) -> Value:
    """NaN if either is; +0 is above -0: equal floats differ in the sign of zero only, and `&` keeps
    it if both have it."""
    return _extremum(np.maximum, np.bitwise_and, a, b)


def minimum(a: Value, b: Value) -> Value:
    """NaN if either is; -0 is below +0."""
    return _extremum(np.minimum, np.bitwise_or, a, b)


def _extremum(function: Function, join: Function, a: Value, b: Value) -> Value:
    result = function(a, b)
    zero = np.asarray(result == 0)
    if not zero.any():
        return result
    integer = f"i{result.dtype.itemsize}"
    sign = join(np.asarray(a).view(integer), np.asarray(b).view(integer)).view(result.dtype)
    return np.where(zero & (a == b), sign, result)


def fma(a: Value, b: Value, c: Value) -> Value:
    """`a * b + c`: floats are rounded once, integers wrap."""
    dtype = np.asarray(c).dtype
    if dtype == np.float32:
        return fma32(a, b, c)
    return fma64(a, b, c) if dtype == np.float64 else a * b + c


def select(condition: Value, true: Value, false: Value) -> Value:
    """Of arrays lane by lane."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, true, false)
    return true if condition else false


def _read_as(read: Function, function: Function) -> Function:
    """The function on operands read as signed or unsigned, the result in their own type."""

    def of_read(*operands: Value) -> Value:
        return wrap(np.asarray(function(*map(read, operands))), np.asarray(operands[0]).dtype)

    return of_read


def _compared(read: Function, function: Function) -> Function:
    return lambda a, b: function(read(a), read(b))


def _dividing(function: Function) -> Function:
    """Refuses what traps in compiled code: rules put a safe divisor in the place of others."""

    def divided(a: Value, b: Value) -> Value:
        if np.any(np.equal(b, 0)):
            raise ZeroDivisionError("an integer division by zero, which traps in compiled code")
        lowest = np.iinfo(a.dtype).min
        if lowest < 0 and np.any((a == lowest) & (b == -1)):
            raise OverflowError("the least integer divided by -1 traps in compiled code")
        return function(a, b)

    return divided


def _quotient(a: Value, b: Value) -> Value:
    """Towards zero."""
    return (a - np.fmod(a, b)) // b


def _math(name: str) -> Function:
    return lambda *operands: evaluate(name, *map(np.asarray, operands))


_PLAIN: Mapping[type[Operation], Function] = {
    arith.AddfOp: add,
    arith.SubfOp: sub,
    arith.MulfOp: mul,
    arith.DivfOp: truediv,
    arith.NegfOp: neg,
    arith.MaximumfOp: maximum,
    arith.MinimumfOp: minimum,
    arith.AddiOp: add,
    arith.SubiOp: sub,
    arith.MuliOp: mul,
    arith.DivSIOp: _read_as(signed, _dividing(_quotient)),
    arith.DivUIOp: _read_as(unsigned, _dividing(np.floor_divide)),
    arith.RemSIOp: _read_as(signed, _dividing(np.fmod)),
    arith.RemUIOp: _read_as(unsigned, _dividing(np.fmod)),
    arith.FloorDivSIOp: _read_as(signed, _dividing(np.floor_divide)),
    arith.MaxSIOp: _read_as(signed, np.maximum),
    arith.MinSIOp: _read_as(signed, np.minimum),
    arith.MaxUIOp: _read_as(unsigned, np.maximum),
    arith.MinUIOp: _read_as(unsigned, np.minimum),
    arith.AndIOp: and_,
    arith.OrIOp: or_,
    arith.XOrIOp: xor,
    arith.ShRSIOp: _read_as(signed, np.right_shift),
    arith.ShRUIOp: _read_as(unsigned, np.right_shift),
    arith.ShLIOp: _read_as(unsigned, np.left_shift),
    math.AbsFOp: np.abs,
    math.AbsIOp: _read_as(signed, np.abs),
    math.SqrtOp: np.sqrt,
    math.RsqrtOp: _math("rsqrt"),
    math.ExpOp: _math("exp"),
    math.LogOp: _math("log"),
    math.SinOp: _math("sin"),
    math.CosOp: _math("cos"),
    math.TanhOp: _math("tanh"),
    math.ErfOp: _math("erf"),
    math.PowFOp: _math("pow"),
    math.FloorOp: np.floor,
    math.RoundEvenOp: np.rint,
    math.CopySignOp: np.copysign,
    math.FmaOp: fma,
    SelectOp: select,
    AnyOp: np.any,
}
_INTEGER_PREDICATES: tuple[Function, ...] = (
    eq,
    ne,
    *(_compared(signed, each) for each in (lt, le, gt, ge)),
    *(_compared(unsigned, each) for each in (lt, le, gt, ge)),
)
_FLOAT_PREDICATES: Mapping[int, Function] = {1: eq, 2: gt, 3: ge, 4: lt, 5: le, 13: ne}


def _constant(op: arith.ConstantOp) -> Function:
    value = constant(op.value)
    return lambda: value


def _cast(op: CastOp) -> Function:
    convert, dtype = CASTS[op.cast], dtype_of(op.result.type)
    return lambda x: convert(np.asarray(x), dtype)


def _splat(op: SplatOp) -> Function:
    lanes, dtype = lanes_of(op.result.type), dtype_of(op.result.type)
    return lambda x: np.full(lanes or (), x, dtype)


def _lanes(op: LanesOp) -> Function:
    counted = np.arange(lanes_of(op.result.type) or 1)
    dtype = dtype_of(op.result.type)
    return lambda first: (first + counted).astype(dtype)


def _mask(op: MaskOp) -> Function:
    counted = np.arange(lanes_of(op.result.type) or 1)
    return lambda first, bound: first + counted < bound


def _shuffle(op: ShuffleOp) -> Function:
    lanes = np.array(op.lanes.data)
    return lambda a, b: np.concatenate((a, b))[lanes]


def _extract(op: ExtractOp) -> Function:
    lane = op.lane.data
    return lambda vector: vector[lane]


_WITH_PROPERTIES: Mapping[type[Operation], Callable[[Any], Function]] = {
    arith.ConstantOp: _constant,
    arith.CmpfOp: lambda op: _FLOAT_PREDICATES[op.predicate.value.data],
    arith.CmpiOp: lambda op: _INTEGER_PREDICATES[op.predicate.value.data],
    CastOp: _cast,
    SplatOp: _splat,
    LanesOp: _lanes,
    MaskOp: _mask,
    ShuffleOp: _shuffle,
    ExtractOp: _extract,
}


def function_of(op: Operation) -> Function:
    """What a scalar op computes from the values of its operands. Raises KeyError for others."""
    kind = type(op)
    if (plain := _PLAIN.get(kind)) is not None:
        return plain
    return _WITH_PROPERTIES[kind](op)
