"""Slices whose start is computed: read and replaced, moved so that they lie inside."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, var_operand_def

from stepwell.compiler.dialects.nd import INTEGERS, Tensor, dtype_of, shape_of, tensor, text_of
from stepwell.compiler.dialects.sizes import Shape, SizesAttr
from stepwell.compiler.ops.base import (
    Array,
    Gradient,
    Linear,
    PerExample,
    Role,
    concrete,
    expect,
    refusal,
)
from stepwell.compiler.ops.emission import Inferring
from stepwell.compiler.ops.host import Host, buffer_of
from stepwell.compiler.ops.indices import ZERO, Index, linear
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.sliding import all_inside
from stepwell.compiler.ops.value import Value, Zero, emitted
from stepwell.runtime.sizes import at_most


def expect_slice(op: type[Inferring], x: Tensor, part: Shape, starts: Sequence[Tensor]) -> None:
    """Checks that a slice of this shape fits into x, and that each other axis has a start."""
    shape = shape_of(x)
    batch = len(shape_of(starts[0])) if starts else len(shape)
    if len(part) != len(shape) or part[:batch] != shape[:batch]:
        sentence = f"a slice of {text_of(x)} has not the shape [{', '.join(map(str, part))}]"
        raise refusal(op, sentence)
    for axis, (size, count) in enumerate(zip(shape, part, strict=True)):
        if at_most(count, size, {}) is False:
            raise refusal(op, f"{count} elements do not fit into axis {axis} of {text_of(x)}")
    if len(starts) != len(shape) - batch:
        sentence = f"{text_of(x)} needs {len(shape) - batch} starts, and is given {len(starts)}"
        raise refusal(op, sentence)
    for start in starts:
        fits = dtype_of(start) in INTEGERS and shape_of(start) == shape[:batch]
        expect(fits, op, f"a start is {text_of(start)}")


def places(
    s: Scalars, at: tuple[Index, ...], starts: Sequence[Read], shape: Shape, part: Shape
) -> tuple[Index, ...]:
    """Where the slice begins on each axis, for the batch index that `at` begins with."""
    batch = len(shape) - len(starts)
    found = [
        Index.of(0) if size == count else s.clamp(s.index_of(read(at[:batch])), ZERO, size - count)
        for read, size, count in zip(starts, shape[batch:], part[batch:], strict=True)
    ]
    return (*(Index.of(0) for _ in range(batch)), *found)


def numpy_places(x: Array, part: Sequence[int], starts: Sequence[Array]) -> tuple[Array, ...]:
    """The index arrays of a slice's elements."""
    batch = x.ndim - len(starts)
    grid = list(np.indices(part, sparse=True))
    for axis, start in enumerate(starts, batch):
        first = np.clip(start.astype(np.int64), 0, x.shape[axis] - part[axis])
        grid[axis] = grid[axis] + first.reshape(first.shape + (1,) * len(starts))
    return tuple(grid)


@irdl_op_definition
class DynamicSlice(Linear, PerExample):
    """The elements of x from `starts`, moved so that `shape` fits.

    The starts are integers with the shape of the first axes of x, of which each element has a slice
    of its own; of rank 0 they mean one slice of all of x.
    """

    name = "nd.dynamic_slice"
    ROLE: ClassVar = Role.FREE
    x = operand_def(TensorType)
    starts = var_operand_def(TensorType)
    shape = prop_def(SizesAttr)
    result = result_def(TensorType)
    assembly_format = (
        "$x `from` $starts `to` $shape attr-dict `:` functional-type(operands, results)"
    )

    @classmethod
    def infer(cls, x: Tensor, *starts: Tensor, shape: Shape) -> Sequence[Tensor]:
        expect_slice(cls, x, shape, starts)
        return [tensor(dtype_of(x), shape)]

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        first = places(s, at, reads[1:], shape_of(self.x.type), self.shape.data)
        return reads[0](tuple(start + index for start, index in zip(first, at, strict=True)))

    def reference(self, *operands: Array) -> Array:
        x, *starts = operands
        return np.asarray(x[numpy_places(x, concrete(self.shape.data), starts)])

    def gradient(self, *cotangents: Value) -> Gradient:
        starts = [Value(start) for start in self.starts]
        whole = Value(self.x).like(0)
        return [update_slice(whole, cotangents[0], starts), *(Zero(each.type) for each in starts)]


@irdl_op_definition
class DynamicUpdateSlice(Linear, PerExample):
    """x with the elements that `dynamic_slice` would give replaced by those of `update`."""

    name = "nd.dynamic_update_slice"
    ROLE: ClassVar = Role.FREE
    OVERWRITES: ClassVar = 0
    x = operand_def(TensorType)
    update = operand_def(TensorType)
    starts = var_operand_def(TensorType)
    result = result_def(TensorType)
    assembly_format = (
        "$x `from` $starts `with` $update attr-dict `:` functional-type(operands, results)"
    )

    @classmethod
    def infer(cls, x: Tensor, update: Tensor, *starts: Tensor) -> Sequence[Tensor]:
        expect(dtype_of(update) == dtype_of(x), cls, f"{text_of(update)} goes into {text_of(x)}")
        expect_slice(cls, x, shape_of(update), starts)
        return [x]

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        shape, part = shape_of(self.x.type), shape_of(self.update.type)
        first = places(s, at, reads[2:], shape, part)
        index = tuple(place - start for place, start in zip(at, first, strict=True))
        inside = all_inside(s, index, part)
        if inside is None:
            return reads[1](index)
        return s.guard(inside, lambda: reads[1](index), reads[0](at))

    def lower(self, h: Host, operands: Sequence[SSAValue], results: Sequence[SSAValue]) -> None:
        x, update, *starts = operands
        (result,) = results
        shape, part = shape_of(self.x.type), shape_of(self.update.type)
        batch, piece = len(shape) - len(starts), max(len(shape) - 1, 0)
        while piece > batch and part[piece:] == shape[piece:]:
            piece -= 1
        row = buffer_of(tensor(dtype_of(self.x.type), part[piece:]))
        h.copy(x, result)
        with ExitStack() as loops:
            at = tuple(loops.enter_context(h.counting(size)) for size in part[:piece])
            at = (*at, *(Index.of(0) for _ in shape[piece:]))
            reads = tuple(map(h.reader, starts, (start.type for start in self.starts)))
            first = places(h.scalars(), at, reads, shape, part)
            target = tuple(start + index for start, index in zip(first, at, strict=True))
            source = h.view(update, linear(at, part), row)
            h.copy(source, h.view(result, linear(target, shape), row))

    def reference(self, *operands: Array) -> Array:
        x, update, *starts = operands
        result = x.copy()
        result[numpy_places(x, update.shape, starts)] = update
        return result

    def gradient(self, *cotangents: Value) -> Gradient:
        (g,), starts = cotangents, [Value(start) for start in self.starts]
        part = Value(self.update)
        outside = update_slice(g, part.like(0), starts)
        (inside,) = emitted("dynamic_slice", [g, *starts], shape=part.shape)
        return [outside, inside, *(Zero(each.type) for each in starts)]


def update_slice(x: Value, update: Value, starts: Sequence[Value]) -> Value:
    """x with `update` from the starts on."""
    return emitted("dynamic_update_slice", [x, update, *starts])[0]
