"""The greater and the lesser of two vectors of floats: NaN if either is, and -0 below 0."""

from collections.abc import Callable, Mapping
from math import nan

from xdsl.dialects import arith
from xdsl.ir import Attribute, Operation, OpResult, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.llvm.types import f32, f64, i32, integer, lanes, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.dialects.loop.scalar import SplatOp
from stepwell.compiler.lower.loop_to_llvm.frame import Frame

FEATURES = {"avx512dq", "avx512vl"}
"""What a processor has that has the instructions below."""
_LEAST, _GREATEST = 4, 5
"""Of the instruction: which of two numbers; NaN is none, and 0 is above -0."""
_AS_EVER = 4
"""Of the one on whole registers: it signals as all others do."""
WAYS: Mapping[type[Operation], tuple[Callable[..., SSAValue], int]] = {
    arith.MaximumfOp: (LlvmBuilder.maximum, _GREATEST),
    arith.MinimumfOp: (LlvmBuilder.minimum, _LEAST),
}
NAMES: Mapping[Attribute, str] = {
    vector(type, size // bits): f"llvm.x86.avx512.mask.range.{name}.{size}"
    for type, bits, name in ((f32, 32, "ps"), (f64, 64, "pd"))
    for size in (128, 256, 512)
}


def evaluate(frame: Frame, op: Operation) -> None:
    """By three instructions where LLVM takes six; of a constant it knows what that is not."""
    build, (a, b) = frame.build, [frame.values[operand] for operand in operands_of(op)]
    plain, which = WAYS[type(op)]
    name = NAMES.get(a.type) if FEATURES <= {*frame.program.machine.features} else None
    if name is None or any(map(_is_constant, op.operands)):
        frame.values[op.results[0]] = plain(build, a, b)
        return
    every = build.constant(integer(max(8, lanes(a.type) or 1)), -1)
    operands = [a, b, build.constant(i32, which), a, every]
    if name.endswith("512"):
        operands.append(build.constant(i32, _AS_EVER))
    number = build.intrinsic(name, operands, a.type)
    frame.values[op.results[0]] = build.select(build.fcmp("uno", a, b), nan, number)


def _is_constant(value: SSAValue) -> bool:
    match value.owner:
        case arith.ConstantOp() | SplatOp(scalar=OpResult(owner=arith.ConstantOp())):
            return True
        case _:
            return False
