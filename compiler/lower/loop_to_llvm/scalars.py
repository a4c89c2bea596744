"""Scalar ops, and the same on vectors, as instructions: a table, and what takes more than one."""

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
from xdsl.dialects import arith, math
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, FloatAttr, IntegerAttr
from xdsl.dialects.llvm import FastMathAttr
from xdsl.ir import Attribute, Operation, OpResult, SSAValue

from stepwell.compiler.dialects.llvm.arithmetic import FloatPredicate, IntegerPredicate
from stepwell.compiler.dialects.llvm.cursor import Operand
from stepwell.compiler.dialects.llvm.types import bf16, element, f16, integer, lanes, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.dialects.loop.explicit import AnyOp, DotOp, ExtractOp, MaskOp, ShuffleOp
from stepwell.compiler.dialects.loop.scalar import CastOp, CompareOp, LanesOp, SelectOp, SplatOp
from stepwell.compiler.lower.loop_to_llvm import casts
from stepwell.compiler.lower.loop_to_llvm.types import lowered
from stepwell.runtime.dtypes import BY_NAME

Instruction = Callable[..., SSAValue]
"""Of the builder and the op's operands, already lowered."""
OfOp = Callable[..., SSAValue]
"""Of the builder, the op, and its operands, already lowered."""
Relaxable = arith.AddfOp | arith.SubfOp | arith.MulfOp | arith.DivfOp | math.SqrtOp


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
    arith.NegfOp: LlvmBuilder.fneg,
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
    math.AbsFOp: LlvmBuilder.fabs,
    math.AbsIOp: LlvmBuilder.abs,
    math.FloorOp: LlvmBuilder.floor,
    math.RoundEvenOp: LlvmBuilder.roundeven,
    math.CopySignOp: LlvmBuilder.copysign,
    math.FmaOp: LlvmBuilder.fma,
    SelectOp: LlvmBuilder.select,
    AnyOp: any_lane,
}


def relaxed(op: Relaxable, result: SSAValue) -> SSAValue:
    """An instruction's result, which may be rearranged as far as the op's may."""
    if op.fastmath.data and isinstance(result, OpResult):
        result.op.properties["fastmathFlags"] = FastMathAttr(op.fastmath.data)
    return result


def _relaxable(instruction: Instruction) -> OfOp:
    def of_op(build: LlvmBuilder, op: Relaxable, *operands: SSAValue) -> SSAValue:
        return relaxed(op, instruction(build, *operands))

    return of_op


def _compare(build: LlvmBuilder, op: CompareOp, a: SSAValue, b: SSAValue) -> SSAValue:
    """LLVM has `s` before orders of signed integers, and `o` before what does not hold of NaN."""
    name = op.predicate.data
    if op.compares_floats:
        ordered = "une" if name == "ne" else f"o{name}"
        return build.fcmp(cast("FloatPredicate", ordered), a, b)
    signed = f"s{name}" if name in ("lt", "le", "gt", "ge") else name
    return build.icmp(cast("IntegerPredicate", signed), a, b)


def _splat(build: LlvmBuilder, op: SplatOp, scalar: SSAValue) -> SSAValue:
    return build.splat(scalar, lanes(op.result.type) or 1)


def _lanes(build: LlvmBuilder, op: LanesOp, first: SSAValue) -> SSAValue:
    count = lanes(op.result.type) or 1
    return build.add(build.splat(first, count), build.iota(vector(first.type, count)))


def _mask(build: LlvmBuilder, op: MaskOp, first: SSAValue, bound: SSAValue) -> SSAValue:
    """Compares lane numbers with how many lanes are inside, both as narrow as the lanes allow.

    One comparison of a 512-bit vector then makes the mask; of 64-bit lanes it would take several.
    """
    count = lanes(op.result.type) or 1
    inside = build.smax(build.smin(build.sub(bound, first), count), 0)
    narrow = integer(next((bits for bits in (32, 16, 8) if bits * count <= 512), 16))
    type = vector(narrow, count)
    number = inside if inside.type == narrow else build.trunc(inside, narrow)
    return build.icmp("slt", build.iota(type), build.splat(number, count))


def _shuffle(build: LlvmBuilder, op: ShuffleOp, first: SSAValue, second: SSAValue) -> SSAValue:
    return build.shuffle(first, second, op.lanes.data)


def _extract(build: LlvmBuilder, op: ExtractOp, a: SSAValue) -> SSAValue:
    return build.extract_element(a, op.lane.data)


def _dot(
    build: LlvmBuilder, op: DotOp, left: SSAValue, right: SSAValue, sums: SSAValue
) -> SSAValue:
    """LLVM's intrinsics take vectors of the numbers."""
    dot, count = op.dot, lanes(sums.type) or 1
    number = bf16 if dot.left == "bf16" else integer(32 // dot.group)
    type = vector(number, count * dot.group)
    words = [build.bitcast(each, type) for each in (left, right)]
    name = dot.intrinsics[4 * count]
    if dot.name == "vpmaddwd":
        return build.add(build.intrinsic(name, words, sums.type), sums)
    return build.intrinsic(name, [sums, *words], sums.type)


def _constant(build: LlvmBuilder, op: arith.ConstantOp) -> SSAValue:
    half = _HALVES.get(element(op.result.type))
    given = _numbers(op.value)
    numbers = given if half is None else np.asarray(given).astype(half).view(np.int16).tolist()
    # As text 0.0 and -0.0 differ.
    one = len(set(map(str, numbers))) == 1
    return build.constant(lowered(op.result.type), numbers[0] if one else numbers)


def _numbers(value: Attribute) -> list[int] | list[float]:
    """A scalar's number, or those of all lanes."""
    match value:
        case IntegerAttr() | FloatAttr():
            return [value.value.data]
        case DenseIntOrFPElementsAttr():
            return [number for number in value.get_values() if not isinstance(number, tuple)]
        case _:
            raise TypeError(f"{value} is no constant of the loop level")


_HALVES: Mapping[Attribute, np.dtype[np.generic]] = {
    f16: BY_NAME["f16"].numpy,
    bf16: BY_NAME["bf16"].numpy,
}
"""What is moved as its encoding."""

WITH_PROPERTIES: Mapping[type[Operation], OfOp] = {
    CastOp: casts.cast,
    arith.AddfOp: _relaxable(LlvmBuilder.fadd),
    arith.SubfOp: _relaxable(LlvmBuilder.fsub),
    arith.MulfOp: _relaxable(LlvmBuilder.fmul),
    arith.ConstantOp: _constant,
    CompareOp: _compare,
    SplatOp: _splat,
    LanesOp: _lanes,
    MaskOp: _mask,
    ShuffleOp: _shuffle,
    ExtractOp: _extract,
    DotOp: _dot,
}
