"""Ops that say when, or for which derivative, something is computed: barrier, remat."""

import abc
from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, Region, SSAValue
from xdsl.irdl import irdl_op_definition, region_def, traits_def, var_operand_def, var_result_def
from xdsl.rewriter import Rewriter
from xdsl.traits import MemoryWriteEffect

from stepwell.compiler.dialects.nd import Tensor
from stepwell.compiler.ops.base import (
    Array,
    Effect,
    Gradient,
    Moved,
    OneToOne,
    Path,
    PerExample,
    PureOp,
    Role,
    Transforms,
    evaluate,
)
from stepwell.compiler.ops.control import takes, types_yielded
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.paths import paths
from stepwell.compiler.ops.regions import copied, end_of, inline
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.value import Value, Zero, emitted, parted, placed, present
from stepwell.runtime.sizes import Size


class Identity(OneToOne, PerExample, abc.ABC):
    """The operand as it is: an op that only says something about it."""

    ROLE: ClassVar = Role.FREE
    assembly_format = "$x attr-dict `:` type($x) `->` type($result)"

    @classmethod
    def infer(cls, x: Tensor) -> Sequence[Tensor]:
        return [x]

    def reference(self, *operands: Array) -> Array:
        return operands[0]

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        return reads[0](at)


@irdl_op_definition
class Barrier(Identity):
    """The operand as it is; what follows is not merged with what came before it."""

    name = "nd.barrier"
    traits = traits_def(MemoryWriteEffect())

    def gradient(self, *cotangents: Value) -> Gradient:
        return cotangents

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        return tangents


@irdl_op_definition
class StopGradient(Identity, PureOp):
    """The operand as it is; derivatives of any order take it for a constant."""

    name = "nd.stop_gradient"

    def paths(self, *onward: Path) -> Sequence[Path]:
        return [Path.NONE]

    def gradient(self, *cotangents: Value) -> Gradient:
        return [Zero(Value(self.x).type)]

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        return [Zero(Value(self.x).type)]


@irdl_op_definition
class Remat(PureOp):
    """The body; for reverse mode only the operands are kept, and it is computed again."""

    name = "nd.remat"
    arguments = var_operand_def(TensorType)
    outputs = var_result_def(TensorType)
    body = region_def("single_block")
    assembly_format = "`(` $arguments `)` $body attr-dict `:` functional-type($arguments, $outputs)"

    @classmethod
    def infer(cls, *arguments: Tensor, regions: Sequence[Region]) -> Sequence[Tensor]:
        takes(cls, regions[0], arguments, "the body")
        return types_yielded(regions[0])

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        return tuple(evaluate(self.body.block, operands))

    def pullback(
        self, transforms: Transforms, wanted: Sequence[bool], *cotangents: Value | Zero
    ) -> Gradient:
        operands = [Value(operand).apply("barrier") for operand in self.operands]
        return pulled_back_again(transforms, copied(self.body.block), operands, wanted, cotangents)

    def paths(self, *onward: Path) -> Sequence[Path]:
        return paths(self.body.block, onward)

    def pushforward(self, transforms: Transforms, *tangents: Value | Zero) -> Moved:
        on = [isinstance(each, Value) for each in tangents]
        block, flags = transforms.forward(self.body.block, on)
        operands = [*map(Value, self.operands), *present(tangents)]
        return parted(emitted("remat", operands, [Region(block)]), flags)

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        block, flags = transforms.batch(self.body.block, size, on)
        return emitted("remat", operands, [Region(block)]), flags


def pulled_back_again(
    transforms: Transforms,
    block: Block,
    values: Sequence[Value],
    wanted: Sequence[bool],
    cotangents: Sequence[Value | Zero],
) -> list[Value | Zero]:
    """The cotangents of the values marked `wanted`, given those of what a closed block makes of
    them. The block, which it takes over, is computed again, as far as that needs it."""
    half = transforms.split(block, wanted, [isinstance(each, Value) for each in cotangents])
    compute_again(block, half.residuals)
    found = inline(half.back, [*inline(block, values), *present(cotangents)])
    return placed(found, wanted, values)


def compute_again(block: Block, values: Sequence[SSAValue]) -> None:
    """Ends a block with these values, without what they do not need. What has printed, asserted or
    been called once does not do so again, unless a value is what it gives."""
    last = end_of(block)
    last.operands = values
    for op in reversed(tuple(block.ops)):
        if op is not last and not any(tuple(result.uses) for result in op.results):
            block.erase_op(op)
    for op in tuple(block.walk()):
        if isinstance(op, Effect) and not op.results:
            Rewriter.erase_op(op)
