"""Square roots and quotients of vectors without the divider: Newton's steps from an estimate.

Each result is the float nearest to the exact one, as IEEE 754 has it, for every estimate that is
within 2^-14 of the exact number; docs/decisions/0024-newton-beside-the-divider.md has the proof.
(P. Markstein, "IA-64 and Elementary Functions", 2000)
"""

from dataclasses import dataclass
from typing import final

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import f32, i32, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.lower.loop_to_llvm import avx512

VECTOR = vector(f32, 16)
_DOWNWARD = 1 | 8
"""Of an FMA: rounds towards minus infinity, raises no exception."""


@final
@dataclass(frozen=True)
class Inverse:
    """Of a divisor: 1 / y, the nearest float, and where that is not for quotients."""

    y: SSAValue
    reciprocal: SSAValue
    far: SSAValue


def root(build: LlvmBuilder, x: SSAValue) -> SSAValue:
    """√x, but for what `beyond_root` finds."""
    estimate = avx512.instruction(build, "rsqrt14", [x])
    return root_from(build, x, build.select(build.fcmp("une", x, 0.0), estimate, 0.0))


def beyond_root(build: LlvmBuilder, x: SSAValue) -> SSAValue:
    """Where x is neither zero nor from 2^-88 to 2^40: among them what is negative, inf or NaN, and
    what is so small that what is left over may be denormal."""
    return build.and_(build.fcmp("une", x, 0.0), _outside(build, x, -88, 0xC0000000))


def root_from(build: LlvmBuilder, x: SSAValue, estimate: SSAValue) -> SSAValue:
    """√x, the nearest float, from an estimate of 1 / √x; 0 from 0."""
    near, half = build.fmul(x, estimate), build.fmul(estimate, 0.5)
    error = build.fma(build.fneg(half), near, 0.5)
    near, half = build.fma(near, error, near), build.fma(half, error, half)
    left = build.fma(build.fneg(near), near, x)
    return build.fma(left, half, near)


def quotient(build: LlvmBuilder, x: SSAValue, y: SSAValue) -> SSAValue:
    """x / y, but for what `beyond_quotient` finds."""
    minus = build.fneg(build.fabs(y))
    reciprocal = reciprocal_from(build, minus, avx512.instruction(build, "rcp14", [minus]))
    reciprocal = build.copysign(reciprocal, y)
    near = build.fmul(x, reciprocal)
    left = build.fma(build.fneg(y), near, x)
    # The last step would take the sign of a zero.
    return build.select(build.fcmp("une", x, 0.0), build.fma(left, reciprocal, near), near)


def beyond_quotient(build: LlvmBuilder, x: SSAValue, y: SSAValue) -> SSAValue:
    """Where |x| is neither zero nor from 2^-64 to 2^64, or |y| is not from 2^-32 to 2^32."""
    far = build.and_(build.fcmp("une", x, 0.0), _outside(build, x, -64, 0x40000000))
    return build.or_(far, _outside(build, y, -32, 0x60000000))


def inverse(build: LlvmBuilder, y: SSAValue) -> Inverse:
    far = build.or_(build.fcmp("ult", y, 2.0**-64), build.fcmp("ugt", y, 2.0**28))
    return Inverse(y, build.fdiv(1.0, y), far)


def quotient_by(build: LlvmBuilder, x: SSAValue, by: Inverse) -> SSAValue:
    """x / y, but for what `beyond_quotient_by` finds.

    Where nothing is left over, that is 0 times something below zero: so a zero keeps its sign.
    """
    near = build.fmul(x, by.reciprocal)
    excess = build.fma(by.y, near, build.fneg(x))
    return build.fma(excess, build.fneg(by.reciprocal), near)


def beyond_quotient_by(build: LlvmBuilder, x: SSAValue, by: Inverse) -> SSAValue:
    """Where |x| is neither zero nor from 2^-96 to 2^32, or y is not from 2^-64 to 2^28."""
    far = build.and_(build.fcmp("une", x, 0.0), _outside(build, x, -96, 0x40000000))
    return build.or_(far, by.far)


def reciprocal_from(build: LlvmBuilder, minus: SSAValue, estimate: SSAValue) -> SSAValue:
    """1 / x for x below zero, the nearest float, from an estimate of it.

    The first step rounds away from zero: from the other side the second one would end at 1 / 2 for
    2 - 2^-23. It has no way to do so for either sign.
    """
    error = build.fma(build.fneg(minus), estimate, 1.0)
    operands = estimate, error, estimate, build.constant(i32, _DOWNWARD)
    near = build.intrinsic("llvm.x86.avx512.vfmadd.ps.512", operands, minus.type)
    return build.fma(near, build.fma(build.fneg(minus), near, 1.0), near)


def _outside(build: LlvmBuilder, x: SSAValue, exponent: int, bits: int) -> SSAValue:
    """Where any of these bits is set once the encoding of 2^exponent is taken from that of x."""
    above = build.sub(build.bitcast(x, i32), 127 + exponent << 23)
    return build.icmp("ne", build.and_(above, bits), 0)
