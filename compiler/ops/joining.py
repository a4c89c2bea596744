"""Ops whose result holds more than one tensor's elements: pad and concatenate."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, var_operand_def

from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor, text_of
from stepwell.compiler.dialects.sizes import IntsAttr, NumberAttr, Shape, SizesAttr
from stepwell.compiler.ops.base import (
    Array,
    Gradient,
    Linear,
    PerExample,
    Role,
    concrete,
    expect,
    leading,
    refusal,
)
from stepwell.compiler.ops.indices import ZERO, Index
from stepwell.compiler.ops.movement import spread
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.value import Value, emitted, full
from stepwell.runtime.sizes import Size


@irdl_op_definition
class Pad(Linear):
    """`fill` before, after and `interior` times between the elements of each axis."""

    name = "nd.pad"
    ROLE: ClassVar = Role.FREE
    x = operand_def(TensorType)
    fill = operand_def(TensorType)
    low = prop_def(SizesAttr)
    high = prop_def(SizesAttr)
    interior = prop_def(IntsAttr)
    result = result_def(TensorType)
    assembly_format = (
        "$x `with` $fill `low` $low `high` $high `interior` $interior attr-dict"
        " `:` type($x) `,` type($fill) `->` type($result)"
    )

    @classmethod
    def infer(
        cls, x: Tensor, fill: Tensor, *, low: Shape, high: Shape, interior: tuple[int, ...]
    ) -> Sequence[Tensor]:
        source = shape_of(x)
        if not len(source) == len(low) == len(high) == len(interior):
            raise refusal(cls, f"low, high and interior do not have the rank of {text_of(x)}")
        expect(fill == tensor(dtype_of(x)), cls, f"the fill is {text_of(fill)}, not {dtype_of(x)}")
        expect(all(each >= 0 for each in interior), cls, "a negative interior")
        for axis, (before, after) in enumerate(zip(low, high, strict=True)):
            negative = [each for each in (before, after) if (each.static or 0) < 0]
            expect(not negative, cls, f"axis {axis} is padded by {before} and {after}")
        shape = tuple(
            before + spread(size, between) + after
            for size, before, after, between in zip(source, low, high, interior, strict=True)
        )
        return [tensor(dtype_of(x), shape)]

    def reference(self, *operands: Array) -> Array:
        x, fill = operands
        low, high = concrete(self.low.data), concrete(self.high.data)
        result = np.full(concrete(shape_of(self.result.type)), fill, x.dtype)
        places = tuple(
            slice(before, length - after, between + 1)
            for before, length, after, between in zip(
                low, result.shape, high, self.interior.data, strict=True
            )
        )
        result[places] = x
        return result

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        shape, fill = shape_of(self.x.type), reads[1](())
        conditions: list[Scalar | None] = []
        index: list[Index] = []
        for axis, position in enumerate(at):
            place, hit = self._place(s, axis, position)
            index.append(place)
            conditions += (hit, s.inside(place, shape[axis]))
        inside = s.all_of(conditions)
        if inside is None:
            return reads[0](tuple(index))
        return s.guard(inside, lambda: reads[0](tuple(index)), fill)

    def _place(self, s: Scalars, axis: int, position: Index) -> tuple[Index, Scalar | None]:
        """The operand's index on an axis, and whether there is an element there at all."""
        offset, step = position - self.low.data[axis], self.interior.data[axis] + 1
        if step == 1:
            return offset, None
        raw = s.materialise(offset)
        by = s.materialise(Index.of(step))
        place = s.apply("floordiv", raw, by)
        back = s.apply("mul", place, by)
        return Index.axis(place.value), s.apply("eq", back, raw)

    def gradient(self, *cotangents: Value) -> Gradient:
        (g,), x = cotangents, shape_of(self.x.type)
        steps = [each + 1 for each in self.interior.data]
        inner = g.slice(self.low.data, x, steps)
        rest = g.sum(range(g.rank)) - inner.sum(range(g.rank))
        return [inner, rest]

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        x, fill = operands
        low, high = (ZERO, *self.low.data), (ZERO, *self.high.data)
        interior = (0, *self.interior.data)
        if not on[1]:
            return [leading(size, on[0], x).pad(fill, low, high, interior)]
        wide = leading(size, on[0], x)
        inside = full(True, "bool", wide.shape).pad(full(False, "bool"), low, high, interior)
        padded = wide.pad(full(0, x.dtype), low, high, interior)
        around = fill.broadcast(padded.shape, (0,))
        return [inside.select(padded, around)]


@irdl_op_definition
class Concatenate(Linear, PerExample):
    """The operands one after another along an axis."""

    name = "nd.concatenate"
    ROLE: ClassVar = Role.FREE
    parts = var_operand_def(TensorType)
    axis = prop_def(NumberAttr)
    result = result_def(TensorType)
    assembly_format = "$parts `axis` $axis attr-dict `:` type($parts) `->` type($result)"

    @classmethod
    def infer(cls, *parts: Tensor, axis: int) -> Sequence[Tensor]:
        expect(len(parts) > 0, cls, "has no operand")
        first = shape_of(parts[0])
        expect(0 <= axis < len(first), cls, f"axis {axis} is not one of {text_of(parts[0])}")
        total = ZERO
        for part in parts:
            shape = shape_of(part)
            fits = len(shape) == len(first) and _without(shape, axis) == _without(first, axis)
            if not fits or dtype_of(part) != dtype_of(parts[0]):
                one, other = text_of(part), text_of(parts[0])
                raise refusal(cls, f"{one} does not continue {other} along axis {axis}")
            total = total + shape[axis]
        return [tensor(dtype_of(parts[0]), (*first[:axis], total, *first[axis + 1 :]))]

    def reference(self, *operands: Array) -> Array:
        return np.concatenate(operands, self.axis.data)

    def starts(self) -> list[Size]:
        """Where each part begins along the axis."""
        starts, axis = [ZERO], self.axis.data
        for part in self.parts:
            starts.append(starts[-1] + shape_of(part.type)[axis])
        return starts[:-1]

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        axis = self.axis.data
        result = s.constant(0, dtype_of(self.result.type))
        for part, start, read in zip(self.parts, self.starts(), reads, strict=True):
            place = at[axis] - start
            index = (*at[:axis], place, *at[axis + 1 :])
            inside = s.inside(place, shape_of(part.type)[axis])
            result = s.guard(inside, partial(read, index), result) if inside else read(index)
        return result

    def gradient(self, *cotangents: Value) -> Gradient:
        (g,), axis = cotangents, self.axis.data
        return [
            g.part(axis, start, shape_of(part.type)[axis])
            for part, start in zip(self.parts, self.starts(), strict=True)
        ]


def concatenate(parts: Sequence[Value], axis: int) -> Value:
    """The values one after another along an axis."""
    return emitted("concatenate", parts, axis=axis)[0]


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])
