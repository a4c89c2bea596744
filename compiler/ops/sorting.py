"""Sorting along an axis: stable, by the first operand, with others carried along."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, i64
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, prop_def, var_operand_def, var_result_def

from stepwell.compiler.dialects.loop.types import buffer
from stepwell.compiler.dialects.nd import Tensor, dtype_of, is_float, shape_of, text_of
from stepwell.compiler.dialects.sizes import NumberAttr, count_of
from stepwell.compiler.ops.base import Array, Gradient, PureOp, Sample, expect, leading
from stepwell.compiler.ops.emission import emit
from stepwell.compiler.ops.gathering import gather, scatter_add
from stepwell.compiler.ops.host import Host
from stepwell.compiler.ops.indices import ONE, Index
from stepwell.compiler.ops.scalars import Scalar, Scalars
from stepwell.compiler.ops.value import Value, Zero, iota, zeros
from stepwell.runtime.sizes import Size

DOUBLINGS = Size.of(62)
"""How often runs of one element can be doubled until no axis is longer."""


@irdl_op_definition
class Sort(PureOp):
    """The operands along an axis in the ascending order of the first one.

    Equal elements keep their order, among which are 0 and -0; NaN comes last.
    """

    name = "nd.sort"
    arguments = var_operand_def(TensorType)
    axis = prop_def(NumberAttr)
    outputs = var_result_def(TensorType)
    assembly_format = "$arguments `axis` $axis attr-dict `:` functional-type($arguments, $outputs)"
    SAMPLES: ClassVar[Sequence[Sample]] = (
        (("f64[3,7]",), {"axis": 1}),
        (("f64[5,3]", "f64[5,3]"), {"axis": 0}),
        (("f32[35]", "i32[35]", "bool[35]"), {"axis": 0}),
        (("f16[9]",), {"axis": 0}),
        (("bf16[2,9]",), {"axis": 1}),
        (("i64[9]", "f64[9]"), {"axis": 0}),
        (("u8[20]",), {"axis": 0}),
        (("bool[5]", "u8[5]"), {"axis": 0}),
        (("f64[2,0]",), {"axis": 1}),
        (("f64[0,2]",), {"axis": 1}),
        (("f64[1]",), {"axis": 0}),
    )

    @classmethod
    def infer(cls, *arguments: Tensor, axis: int) -> Sequence[Tensor]:
        expect(len(arguments) > 0, cls, "has no operand")
        key = arguments[0]
        expect(0 <= axis < len(shape_of(key)), cls, f"axis {axis} is not one of {text_of(key)}")
        for each in arguments:
            fits = shape_of(each) == shape_of(key)
            expect(fits, cls, f"{text_of(each)} has not the shape of the key {text_of(key)}")
        return list(arguments)

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        key, axis = operands[0], self.axis.data
        comparable = key.astype(np.float32) if key.dtype.itemsize == 2 else key
        order = np.argsort(comparable, axis, kind="stable")
        return tuple(np.take_along_axis(each, order, axis) for each in operands)

    def lower(self, h: Host, operands: Sequence[SSAValue], results: Sequence[SSAValue]) -> None:
        """A merge sort of the positions, from runs of one to the whole, row by row."""
        shape, axis = shape_of(self.arguments[0].type), self.axis.data
        length, width = shape[axis], count_of(shape[axis + 1 :])
        order, spare = (h.alloc(buffer((length,), i64)) for _ in range(2))
        with h.counting(count_of(shape[:axis])) as row, h.counting(width) as column:
            first = row * (length * width) + column
            merge = _Merge(h, operands[0], dtype_of(self.arguments[0].type), first, width, length)
            with h.counting(length) as number:
                h.store(h.scalars().value_of(number, "i64"), order, number)
            merge.sort(order, spare)
            with h.counting(length) as number:
                place = h.scalars().index_of(h.element(order, "i64", number))
                for source, target, each in zip(operands, results, self.arguments, strict=True):
                    value = h.element(source, dtype_of(each.type), first + place * width)
                    h.store(value, target, first + number * width)

    def _order(self) -> Value:
        """The position from which each element comes, with the sorted axis last."""
        key, axis = Value(self.arguments[0]), self.axis.data
        _, order = sort([key, iota(key.shape, axis)], axis)
        return order.move_axis(axis, key.rank - 1)

    def gradient(self, *cotangents: Value) -> Gradient:
        order, axis, last = self._order(), self.axis.data, cotangents[0].rank - 1
        gradients: list[Value | Zero] = []
        for argument, g in zip(self.arguments, cotangents, strict=True):
            if not is_float(dtype_of(argument.type)):
                gradients.append(Zero(Value(argument).type))
                continue
            moved = g.move_axis(axis, last)
            back = scatter_add(zeros(Zero(moved.type)), order, moved, last)
            gradients.append(back.move_axis(last, axis))
        return gradients

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        order, axis = self._order(), self.axis.data
        last = order.rank - 1
        return [
            t
            if isinstance(t, Zero)
            else gather(t.move_axis(axis, last), order, last).move_axis(last, axis)
            for t in tangents
        ]

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        wide = [leading(size, flag, x) for flag, x in zip(on, operands, strict=True)]
        return sort(wide, self.axis.data + 1)


def sort(operands: Sequence[Value], axis: int) -> list[Value]:
    """The values along an axis in the order of the first one."""
    results = emit("sort", [each.ssa for each in operands], axis=axis).results
    return [Value(result) for result in results]


class _Merge:
    """Sorts positions of one row, whose keys lie `stride` elements apart from `first` on."""

    def __init__(
        self, h: Host, key: SSAValue, dtype: str, first: Index, stride: Size, length: Size
    ):
        self.h = h
        self.key = key
        self.dtype = dtype
        self.first = first
        self.stride = stride
        self.length = length

    def sort(self, order: SSAValue, spare: SSAValue) -> None:
        """Merges neighbouring runs of 1, 2, 4, … positions, as long as there are two."""
        h = self.h

        def double(_: Index, run: Sequence[Scalar]) -> Sequence[Scalar]:
            s = h.scalars()
            (half,) = run
            whole, length = s.apply("add", half, half), s.materialise(Index.of(self.length))
            with h.where(s.apply("lt", half, length)):
                self._pass(order, spare, half, whole)
                h.copy(spare, order)
            return [s.apply("min", whole, length)]

        start = h.scalars().materialise(Index.of(ONE))
        h.folding(DOUBLINGS, [start], double)

    def _pass(self, source: SSAValue, target: SSAValue, half: Scalar, whole: Scalar) -> None:
        """Merges all pairs of runs: position by position, from whichever run is next."""
        h, length = self.h, Index.of(self.length)

        def step(number: Index, state: Sequence[Scalar]) -> Sequence[Scalar]:
            s = h.scalars()
            left, right, middle, end = state
            begins = s.apply("eq", s.materialise(number), end)
            left = s.select(begins, end, left)
            middle = s.select(begins, self._least(s, s.apply("add", end, half), length), middle)
            right = s.select(begins, middle, right)
            end = s.select(begins, self._least(s, s.apply("add", end, whole), length), end)
            taken = self._takes_right(s, source, left, right, middle, end)
            place = s.select(taken, right, left)
            h.store(h.element(source, "i64", Index.axis(place.value)), target, number)
            one, zero = s.materialise(Index.of(1)), s.materialise(Index.of(0))
            step_right = s.select(taken, one, zero)
            left = s.apply("add", left, s.apply("sub", one, step_right))
            return [left, s.apply("add", right, step_right), middle, end]

        zero = h.scalars().materialise(Index.of(0))
        h.folding(self.length, [zero] * 4, step)

    @staticmethod
    def _least(s: Scalars, x: Scalar, length: Index) -> Scalar:
        return s.apply("min", x, s.materialise(length))

    def _takes_right(
        self,
        s: Scalars,
        order: SSAValue,
        left: Scalar,
        right: Scalar,
        middle: Scalar,
        end: Scalar,
    ) -> Scalar:
        """Whether the right run's next key is less than the left one's, or the left run is over."""
        has_left, has_right = s.apply("lt", left, middle), s.apply("lt", right, end)
        a = self._key(s, order, s.select(has_left, left, right))
        b = self._key(s, order, s.select(has_right, right, left))
        over = s.apply("xor", has_left, s.constant(True, "bool"))
        return s.apply("or", over, s.apply("and", has_right, self._less(s, b, a)))

    def _key(self, s: Scalars, order: SSAValue, number: Scalar) -> Scalar:
        place = s.index_of(self.h.element(order, "i64", Index.axis(number.value)))
        key = self.h.element(self.key, self.dtype, self.first + place * self.stride)
        return s.convert(key, "f32") if self.dtype in ("f16", "bf16") else key

    def _less(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        """Whether a comes before b: it is less, or b is NaN and a is not."""
        less = s.apply("lt", a, b)
        if not is_float(self.dtype):
            return less
        last = s.apply("and", s.apply("eq", a, a), s.apply("ne", b, b))
        return s.apply("or", less, last)
