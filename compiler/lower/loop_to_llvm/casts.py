"""Conversions: floats round once, float to integer saturates and takes NaN to 0, integers wrap."""

from collections.abc import Callable, Mapping

from xdsl.dialects.builtin import BFloat16Type, Float16Type
from xdsl.ir import Attribute, SSAValue

from stepwell.compiler.dialects.llvm.types import bits, element, f32, i16
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.dialects.loop.scalar import Cast, CastOp
from stepwell.compiler.lower.loop_to_llvm.types import lowered

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


def _from_float(convert: Callable[[LlvmBuilder, SSAValue, Attribute], SSAValue]) -> Conversion:
    def to_integer(
        build: LlvmBuilder, a: SSAValue, source: Attribute, target: Attribute
    ) -> SSAValue:
        wide = _extend(build, a, source, f32) if _is_half(source) else a
        return convert(build, wide, lowered(target))

    return to_integer


def _from_integer(convert: Callable[[LlvmBuilder, SSAValue, Attribute], SSAValue]) -> Conversion:
    def to_float(build: LlvmBuilder, a: SSAValue, source: Attribute, target: Attribute) -> SSAValue:
        """To f16 and bf16 by way of f32."""
        if _is_half(target):
            return _truncate(build, convert(build, a, f32), f32, target)
        return convert(build, a, target)

    return to_float


def _resize(extend: Callable[[LlvmBuilder, SSAValue, Attribute], SSAValue]) -> Conversion:
    def resized(build: LlvmBuilder, a: SSAValue, source: Attribute, target: Attribute) -> SSAValue:
        type = lowered(target)
        before, after = bits(a.type), bits(type)
        if before == after:
            return a
        return extend(build, a, type) if before < after else build.trunc(a, type)

    return resized


_CASTS: Mapping[str, Conversion] = {
    Cast.EXTF: _extend,
    Cast.TRUNCF: _truncate,
    Cast.FPTOSI: _from_float(LlvmBuilder.fptosi_sat),
    Cast.FPTOUI: _from_float(LlvmBuilder.fptoui_sat),
    Cast.SITOFP: _from_integer(LlvmBuilder.sitofp),
    Cast.UITOFP: _from_integer(LlvmBuilder.uitofp),
    Cast.EXTSI: _resize(LlvmBuilder.sext),
    Cast.EXTUI: _resize(LlvmBuilder.zext),
    Cast.TRUNCI: _resize(LlvmBuilder.sext),
    Cast.INDEX: _resize(LlvmBuilder.sext),
}
