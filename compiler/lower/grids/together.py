"""What threads of a warp do together, as instructions: exchanges of 32 bits, and barriers."""

from collections.abc import Callable, Mapping

from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.gpu import WARP, ExchangeOp, SyncOp
from stepwell.compiler.dialects.llvm.types import bits, i32, integer, lanes, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.lower.loop_to_llvm.frame import Frame

BUTTERFLY = "llvm.nvvm.shfl.sync.bfly.i32"
CLAMP = 31
"""Threads exchange within the whole warp: a distance leads out of no group."""


def exchange(frame: Frame, op: ExchangeOp) -> None:
    build, given = frame.build, frame.values[op.operand]
    numbers = [members(build, op.group.data)]
    distance, clamp = (build.constant(i32, each) for each in (op.distance.data, CLAMP))

    def moved(word: SSAValue) -> SSAValue:
        return build.intrinsic(BUTTERFLY, [*numbers, word, distance, clamp], i32)

    frame.values[op.result] = by_words(build, given, moved)


def by_words(
    build: LlvmBuilder, given: SSAValue, moved: Callable[[SSAValue], SSAValue]
) -> SSAValue:
    """A value whose bits go 32 at a time; those of narrow numbers go each in a word."""
    count, width = lanes(given.type) or 1, bits(given.type)
    if width < 32:
        parts = [_lane(build, given, number) for number in range(count)]
        words = [build.zext(build.bitcast(part, integer(width)), i32) for part in parts]
        found = [
            build.bitcast(build.trunc(moved(word), integer(width)), part.type)
            for word, part in zip(words, parts, strict=True)
        ]
        return _joined(build, given, found)
    total = count * width // 32
    words = build.bitcast(given, i32 if total == 1 else vector(i32, total))
    found = [moved(_lane(build, words, number)) for number in range(total)]
    return build.bitcast(_joined(build, words, found), given.type)


def _lane(build: LlvmBuilder, value: SSAValue, number: int) -> SSAValue:
    return value if lanes(value.type) is None else build.extract_element(value, number)


def _joined(build: LlvmBuilder, like: SSAValue, parts: list[SSAValue]) -> SSAValue:
    if lanes(like.type) is None:
        return parts[0]
    result = build.poison(like.type)
    for number, part in enumerate(parts):
        result = build.insert_element(result, part, number)
    return result


def sync(frame: Frame, op: SyncOp) -> None:
    frame.build.intrinsic_void("llvm.nvvm.bar.warp.sync", [members(frame.build, op.group.data)])


def members(build: LlvmBuilder, group: int) -> SSAValue:
    """The threads of this one's group, as bits of a word."""
    if group == WARP:
        return build.constant(i32, -1)
    lane = build.intrinsic("llvm.nvvm.read.ptx.sreg.laneid", (), i32)
    return build.shl(build.constant(i32, (1 << group) - 1), build.and_(lane, WARP - group))


STATEMENTS: Mapping[type[Operation], Callable[..., None]] = {
    ExchangeOp: exchange,
    SyncOp: sync,
}
