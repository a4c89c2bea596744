"""Indices of 32 bits, where a grid's all fit: a GPU computes those of 64 bits in several steps."""

from collections.abc import Callable, Mapping

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import Attribute, Operation

from stepwell.compiler.dialects.llvm.types import bits, element, i32, lanes, vector
from stepwell.compiler.dialects.loop.scalar import Cast, CastOp, LanesOp
from stepwell.compiler.lower.loop_to_llvm.casts import cast
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.scalars import WITH_PROPERTIES
from stepwell.compiler.lower.loop_to_llvm.types import lowered

MOST = (1 << 31) - 1


def narrowed(type: Attribute) -> Attribute:
    """A type of the loop level, with indices of 32 bits."""
    if not isinstance(element(type), IndexType):
        return lowered(type)
    count = lanes(type)
    return i32 if count is None else vector(i32, count)


def _constant(frame: Frame, op: arith.ConstantOp) -> None:
    match op.value:
        case IntegerAttr(type=IndexType()) as number:
            frame.values[op.result] = frame.build.constant(frame.index, number.value.data)
        case _:
            frame.values[op.result] = WITH_PROPERTIES[arith.ConstantOp](frame.build, op)


def _lanes(frame: Frame, op: LanesOp) -> None:
    """Numbers that are narrower than indices wrap."""
    build, first = frame.build, frame.values[op.first]
    type = frame.type_of(op.result)
    scalar, count = element(type), lanes(type) or 1
    if bits(scalar) != bits(first.type):
        resized = build.sext if bits(scalar) > bits(first.type) else build.trunc
        first = resized(first, scalar)
    frame.values[op.result] = build.add(
        build.splat(first, count), build.iota(vector(scalar, count))
    )


def _cast(frame: Frame, op: CastOp) -> None:
    """A number that is no index becomes the nearest one, which lies outside wherever that does."""
    build, operand = frame.build, frame.values[op.operand]
    if op.cast is not Cast.INDEX:
        frame.values[op.result] = cast(build, op, operand)
        return
    type = frame.type_of(op.result)
    if bits(operand.type) > bits(type):
        if isinstance(element(op.result.type), IndexType):
            operand = build.smax(build.smin(operand, MOST), -MOST - 1)
        operand = build.trunc(operand, element(type))
    elif bits(operand.type) < bits(type):
        operand = build.sext(operand, element(type))
    frame.values[op.result] = operand


STATEMENTS: Mapping[type[Operation], Callable[..., None]] = {
    arith.ConstantOp: _constant,
    LanesOp: _lanes,
    CastOp: _cast,
}
