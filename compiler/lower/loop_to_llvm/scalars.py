"""Scalar ops, and the same ops on vectors, as instructions: a table, and what is not one of them."""

from collections.abc import Callable, Mapping

from stepwell.compiler.dialects.llvm.builder import LlvmBuilder
from stepwell.compiler.dialects.llvm.cursor import Operand
from stepwell.compiler.dialects.llvm.types import element, i64, integer, lanes, vector
from stepwell.compiler.dialects.loop.explicit import AnyOp, ExtractOp, MaskOp, ShuffleOp
from stepwell.compiler.dialects.loop.scalar import LanesOp, SelectOp, SplatOp
from stepwell.compiler.lower.loop_to_llvm.types import lowered
from xdsl.dialects import arith, math
from xdsl.ir import Operation, SSAValue

Instruction = Callable[..., SSAValue]
"""Of the builder and the op's operands, already lowered."""
OfOp = Callable[..., SSAValue]
"""Of the builder, the op, and its operands, already lowered."""


def floor_division(build: LlvmBuilder, a: Operand, b: Operand) -> SSAValue:
    """The quotient rounded down; the divisor is not zero."""
    a, b = build.values(a, b)
    quotient = build.sdiv(a, b)
    inexact = build.icmp("ne", build.mul(quotient, b), a)
    negative = build.icmp("slt", build.xor(a, b), 0)
    below = build.and_(inexact, negative)
    # A mask sign-extended is -1 where it is set.
    return build.add(quotient, build.sext(below, element(a.type)))


def any_lane(build: LlvmBuilder, mask: SSAValue) -> SSAValue:
    return mask if lanes(mask.type) is None else build.reduce("or", mask)


INSTRUCTIONS: Mapping[type[Operation], Instruction] = {
    arith.AddfOp: LlvmBuilder.fadd,
    arith.SubfOp: LlvmBuilder.fsub,
    arith.MulfOp: LlvmBuilder.fmul,
    arith.DivfOp: LlvmBuilder.fdiv,
    arith.NegfOp: LlvmBuilder.fneg,
    arith.MaximumfOp: LlvmBuilder.maximum,
    arith.MinimumfOp: LlvmBuilder.minimum,
    arith.AddiOp: LlvmBuilder.add,
    arith.SubiOp: LlvmBuilder.sub,
    arith.MuliOp: LlvmBuilder.mul,
    arith.DivSIOp: LlvmBuilder.sdiv,
    arith.DivUIOp: LlvmBuilder.udiv,
    arith.RemSIOp: LlvmBuilder.srem,
    arith.RemUIOp: LlvmBuilder.urem,
    arith.FloorDivSIOp: floor_division,
    arith.MaxSIOp: LlvmBuilder.smax,
    arith.MinSIOp: LlvmBuilder.smin,
    arith.MaxUIOp: LlvmBuilder.umax,
    arith.MinUIOp: LlvmBuilder.umin,
    arith.AndIOp: LlvmBuilder.and_,
    arith.OrIOp: LlvmBuilder.or_,
    arith.XOrIOp: LlvmBuilder.xor,
    arith.ShLIOp: LlvmBuilder.shl,
    arith.ShRSIOp: LlvmBuilder.ashr,
    arith.ShRUIOp: LlvmBuilder.lshr,
    arith.SelectOp: LlvmBuilder.select,
    math.AbsFOp: LlvmBuilder.fabs,
    math.AbsIOp: LlvmBuilder.abs,
    math.SqrtOp: LlvmBuilder.sqrt,
    math.FloorOp: LlvmBuilder.floor,
    math.RoundEvenOp: LlvmBuilder.roundeven,
    math.CopySignOp: LlvmBuilder.copysign,
    math.FmaOp: LlvmBuilder.fma,
    SelectOp: LlvmBuilder.select,
    AnyOp: any_lane,
}


def _compare_integers(build: LlvmBuilder, op: arith.CmpiOp, a: SSAValue, b: SSAValue) -> SSAValue:
    return build.icmp(_INTEGER_PREDICATES[op.predicate.value.data], a, b)


def _compare_floats(build: LlvmBuilder, op: arith.CmpfOp, a: SSAValue, b: SSAValue) -> SSAValue:
    return build.fcmp(_FLOAT_PREDICATES[op.predicate.value.data], a, b)


def _splat(build: LlvmBuilder, op: SplatOp, scalar: SSAValue) -> SSAValue:
    return build.splat(scalar, lanes(op.result.type) or 1)


def _lanes(build: LlvmBuilder, op: LanesOp, first: SSAValue) -> SSAValue:
    type = lowered(op.result.type)
    scalar = element(type)
    first = first if scalar == i64 else build.trunc(first, scalar)
    count = lanes(type)
    if count is None:
        return first
    return build.add(build.splat(first, count), build.iota(vector(scalar, count)))


def _mask(build: LlvmBuilder, op: MaskOp, first: SSAValue, bound: SSAValue) -> SSAValue:
    """Compares lane numbers with how many lanes are inside, both as narrow as the lanes allow.

    One comparison of a 512-bit vector then makes the mask; of 64-bit lanes it would take several.
    """
    count = lanes(op.result.type) or 1
    inside = build.smax(build.smin(build.sub(bound, first), count), 0)
    narrow = integer(next((bits for bits in (32, 16, 8) if bits * count <= 512), 16))
    type = vector(narrow, count)
    return build.icmp("slt", build.iota(type), build.splat(build.trunc(inside, narrow), count))


def _shuffle(build: LlvmBuilder, op: ShuffleOp, first: SSAValue, second: SSAValue) -> SSAValue:
    return build.shuffle(first, second, op.lanes.data)


def _extract(build: LlvmBuilder, op: ExtractOp, a: SSAValue) -> SSAValue:
    return build.extract_element(a, op.lane.data)


WITH_PROPERTIES: Mapping[type[Operation], OfOp] = {
    arith.CmpiOp: _compare_integers,
    arith.CmpfOp: _compare_floats,
    SplatOp: _splat,
    LanesOp: _lanes,
    MaskOp: _mask,
    ShuffleOp: _shuffle,
    ExtractOp: _extract,
}
