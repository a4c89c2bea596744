"""Instructions of AVX-512 on all lanes of a vector, by the names of LLVM's intrinsics."""

from collections.abc import Sequence

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import bits, i32, integer, lanes
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder

FEATURE = "avx512f"
"""What a processor has that has those on whole registers."""
WHOLE = 512
"""Bits of a register."""
_AS_EVER = 4
"""Rounds, and raises exceptions, as all instructions do."""


def instruction(
    build: LlvmBuilder, name: str, operands: Sequence[SSAValue], *, rounds: bool = False
) -> SSAValue:
    """The result is of the first operand's type. Some instructions on whole registers are told how
    to round."""
    type = operands[0].type
    count, kind = lanes(type) or 1, {32: "ps", 64: "pd"}[bits(type)]
    size = count * bits(type)
    given = [*operands, operands[0], build.constant(integer(max(8, count)), -1)]
    if rounds and size == WHOLE:
        given.append(build.constant(i32, _AS_EVER))
    return build.intrinsic(f"llvm.x86.avx512.{name}.{kind}.{size}", given, type)
