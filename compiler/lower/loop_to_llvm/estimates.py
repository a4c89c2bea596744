"""Square roots and quotients within two units in the last place, where numerics are fast.

One of Newton's steps after an estimate that is within 2^-14 leaves an error of 2^-27. Zeros and
infinities, from which the step would make NaN, are what the estimate makes of them. A quotient is x
times 1 / y: where y is below 2^-126, 1 / y is infinite.
"""

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import i1, i32, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.lower.loop_to_llvm import avx512
from stepwell.compiler.lower.loop_to_llvm.newton import Inverse

_ZERO, _INFINITE, _ABOVE, _DENORMAL = 2 | 4, 8 | 16, 8, 32
"""Classes of numbers: of either sign, but for the third."""


def root(build: LlvmBuilder, x: SSAValue) -> SSAValue:
    """√x."""
    estimate = avx512.instruction(build, "rsqrt14", [x])
    near, half = build.fmul(x, estimate), build.fmul(estimate, 0.5)
    near = build.fma(near, build.fma(build.fneg(half), near, 0.5), near)
    return build.select(_is(build, x, _ZERO | _ABOVE), x, near)


def quotient(build: LlvmBuilder, x: SSAValue, y: SSAValue) -> SSAValue:
    """x / y."""
    estimate = avx512.instruction(build, "rcp14", [y])
    near = build.fma(estimate, build.fma(build.fneg(y), estimate, 1.0), estimate)
    far = _is(build, y, _ZERO | _INFINITE | _DENORMAL)
    return build.fmul(x, build.select(far, estimate, near))


def quotient_by(build: LlvmBuilder, x: SSAValue, by: Inverse) -> SSAValue:
    """x / y."""
    return build.fmul(x, by.reciprocal)


def _is(build: LlvmBuilder, x: SSAValue, classes: int) -> SSAValue:
    """Where a number is of one of these."""
    operands = x, build.constant(i32, classes)
    return build.intrinsic("llvm.x86.avx512.fpclass.ps.512", operands, vector(i1, 16))
