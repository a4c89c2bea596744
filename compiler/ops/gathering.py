"""Ops that read or write at computed indices along one axis: gather and scatter-add."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def

from stepwell.compiler.dialects.nd import INTEGERS, Tensor, dtype_of, shape_of, tensor, text_of
from stepwell.compiler.dialects.sizes import NumberAttr, Shape, count_of
from stepwell.compiler.ops.base import (
    Array,
    Gradient,
    Linear,
    PerExample,
    PureOp,
    Role,
    expect,
    refusal,
)
from stepwell.compiler.ops.emission import Inferring
from stepwell.compiler.ops.families import NUMBERS
from stepwell.compiler.ops.host import Host
from stepwell.compiler.ops.indices import ONE, ZERO, Index
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.value import Value, Zero, dense, emitted, full
from stepwell.runtime.sizes import Size, at_most


def gathered(op: type[Inferring], x: Tensor, indices: Tensor, batch: int) -> Shape:
    """The shape of what is gathered, with one row of x for each index."""
    source, given = shape_of(x), shape_of(indices)
    expect(dtype_of(indices) in INTEGERS, op, f"the indices are {dtype_of(indices)}")
    if not 0 <= batch < len(source) or source[:batch] != given[:batch]:
        sentence = f"{text_of(x)} and indices {text_of(indices)} do not share {batch} leading axes"
        raise refusal(op, sentence)
    return (*given, *source[batch + 1 :])


@irdl_op_definition
class Gather(Linear, PerExample):
    """x[b…, n, rest…] at indices[b…, i…], each moved into [0, n - 1], to [b…, i…, rest…].

    Where n is 0 the result is 0.
    """

    name = "nd.gather"
    ROLE: ClassVar = Role.FREE
    x = operand_def(TensorType)
    indices = operand_def(TensorType)
    batch = prop_def(NumberAttr)
    result = result_def(TensorType)
    assembly_format = (
        "$x `at` $indices `batch` $batch attr-dict `:` type($x) `,` type($indices)"
        " `->` type($result)"
    )

    @classmethod
    def infer(cls, x: Tensor, indices: Tensor, *, batch: int) -> Sequence[Tensor]:
        return [tensor(dtype_of(x), gathered(cls, x, indices, batch))]

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        batch, count = self.batch.data, len(shape_of(self.indices.type))
        length = shape_of(self.x.type)[batch]
        place = s.clamp(s.index_of(reads[1](at[:count])), ZERO, length - 1)
        index = (*at[:batch], place, *at[count:])
        if at_most(ONE, length, {}) is True:
            return reads[0](index)
        exists = s.apply("lt", s.materialise(Index.of(0)), s.materialise(Index.of(length)))
        nothing = s.constant(0, dtype_of(self.x.type))
        return s.guard(exists, lambda: reads[0](index), nothing)

    def reference(self, *operands: Array) -> Array:
        x, indices = operands
        batch = self.batch.data
        if x.shape[batch] == 0:
            return np.zeros((*indices.shape, *x.shape[batch + 1 :]), x.dtype)
        places = np.clip(indices.astype(np.int64), 0, x.shape[batch] - 1)
        return x[(*np.indices(indices.shape, sparse=True)[:batch], places)]

    def gradient(self, *cotangents: Value) -> Gradient:
        x, indices, batch = Value(self.x), Value(self.indices), self.batch.data
        places = clamped(indices, x.shape[batch])
        return [scatter_add(x.like(0), places, cotangents[0], batch), Zero(indices.type)]

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        if self.batch.data == 0 and not on[0]:
            return [gather(operands[0], operands[1])]
        return super().batched(size, on, *operands)


def gather(x: Value, indices: Value, batch: int = 0) -> Value:
    """The rows of x at the indices, moved into range."""
    return x.with_("gather", indices, batch=batch)


def gather_inside(x: Value, indices: Value, batch: int = 0) -> Value:
    """The same, but 0 for an index out of range."""
    length = size_value(x.shape[batch], "i64", indices.shape)
    wide = indices.convert("i64")
    inside = wide.compare("ge", 0).with_("and", wide.compare("lt", length))
    rows = gather(x, indices, batch)
    return inside.broadcast(rows.shape, range(indices.rank)).select(rows, 0)


def clamped(indices: Value, length: Size) -> Value:
    """The indices as i64, moved into [0, length - 1]; all are -1 where that is empty."""
    wide = indices.convert("i64").with_("max", 0)
    return wide.with_("min", size_value(length - 1, "i64", indices.shape))


def size_value(size: Size, dtype: str, shape: Shape) -> Value:
    """A size, which may be symbolic, everywhere in a shape."""
    if size.static is not None:
        return full(size.static, dtype, shape)
    return emitted("size", [], size=size)[0].convert(dtype).broadcast(shape, ())


LANES = 16
"""Elements of an update that are added at once."""


@irdl_op_definition
class ScatterAdd(PureOp, PerExample):
    """x[b…, n, rest…] with updates[b…, i…, rest…] added at indices[b…, i…].

    The updates are added one after the other, in row-major order, each sum rounded to the dtype;
    those out of range are dropped.
    """

    name = "nd.scatter_add"
    x = operand_def(TensorType)
    indices = operand_def(TensorType)
    updates = operand_def(TensorType)
    batch = prop_def(NumberAttr)
    result = result_def(TensorType)
    assembly_format = (
        "$x `at` $indices `add` $updates `batch` $batch attr-dict"
        " `:` type($x) `,` type($indices) `,` type($updates) `->` type($result)"
    )

    @classmethod
    def infer(cls, x: Tensor, indices: Tensor, updates: Tensor, *, batch: int) -> Sequence[Tensor]:
        expect(dtype_of(x) in NUMBERS, cls, f"is not defined for {dtype_of(x)}")
        wanted = tensor(dtype_of(x), gathered(cls, x, indices, batch))
        if updates != wanted:
            sentence = f"the updates are {text_of(updates)}, and should be {text_of(wanted)}"
            raise refusal(cls, sentence)
        return [x]

    def reference(self, *operands: Array) -> Array:
        x, indices, updates = operands
        batch, wide = self.batch.data, indices.astype(np.int64)
        inside = (wide >= 0) & (wide < x.shape[batch])
        grid = np.indices(wide.shape)[:batch]
        result = x.copy()
        with np.errstate(all="ignore"):
            np.add.at(result, tuple(each[inside] for each in (*grid, wide)), updates[inside])
        return result

    def lower(self, h: Host, operands: Sequence[SSAValue], results: Sequence[SSAValue]) -> None:
        x, indices, updates = operands
        (result,) = results
        shape, batch, dtype = shape_of(self.x.type), self.batch.data, dtype_of(self.x.type)
        length, width = shape[batch], count_of(shape[batch + 1 :])
        per_example = count_of(shape_of(self.indices.type)[batch:])
        h.copy(x, result)
        with h.counting(count_of(shape[:batch])) as example, h.counting(per_example) as number:
            source, s = example * per_example + number, h.scalars()
            place = s.index_of(h.element(indices, dtype_of(self.indices.type), source))
            inside = s.inside(place, length)
            assert inside is not None
            vectors = width // LANES * LANES
            with h.where(inside):
                for first, end, lanes in ((ZERO, vectors, LANES), (vectors, width, 1)):
                    if first == end:
                        continue
                    with h.counting(end, first, lanes) as column:
                        target = (example * length + place) * width + column
                        update = h.element(updates, dtype, source * width + column, lanes)
                        before = h.element(result, dtype, target, lanes)
                        h.store(h.scalars(lanes).apply("add", before, update), result, target)

    def gradient(self, *cotangents: Value) -> Gradient:
        (g,), indices = cotangents, Value(self.indices)
        return [g, Zero(indices.type), gather_inside(g, indices, self.batch.data)]

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        x, _, updates = tangents
        if isinstance(updates, Zero):
            return [x]
        return [scatter_add(dense(x), Value(self.indices), updates, self.batch.data)]


def scatter_add(x: Value, indices: Value, updates: Value, batch: int = 0) -> Value:
    """x with the updates added at the indices."""
    return emitted("scatter_add", [x, indices, updates], batch=batch)[0]
