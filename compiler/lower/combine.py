"""How a fold joins terms and accumulators, as explicit ops on scalars or vectors."""

from collections.abc import Mapping, Sequence
from math import inf

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import AnyFloat, i1
from xdsl.ir import Attribute, SSAValue

from stepwell.compiler.dialects.construct import NOTHING
from stepwell.compiler.dialects.llvm.types import bits, element, like
from stepwell.compiler.dialects.llvm.types import lanes as width
from stepwell.compiler.dialects.loop.types import Combine
from stepwell.compiler.lower.shuffles import extract, halved
from stepwell.compiler.lower.writer import Writer
from stepwell.compiler.ops.functions import FLOAT, SIGNED, UNSIGNED, OpClass, defaults

Parts = Sequence[SSAValue]
"""One accumulator or term: a value and its index for argmax and argmin, a value for the other
kinds, or several that are folded side by side."""

PICKING = frozenset((Combine.MAX, Combine.MIN, Combine.ARGMAX, Combine.ARGMIN))
"""What gives one of the terms."""


def identity(kind: Combine, types: Sequence[Attribute]) -> list[tuple[float | int, Attribute]]:
    """What an accumulator starts with: constants and their scalar types."""
    first = types[0]
    if kind in (Combine.ARGMAX, Combine.ARGMIN):
        extreme = Combine.MAX if kind == Combine.ARGMAX else Combine.MIN
        return [*identity(extreme, [first]), *identity(Combine.MIN, types[1:])]
    if isinstance(first, AnyFloat):
        neutral = {Combine.MUL: 1.0, Combine.MAX: -inf, Combine.MIN: inf}
        return [(neutral.get(kind, 0.0), type) for type in types]
    return [(_integer_identity(kind, type), type) for type in types]


def _integer_identity(kind: Combine, type: Attribute) -> int:
    count, unsigned = bits(type), is_unsigned(type)
    least, greatest = (0, 2**count - 1) if unsigned else (-(2 ** (count - 1)), 2 ** (count - 1) - 1)
    return {
        Combine.MUL: 1,
        Combine.AND: greatest if unsigned else -1,
        Combine.MAX: least,
        Combine.MIN: greatest,
    }.get(kind, 0)


def is_unsigned(type: Attribute) -> bool:
    """Whether an integer type is that of truth values or of u8."""
    return bits(type) <= 8


def join(writer: Writer, kind: Combine, left: Parts, right: Parts) -> Parts:
    """Two accumulators in one; for a single term, the accumulator with the term."""
    if kind in (Combine.ARGMAX, Combine.ARGMIN):
        return _better(writer, kind, left, right)
    type = left[0].type
    op = _op(kind, element(type))
    pairs = zip(left, right, strict=True)
    return [writer.pure(op, (a, b), type, {**defaults(op), **_freedom(op, b)}) for a, b in pairs]


def _freedom(op: OpClass, term: SSAValue) -> Mapping[str, Attribute]:
    """A term that is a product and may be rearranged leaves that to the sum, too: one rounding."""
    product = term.owner
    if op is arith.AddfOp and isinstance(product, arith.MulfOp):
        return {"fastmath": product.fastmath}
    return NOTHING


def take(
    writer: Writer, kind: Combine, accumulator: Parts, terms: Parts, *, later: bool = False
) -> Parts:
    """The accumulator after the terms of one position; `later` if its index is greater than all
    before."""
    if later and kind in (Combine.ARGMAX, Combine.ARGMIN):
        return _better_later(writer, kind, accumulator, terms)
    if kind != Combine.FMA:
        return join(writer, kind, accumulator, terms)
    first, second = terms
    if isinstance(element(first.type), AnyFloat):
        operands = (first, second, accumulator[0])
        return [writer.pure(math.FmaOp, operands, first.type, defaults(math.FmaOp))]
    product = writer.pure(arith.MuliOp, terms, first.type, defaults(arith.MuliOp))
    return join(writer, kind, accumulator, [product])


def _op(kind: Combine, type: Attribute) -> OpClass:
    """What joins two numbers of a scalar type; products are added."""
    table = FLOAT if isinstance(type, AnyFloat) else UNSIGNED if is_unsigned(type) else SIGNED
    return table[Combine.ADD if kind == Combine.FMA else kind]


def _better(writer: Writer, kind: Combine, best: Parts, other: Parts) -> Parts:
    """The pair with the greater (lesser) value, NaN before all; of equal ones the first."""
    value, index = best
    scalar, truth = element(value.type), like(value.type, i1)
    sign = "u" if is_unsigned(scalar) else ""

    def both(op: OpClass, a: SSAValue, b: SSAValue) -> SSAValue:
        return writer.pure(op, (a, b), truth)

    better = "gt" if kind == Combine.ARGMAX else "lt"
    wins = writer.compare(sign + better, other[0], value)
    ties = writer.compare("eq", other[0], value)
    if isinstance(scalar, AnyFloat):
        nan, other_nan = (writer.compare("ne", each, each) for each in (value, other[0]))
        one = writer.pure(arith.XOrIOp, (nan, other_nan), truth)
        wins = both(arith.OrIOp, wins, both(arith.AndIOp, other_nan, one))
        ties = both(arith.OrIOp, ties, both(arith.AndIOp, other_nan, nan))
    earlier = both(arith.AndIOp, ties, writer.compare("lt", other[1], index))
    wins = both(arith.OrIOp, wins, earlier)
    return [writer.select(wins, b, a) for a, b in zip(best, other, strict=True)]


def _better_later(writer: Writer, kind: Combine, best: Parts, other: Parts) -> Parts:
    """The same of a pair whose index is the greater one: it has to be better, or the first NaN."""
    value, scalar = best[0], element(best[0].type)
    sign = "u" if is_unsigned(scalar) else ""
    stays = writer.compare(sign + ("le" if kind == Combine.ARGMAX else "ge"), other[0], value)
    if isinstance(scalar, AnyFloat):
        nan = writer.compare("ne", value, value)
        stays = writer.pure(arith.OrIOp, (stays, nan), stays.type)
    return [writer.select(stays, a, b) for a, b in zip(best, other, strict=True)]


def pairwise(writer: Writer, kind: Combine, accumulators: Sequence[Parts]) -> Parts:
    """`a[i] = a[i] + a[i + half]` for half the number of accumulators, a quarter, … 1.

    Their number is a power of two, or there are fewer: the missing ones are the identity, which
    changes nothing.
    """
    level = list(accumulators)
    half = 1 << (len(level) - 1).bit_length() >> 1
    while half:
        level = [
            join(writer, kind, level[i], level[i + half]) if i + half < len(level) else level[i]
            for i in range(min(half, len(level)))
        ]
        half //= 2
    return level[0]


def tree(writer: Writer, kind: Combine, vectors: Sequence[Parts]) -> Parts:
    """All lanes of some vectors in one scalar, pairwise, as if they were one long vector."""
    accumulator = pairwise(writer, kind, vectors)
    lanes = width(accumulator[0].type) or 1
    while lanes > 2:
        lanes //= 2
        halves = [halved(writer, each) for each in accumulator]
        accumulator = join(writer, kind, [low for low, _ in halves], [high for _, high in halves])
    ends = [[extract(writer, each, lane) for each in accumulator] for lane in range(lanes)]
    return pairwise(writer, kind, ends)
