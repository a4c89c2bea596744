"""Vectors taken apart and turned: halves, single lanes, and square tiles transposed."""

from collections.abc import Sequence

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import element, lanes, vector
from stepwell.compiler.dialects.loop.explicit import ExtractOp, ShuffleOp
from stepwell.compiler.dialects.sizes import IntsAttr, NumberAttr
from stepwell.compiler.lower.writer import Writer


def shuffle(writer: Writer, a: SSAValue, b: SSAValue, numbers: Sequence[int]) -> SSAValue:
    """Lanes of two vectors, numbered through."""
    type = vector(element(a.type), len(numbers))
    return writer.pure(ShuffleOp, (a, b), type, {"lanes": IntsAttr(tuple(numbers))})


def halved(writer: Writer, value: SSAValue) -> tuple[SSAValue, SSAValue]:
    """The lower and the upper half of a vector."""
    count = lanes(value.type) or 1
    low, high = range(count // 2), range(count // 2, count)
    return shuffle(writer, value, value, low), shuffle(writer, value, value, high)


def extract(writer: Writer, value: SSAValue, lane: int) -> SSAValue:
    return writer.pure(ExtractOp, (value,), element(value.type), {"lane": NumberAttr(lane)})


def turned_around(writer: Writer, value: SSAValue) -> SSAValue:
    """The lanes from the last to the first."""
    return shuffle(writer, value, value, range((lanes(value.type) or 1) - 1, -1, -1))


def transposed(writer: Writer, rows: Sequence[SSAValue]) -> list[SSAValue]:
    """The columns of a square matrix, whose side is a power of two.

    Blocks off the diagonal change places, of half the side, then of a quarter, … (J. Eklundh, "A
    fast computer method for matrix transposing", IEEE Transactions on Computers 21, 1972).
    """
    side, matrix = len(rows), list(rows)
    block = side // 2
    while block:
        upper = [lane + (side - block if lane & block else 0) for lane in range(side)]
        lower = [lane + (side if lane & block else block) for lane in range(side)]
        for row in (row for row in range(side) if not row & block):
            pair = matrix[row], matrix[row + block]
            matrix[row] = shuffle(writer, *pair, upper)
            matrix[row + block] = shuffle(writer, *pair, lower)
        block //= 2
    return matrix
