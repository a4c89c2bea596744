"""Conversions: floats round once, float to integer saturates and takes NaN to 0, integers wrap."""

from collections.abc import Callable, Mapping
from functools import partial

from xdsl.dialects.builtin import BFloat16Type, Float16Type
from xdsl.ir import Attribute, SSAValue

from stepwell.compiler.dialects.llvm.types import bits, element, f32, i16
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.dialects.loop.scalar import Cast, CastOp
from stepwell.compiler.lower.loop_to_llvm.types import lowered

Convert = Callable[[LlvmBuilder, SSAValue, Attribute], SSAValue]
"""The builder's method for it, given the type of the result."""
Conversion = Callable[[LlvmBuilder, SSAValue, Attribute, Attribute], SSAValue]
"""Of a value from one scalar type of the loop level to another, lane by lane."""


def cast(build: LlvmBuilder, op: CastOp, operand: SSAValue) -> SSAValue:
    if op.cast is Cast.BITCAST:
        type = lowered(op.result.type)
        return operand if operand.type == type else build.bitcast(operand, type)
    return _CASTS[op.kind.data](build, operand, element(op.operand.type), element(op.result.type))


def _is_half(type: Attribute) -> bool:
    return isinstance(type, Float16Type | BFloat16Type)


def _extend(build: LlvmBuilder, a: SSAValue, source: Attribute, target: Attribute) -> SSAValue:
    return build.extend_float(build.bitcast(a, source) if _is_half(source) else a, target)


def _truncate(build: LlvmBuilder, a: SSAValue, source: Attribute, target: Attribute) -> SSAValue:
    half = _is_half(target)
    narrow = build.truncate_float(a, target)
    return build.bitcast(narrow, i16) if half else narrow


def _from_float(
    convert: Convert, build: LlvmBuilder, a: SSAValue, source: Attribute, target: Attribute
) -> SSAValue:
    wide = _extend(build, a, source, f32) if _is_half(source) else a
    return convert(build, wide, lowered(target))


def _from_integer(
    convert: Convert, build: LlvmBuilder, a: SSAValue, source: Attribute, target: Attribute
) -> SSAValue:
    """To f16 and bf16 by way of f32."""
    if _is_half(target):
        return _truncate(build, convert(build, a, f32), f32, target)
    return convert(build, a, target)


def _resize(
    extend: Convert, build: LlvmBuilder, a: SSAValue, source: Attribute, target: Attribute
) -> SSAValue:
    type = lowered(target)
    before, after = bits(a.type), bits(type)
    if before == after:
        return a
    return extend(build, a, type) if before < after else build.trunc(a, type)


_CASTS: Mapping[str, Conversion] = {
    Cast.EXTF: _extend,
    Cast.TRUNCF: _truncate,
    Cast.FPTOSI: partial(_from_float, LlvmBuilder.fptosi_sat),
    Cast.FPTOUI: partial(_from_float, LlvmBuilder.fptoui_sat),
    Cast.SITOFP: partial(_from_integer, LlvmBuilder.sitofp),
    Cast.UITOFP: partial(_from_integer, LlvmBuilder.uitofp),
    Cast.EXTSI: partial(_resize, LlvmBuilder.sext),
    Cast.EXTUI: partial(_resize, LlvmBuilder.zext),
    Cast.TRUNCI: partial(_resize, LlvmBuilder.sext),
    Cast.INDEX: partial(_resize, LlvmBuilder.sext),
}
