"""The greater and the lesser of two vectors of floats: NaN if either is, and -0 below 0."""

from collections.abc import Callable, Mapping
from math import nan

from xdsl.dialects import arith
from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.llvm.types import bits, i32, lanes
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.dialects.loop.scalar import SplatOp
from stepwell.compiler.lower.loop_to_llvm import avx512
from stepwell.compiler.lower.loop_to_llvm.frame import Frame

FEATURES = {"avx512dq", "avx512vl"}
"""What a processor has that has the instruction."""
SIZES = (128, 256, avx512.WHOLE)
_LEAST, _GREATEST = 4, 5
"""Of the instruction: which of two numbers; NaN is none, and 0 is above -0."""
WAYS: Mapping[type[Operation], tuple[Callable[..., SSAValue], int]] = {
    arith.MaximumfOp: (LlvmBuilder.maximum, _GREATEST),
    arith.MinimumfOp: (LlvmBuilder.minimum, _LEAST),
}


def evaluate(frame: Frame, op: Operation) -> None:
    """By three instructions where LLVM takes six; of a constant it knows what that is not."""
    build, (a, b) = frame.build, frame.operands(op)
    plain, which = WAYS[type(op)]
    able = FEATURES <= {*frame.program.machine.features}
    size = bits(a.type) * (lanes(a.type) or 1)
    if not able or size not in SIZES or any(map(_is_constant, op.operands)):
        frame.values[op.results[0]] = plain(build, a, b)
        return
    operands = [a, b, build.constant(i32, which)]
    number = avx512.instruction(build, "mask.range", operands, rounds=True)
    frame.values[op.results[0]] = build.select(build.fcmp("uno", a, b), nan, number)


def _is_constant(value: SSAValue) -> bool:
    number = value.owner.scalar if isinstance(value.owner, SplatOp) else value
    return isinstance(number.owner, arith.ConstantOp)
