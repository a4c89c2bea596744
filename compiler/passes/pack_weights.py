"""Lays weights out as the tiles of their products read them, once, when a program is compiled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.loop.types import SERIAL
from stepwell.compiler.dialects.nd import Moves, Weight, dtype_of, is_float, shape_of
from stepwell.compiler.ops.base import concrete
from stepwell.compiler.ops.contraction import Dot
from stepwell.compiler.ops.convolution import Convolution
from stepwell.compiler.ops.creation import WeightOp
from stepwell.compiler.ops.emission import emitting_before
from stepwell.compiler.ops.indices import ONE
from stepwell.compiler.ops.movement import Reshape, Transpose, inverse
from stepwell.compiler.ops.unary import Convert
from stepwell.compiler.ops.value import emitted
from stepwell.runtime.sizes import Size

PANEL = 128
"""Bytes of the sums beside each other: tiles that keep a core busy are parts of them."""

WORD = 4
"""Bytes that instructions multiply and add together."""


@final
@dataclass(frozen=True)
class PackWeights(ModulePass):
    """The right operand of products, `[…, K…, N]`, becomes panels, `[…, N / 32, K…, 32]`;
    of bytes, whose sums are of 32 bits, `[…, N / 32, K… / 4, 32, 4]`.

    That is done where all who read a weight, whichever entry points they are in, read it as the
    same panels, so that there is no second copy. Movement of weights is carried out likewise; what
    nobody reads any more is left to `simplify`.
    """

    name = "pack-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        known: dict[Weight, list[_Reader]] = {}
        for each in op.walk():
            if isinstance(each, WeightOp):
                known.setdefault(each.value.data, []).extend(_readers(each.result, ()))
        for weight, readers in known.items():
            if len({reader.moves for reader in readers}) == 1 and readers[0].moves:
                for reader in readers:
                    reader.read(weight)


@dataclass(frozen=True)
class _Reader:
    """An operand: a weight, after some moves of this shape, and after those `back` from there."""

    op: Operation
    number: int
    moves: Moves
    shape: tuple[int, ...]
    back: Moves = ()

    def read(self, weight: Weight) -> None:
        """Takes the weight after the moves for what it was."""
        old = self.op.operands[self.number]
        moved, shape = weight.moved(self.moves), tuple(map(Size.of, self.shape))
        with emitting_before(self.op):
            (value,) = emitted("weight", [], value=moved, dtype=dtype_of(old.type), shape=shape)
            value.ssa.name_hint = old.name_hint
            for kind, numbers in self.back:
                sizes = tuple(map(Size.of, numbers))
                value = value.transpose(numbers) if kind == "transpose" else value.reshape(sizes)
        self.op.operands[self.number] = value.ssa


def _readers(value: SSAValue, moves: Moves) -> Iterator[_Reader]:
    """All who read a weight, through whatever moves it."""
    for use in value.uses:
        is_right = use.index == 1 and is_float(dtype_of(value.type))
        match use.operation:
            case Transpose() as op:
                yield from _readers(op.result, (*moves, ("transpose", op.axes.data)))
            case Reshape() as op:
                yield from _readers(op.result, (*moves, ("reshape", concrete(op.shape.data))))
            case Dot() as op if is_right and op.order == SERIAL:
                yield _panels(op, moves, op.batch.data, op.right.data)
            case Convert() as op if (dot := _product_of_bytes(op)) is not None:
                yield _panels(op, moves, dot.batch.data, dot.right.data)
            case Convolution() as op if is_right:
                (*summed, _) = range(len(shape_of(value.type)))
                yield _panels(op, moves, 0, summed, op.groups.data.evaluate({}))
            case op:
                yield _Reader(op, use.index, moves, concrete(shape_of(value.type)))


def _product_of_bytes(op: Convert) -> Dot | None:
    """The product of several rows with bytes that are converted."""
    dot, dtypes = op.result.get_user_of_unique_use(), (dtype_of(op.x.type), op.dtype.data)
    if not isinstance(dot, Dot) or dot.rhs is not op.result or dot.order != SERIAL:
        return None
    rows = prod(shape_of(dot.result.type)[:-1], start=ONE)
    return dot if dtypes in (("i8", "i32"), ("u8", "i32")) and rows != ONE else None


def _panels(
    op: Operation, moves: Moves, batch: int, summed: Sequence[int], groups: int = 1
) -> _Reader:
    """The reader of a right operand, which is a weight after some moves, as panels.

    Where what the result has beside each other is no number of whole panels, all of it is one.
    Of bytes that are converted, neighbours along the last axis that is summed are words.
    """
    number, words = (0, (WORD,)) if isinstance(op, Convert) else (1, ())
    sizes = concrete(shape_of(op.operands[number].type))
    before = (*range(batch), *summed)
    order = (*before, *(axis for axis in range(len(sizes)) if axis not in before))
    shape = tuple(sizes[axis] for axis in order)
    there, back = _transposition(order), _transposition(inverse(order))
    inner = len(before)
    lanes = PANEL // (8 if dtype_of(op.operands[number].type) == "f64" else 4)
    count, last, panels = prod(shape[inner:]), shape[inner - 1], inner + len(words)
    if count > lanes and shape[-1] // groups % lanes == 0 and last % prod(words) == 0:
        split = (*shape[: inner - 1], last // prod(words), *words, count // lanes, lanes)
        axes = (*range(batch), panels, *range(batch, inner), panels + 1, *range(inner, panels))
        there = (*there, ("reshape", split), *_transposition(axes))
        back = (*_transposition(inverse(axes)), ("reshape", shape), *back)
        shape = tuple(split[axis] for axis in axes)
    return _Reader(op, number, (*moves, *there), shape, back)


def _transposition(axes: tuple[int, ...]) -> Moves:
    return () if list(axes) == sorted(axes) else (("transpose", axes),)
