"""Sorting along an axis: stable, by the first operand, with others carried along."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, UnitAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import irdl_op_definition, prop_def, var_operand_def, var_result_def

from stepwell.compiler.dialects.construct import segments
from stepwell.compiler.dialects.loop.nests import SortOp
from stepwell.compiler.dialects.nd import Tensor, dtype_of, is_float, shape_of, text_of
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.ops.base import Array, Gradient, PerExample, PureOp, Role, expect
from stepwell.compiler.ops.gathering import gather, scatter_add
from stepwell.compiler.ops.host import Host
from stepwell.compiler.ops.value import Value, Zero, emitted, iota


@irdl_op_definition
class Sort(PureOp, PerExample):
    """The operands along an axis in the ascending order of the first one.

    Equal elements keep their order, among which are 0 and -0; NaN comes last.
    """

    name = "nd.sort"
    ROLE: ClassVar = Role.ALONE
    arguments = var_operand_def(TensorType)
    axis = prop_def(NumberAttr)
    outputs = var_result_def(TensorType)
    assembly_format = "$arguments `axis` $axis attr-dict `:` functional-type($arguments, $outputs)"

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
        count = len(operands)
        properties: dict[str, Attribute] = {"axis": self.axis, **segments(count, count)}
        if dtype_of(self.arguments[0].type) == "i8":
            properties["signed"] = UnitAttr()
        h.write(SortOp, [*operands, *results], (), properties)

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
            back = scatter_add(moved.like(0), order, moved, last)
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


def sort(operands: Sequence[Value], axis: int) -> list[Value]:
    """The values along an axis in the order of the first one."""
    return emitted("sort", operands, axis=axis)
