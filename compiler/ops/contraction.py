"""Contractions: sums of products of two tensors' elements; their tangent has two terms."""

import abc
from collections.abc import Sequence
from functools import partial
from string import ascii_letters
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def

from stepwell.compiler.dialects.loop.types import LANES, SERIAL, Combine, Order
from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor, text_of
from stepwell.compiler.dialects.sizes import IntsAttr, NumberAttr
from stepwell.compiler.ops.base import Array, Gradient, PureOp, Role, axes_in_range, expect, refusal
from stepwell.compiler.ops.families import in_working_precision
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.movement import inverse
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars, working
from stepwell.compiler.ops.value import Value, Zero, plus
from stepwell.runtime.sizes import Size


class Contraction(PureOp, abc.ABC):
    """Two operands of one dtype; f16 and bf16 accumulate in f32."""

    ROLE: ClassVar = Role.CONTRACT
    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    result = result_def(TensorType)

    @classmethod
    def expect_numbers(cls, lhs: Tensor, rhs: Tensor) -> None:
        """Checks that the operands have one dtype, which is not bool."""
        sentence = f"the operands are {text_of(lhs)} and {text_of(rhs)}"
        one = dtype_of(lhs) == dtype_of(rhs) != "bool"
        expect(one, cls, f"{sentence}, and should have one number dtype")

    @abc.abstractmethod
    def on(self, lhs: Value, rhs: Value) -> Value:
        """The same contraction of other operands."""

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        left, right = tangents
        first = left if isinstance(left, Zero) else self.on(left, Value(self.rhs))
        second = right if isinstance(right, Zero) else self.on(Value(self.lhs), right)
        return [plus(first, second)]


@irdl_op_definition
class Dot(Contraction):
    """Sums of products over axes `left` of lhs and `right` of rhs, paired.

    The first `batch` axes of both are shared. The result has the shared axes, then the other axes
    of lhs, then those of rhs, each in order.
    """

    name = "nd.dot"
    batch = prop_def(NumberAttr)
    left = prop_def(IntsAttr)
    right = prop_def(IntsAttr)
    assembly_format = (
        "$lhs `,` $rhs `batch` $batch `over` $left `,` $right attr-dict"
        " `:` type($lhs) `,` type($rhs) `->` type($result)"
    )

    @classmethod
    def infer(
        cls, lhs: Tensor, rhs: Tensor, *, batch: int, left: tuple[int, ...], right: tuple[int, ...]
    ) -> Sequence[Tensor]:
        a, b = shape_of(lhs), shape_of(rhs)
        cls.expect_numbers(lhs, rhs)
        axes_in_range(cls, left, a)
        axes_in_range(cls, right, b)
        expect(len(left) == len(right), cls, f"{list(left)} and {list(right)} do not pair up")
        expect(min((*left, *right), default=batch) >= batch, cls, "a shared axis is contracted too")
        for i, j in _paired(batch, left, right):
            if a[i] != b[j]:
                sentence = f"axis {i} of {text_of(lhs)} does not meet axis {j} of {text_of(rhs)}"
                raise refusal(cls, sentence)
        kept_left = tuple(a[axis] for axis in _kept(len(a), batch, left))
        kept_right = tuple(b[axis] for axis in _kept(len(b), batch, right))
        return [tensor(dtype_of(lhs), (*a[:batch], *kept_left, *kept_right))]

    @property
    def order(self) -> Order:
        """Lanes for inner products of neighbours: one side keeps no axis, one not the last."""
        a, b = len(shape_of(self.lhs.type)), len(shape_of(self.rhs.type))
        left, right = self.left.data, self.right.data
        keeps_left = bool(_kept(a, self.batch.data, left))
        keeps_right = bool(_kept(b, self.batch.data, right))
        in_left = not keeps_right and (a - 1 in left or not keeps_left)
        in_right = not keeps_left and b - 1 in right
        return LANES if in_left or in_right else SERIAL

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        batch, a, b = self.batch.data, shape_of(self.lhs.type), shape_of(self.rhs.type)
        left, right, dtype = self.left.data, self.right.data, dtype_of(self.lhs.type)
        kept_left, kept_right = _kept(len(a), batch, left), _kept(len(b), batch, right)
        shared, rest = at[:batch], at[batch:]
        rows, columns = rest[: len(kept_left)], rest[len(kept_left) :]
        wide = working(dtype)

        def terms(k: tuple[Index, ...]) -> tuple[Scalar, ...]:
            of_left = _assemble(len(a), shared, dict(zip([*kept_left, *left], [*rows, *k])))
            of_right = _assemble(len(b), shared, dict(zip([*kept_right, *right], [*columns, *k])))
            return s.convert(reads[0](of_left), wide), s.convert(reads[1](of_right), wide)

        sizes = tuple(a[axis] for axis in left)
        (total,) = s.fold(Combine.FMA, self.order, sizes, terms)
        return s.convert(total, dtype)

    def reference(self, *operands: Array) -> Array:
        a, b = operands
        batch = self.batch.data
        first, second = list(ascii_letters[: a.ndim]), list(ascii_letters[a.ndim :][: b.ndim])
        for i, j in _paired(batch, self.left.data, self.right.data):
            second[j] = first[i]
        rows = [first[axis] for axis in _kept(a.ndim, batch, self.left.data)]
        columns = [second[axis] for axis in _kept(b.ndim, batch, self.right.data)]
        result = [*first[:batch], *rows, *columns]
        formula = f"{''.join(first)},{''.join(second)}->{''.join(result)}"
        return in_working_precision(partial(np.einsum, formula, optimize=True), a, b)

    def on(self, lhs: Value, rhs: Value) -> Value:
        return lhs.dot(rhs, self.batch.data, self.left.data, self.right.data)

    def gradient(self, *cotangents: Value) -> Gradient:
        (g,), lhs, rhs = cotangents, Value(self.lhs), Value(self.rhs)
        batch, left, right = self.batch.data, self.left.data, self.right.data
        rows, columns = _kept(lhs.rank, batch, left), _kept(rhs.rank, batch, right)
        row_axes = range(batch, batch + len(rows))
        column_axes = range(batch + len(rows), g.rank)

        def slope(
            x: Value, over: list[int], axes: Sequence[int], own: list[int], met: list[int]
        ) -> Value:
            """Of the operand other than x: g contracted with x gives its own axes, and those that
            meet x, in the order in which they stand in x. What comes first in it does so here."""
            first = own < met or not met
            product = g.dot(x, batch, axes, over) if first else x.dot(g, batch, over, axes)
            order = [*own, *met] if first else [*met, *own]
            return product.transpose(inverse([*range(batch), *order]))

        of_left = [left[right.index(axis)] for axis in sorted(right)]
        of_right = [right[left.index(axis)] for axis in sorted(left)]
        return [
            slope(rhs, columns, column_axes, rows, of_left),
            slope(lhs, rows, row_axes, columns, of_right),
        ]

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        """The batch of one side is one more kept axis of it, so that the other is not repeated."""
        (lhs, rhs), batch = operands, self.batch.data
        left = [axis + on[0] for axis in self.left.data]
        right = [axis + on[1] for axis in self.right.data]
        if all(on):
            return [lhs.dot(rhs, batch + 1, left, right)]
        if on[0]:
            return [lhs.move_axis(0, batch).dot(rhs, batch, left, right).move_axis(batch, 0)]
        place = batch + len(_kept(lhs.rank, batch, left))
        return [lhs.dot(rhs.move_axis(0, batch), batch, left, right).move_axis(place, 0)]


def _paired(batch: int, left: Sequence[int], right: Sequence[int]) -> list[tuple[int, int]]:
    """The axes of lhs and rhs that meet: those that are shared, and those that are contracted."""
    return [*((axis, axis) for axis in range(batch)), *zip(left, right, strict=True)]


def _kept(rank: int, batch: int, contracted: Sequence[int]) -> list[int]:
    """The axes that are neither shared nor contracted."""
    return [axis for axis in range(batch, rank) if axis not in contracted]


def _assemble(rank: int, shared: tuple[Index, ...], others: dict[int, Index]) -> tuple[Index, ...]:
    return tuple(shared[axis] if axis < len(shared) else others[axis] for axis in range(rank))
