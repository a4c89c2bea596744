"""Lays weights out as the tiles of their products read them, once, when a program is compiled."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.loop.types import SERIAL
from stepwell.compiler.dialects.nd import Moves, Weight, dtype_of, is_float, shape_of
from stepwell.compiler.ops.contraction import Dot
from stepwell.compiler.ops.convolution import Convolution
from stepwell.compiler.ops.creation import WeightOp
from stepwell.compiler.ops.emission import emit, emitting, emitting_before
from stepwell.compiler.ops.movement import Reshape, Transpose, inverse
from stepwell.compiler.ops.value import Value
from stepwell.runtime.sizes import Size

PANEL = 128
"""Bytes of the sums beside each other: all tiles that keep a core busy are a part of them."""


@final
@dataclass(frozen=True)
class PackWeights(ModulePass):
    """The right operand of products, `[…, K…, N…]`, becomes panels, `[…, N / 32, K…, 32]`.

    That is done where all who read a weight, whichever entry points they are in, read it as the
    same panels, so that there is no second copy. Movement of weights is carried out likewise.
    """

    name = "pack-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        known: dict[Weight, list[WeightOp]] = {}
        for each in op.walk():
            if isinstance(each, WeightOp):
                known.setdefault(each.value.data, []).append(each)
        for weight, ops in known.items():
            readers = [reader for each in ops for reader in _readers(each.result, ())]
            if len({reader.layout for reader in readers}) == 1:
                for reader in readers:
                    reader.read(weight)
                for each in ops:
                    _drop(each)


@dataclass(frozen=True)
class _Layout:
    """How a weight lies in memory: after some moves, of this shape."""

    moves: Moves
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Reader:
    """An operand, which is a weight of a layout with the moves `back` from there."""

    op: Operation
    number: int
    layout: _Layout
    back: Moves

    def read(self, weight: Weight) -> None:
        """Reads it of a weight of this layout, if that is another than it has already."""
        home, old = self.op.parent, self.op.operands[self.number]
        if not self.layout.moves or home is None:
            return
        parameters = {
            "value": weight.moved(self.layout.moves),
            "dtype": dtype_of(old.type),
            "shape": tuple(map(Size.of, self.layout.shape)),
        }
        with emitting(home), emitting_before(self.op):
            value = Value(emit("weight", [], **parameters).results[0])
            value.ssa.name_hint = old.name_hint
            for kind, numbers in self.back:
                if kind == "transpose":
                    value = value.transpose(numbers)
                else:
                    value = value.reshape(tuple(map(Size.of, numbers)))
        self.op.operands[self.number] = value.ssa


def _readers(value: SSAValue, moves: Moves) -> Iterator[_Reader]:
    """All who read a weight, through whatever moves it."""
    for use in value.uses:
        match use.operation:
            case Transpose() as op:
                yield from _readers(op.result, (*moves, ("transpose", op.axes.data)))
            case Reshape() as op:
                yield from _readers(op.result, (*moves, ("reshape", _sizes(op.result))))
            case Dot() | Convolution() as op if use.index == 1 and _is_tiled(op):
                yield _panels(op, moves)
            case op:
                yield _Reader(op, use.index, _Layout(moves, _sizes(value)), ())


def _sizes(value: SSAValue) -> tuple[int, ...]:
    """The shape of a weight, which is known."""
    return tuple(size.evaluate({}) for size in shape_of(value.type))


def _is_tiled(op: Dot | Convolution) -> bool:
    """Whether tiles take several sums beside each other, which are of the right operand's axes."""
    is_serial = isinstance(op, Convolution) or op.order == SERIAL
    return is_serial and is_float(dtype_of(op.rhs.type)) and bool(_order(op)[1])


def _order(op: Dot | Convolution) -> tuple[list[int], list[int]]:
    """The axes of a right operand: what is shared or summed over, and what the result has beside
    each other."""
    rank = len(shape_of(op.rhs.type))
    if isinstance(op, Convolution):
        return list(range(rank - 1)), [rank - 1]
    before = [*range(op.batch.data), *op.right.data]
    return before, [axis for axis in range(rank) if axis not in before]


def _panels(op: Dot | Convolution, moves: Moves) -> _Reader:
    """The reader of a right operand, which is a weight after some moves, as panels.

    Where what is beside each other is no number of whole panels, all of it is one.
    """
    before, beside = _order(op)
    order = (*before, *beside)
    sizes = tuple(_sizes(op.rhs)[axis] for axis in order)
    there, back = _transposition(order), _transposition(inverse(order))
    outer, count = sizes[: len(before)], prod(sizes[len(before) :])
    unit = sizes[-1] // op.groups.data.evaluate({}) if isinstance(op, Convolution) else sizes[-1]
    lanes = PANEL // (8 if dtype_of(op.rhs.type) == "f64" else 4)
    if count > lanes and unit % lanes == 0:
        batch = op.batch.data if isinstance(op, Dot) else 0
        axes = (*range(batch), len(outer), *range(batch, len(outer)), len(outer) + 1)
        split = (*outer, count // lanes, lanes)
        there = (*there, ("reshape", split), *_transposition(axes))
        back = (*_transposition(inverse(axes)), ("reshape", sizes), *back)
        sizes = tuple(split[axis] for axis in axes)
    return _Reader(op, 1, _Layout((*moves, *there), sizes), back)


def _transposition(axes: tuple[int, ...]) -> Moves:
    return () if list(axes) == sorted(axes) else (("transpose", axes),)


def _drop(op: Operation) -> None:
    """Erases an op that nobody reads any more, after what moves its result for nobody."""
    for use in tuple(op.results[0].uses):
        if isinstance(use.operation, Transpose | Reshape):
            _drop(use.operation)
    if not tuple(op.results[0].uses):
        op.detach()
        op.erase()
