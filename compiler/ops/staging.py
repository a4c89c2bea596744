"""Ops that say when, or by which rule, their body is computed: remat, barrier, custom gradients."""

import abc
from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, Region, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import MemoryWriteEffect

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.nd import Tensor
from stepwell.compiler.ops.base import (
    Array,
    Effect,
    Gradient,
    PureOp,
    Role,
    TensorOp,
    Transforms,
    evaluate,
    expect,
    leading,
)
from stepwell.compiler.ops.control import floating, gives, select, takes, types_yielded
from stepwell.compiler.ops.emission import emit, emitting_before
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.regions import copied, inline, replace, written
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value, Zero, again, dense
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size


class Identity(TensorOp, abc.ABC):
    """The operand as it is: an op that only says something about it."""

    ROLE: ClassVar = Role.FREE
    x = operand_def(TensorType)
    result = result_def(TensorType)
    assembly_format = "$x attr-dict `:` type($x) `->` type($result)"

    @classmethod
    def infer(cls, x: Tensor) -> Sequence[Tensor]:
        return [x]

    def reference(self, *operands: Array) -> Array:
        return operands[0]

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        return reads[0](at)

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        return again(self, operands[0])


@irdl_op_definition
class Barrier(Identity):
    """The operand as it is; what follows is not merged with what came before it."""

    name = "nd.barrier"
    traits = traits_def(MemoryWriteEffect())
    SAMPLES: ClassVar = ((("f64[3,4]",), {}), (("i32[0]",), {}))

    def gradient(self, *cotangents: Value) -> Gradient:
        return [cotangents[0]]

    def tangent(self, *tangents: Value | Zero) -> Gradient:
        return [tangents[0]]


@irdl_op_definition
class StopGradient(Identity, PureOp):
    """The operand as it is; derivatives of any order take it for a constant."""

    name = "nd.stop_gradient"
    SAMPLES: ClassVar = ((("i32[3,4]",), {}), (("bool[0]",), {}))

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
        body, active = copied(self.body.block), floating(self.results)
        half = transforms.split(body, wanted, active)
        _silence(body)
        last = body.last_op
        assert last is not None
        last.operands = half.residuals
        operands = [Value(operand).apply("barrier") for operand in self.operands]
        residuals = inline(body, operands)
        seeds = [dense(each) for each in select(active, cotangents)]
        gradients = iter(inline(half.back, [*residuals, *seeds]))
        return [
            next(gradients) if want else Zero(x.type)
            for want, x in zip(wanted, operands, strict=True)
        ]

    def pushforward(
        self, transforms: Transforms, *tangents: Value | Zero
    ) -> tuple[Sequence[SSAValue], Gradient]:
        on = [isinstance(each, Value) for each in tangents]
        block, flags = transforms.forward(self.body.block, on)
        operands = [*self.operands, *(t.ssa for t in tangents if isinstance(t, Value))]
        results = emit("remat", operands, [Region(block)]).results
        count = len(self.results)
        found = iter(map(Value, results[count:]))
        return results[:count], [
            next(found) if flag else Zero(Value(result).type)
            for flag, result in zip(flags, self.results, strict=True)
        ]

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        block, flags = transforms.batch(self.body.block, size, on)
        results = emit("remat", [x.ssa for x in operands], [Region(block)]).results
        return [Value(result) for result in results], flags


def _silence(block: Block) -> None:
    """What has printed or asserted once does not do so again."""
    for op in tuple(block.walk()):
        if isinstance(op, Effect) and not op.results:
            op.detach()
            op.erase()


@irdl_op_definition
class CustomGradient(PureOp):
    """A program with a reverse mode of its own.

    `forward` gives the results, then residuals; `backward` takes the residuals, then the cotangents
    of the results, and gives those of the last operands. The operands before these are captured:
    reverse mode refuses to differentiate by them (CompileError SW0215). Forward mode and second
    order differentiate the bodies as they are.
    """

    name = "nd.custom_gradient"
    arguments = var_operand_def(TensorType)
    outputs = var_result_def(TensorType)
    body = region_def("single_block")
    forward = region_def("single_block")
    backward = region_def("single_block")
    assembly_format = (
        "`(` $arguments `)` $body `forward` $forward `backward` $backward attr-dict"
        " `:` functional-type($arguments, $outputs)"
    )

    @classmethod
    def infer(cls, *arguments: Tensor, regions: Sequence[Region]) -> Sequence[Tensor]:
        body, forward, backward = regions
        takes(cls, body, arguments, "the function")
        takes(cls, forward, arguments, "the forward function")
        results = types_yielded(body)
        found = types_yielded(forward)
        expect(
            found[: len(results)] == results,
            cls,
            "the forward function does not give the function's results first",
        )
        takes(cls, backward, [*found[len(results) :], *results], "the backward function")
        captured = max(len(arguments) - len(types_yielded(backward)), 0)
        gives(cls, backward, arguments[captured:], "the backward function")
        return results

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        return tuple(evaluate(self.body.block, operands))

    def pullback(
        self, transforms: Transforms, wanted: Sequence[bool], *cotangents: Value | Zero
    ) -> Gradient:
        backward = self.backward.block
        captured = self.operands[: len(self.operands) - len(yielded(backward))]
        if any(wanted[: len(captured)]):
            raise CompileError(
                "SW0215",
                "a function of custom_gradient reads a differentiated value that is not its"
                " argument",
                hint="make the value an argument, with a cotangent; or read stop_gradient(value)",
                where=source_line(self.location),
            )
        with emitting_before(self):
            values = inline(self.forward.block, [Value(operand) for operand in self.operands])
        count = len(self.results)
        gradients = inline(backward, [*values[count:], *map(dense, cotangents)])
        replace(self, values[:count])
        return [*(Zero(Value(x).type) for x in captured), *gradients]

    def pushforward(
        self, transforms: Transforms, *tangents: Value | Zero
    ) -> tuple[Sequence[SSAValue], Gradient]:
        on = [isinstance(each, Value) for each in tangents]
        block, flags = transforms.forward(self.body.block, on)
        given = [t for t in tangents if isinstance(t, Value)]
        values = inline(block, [*map(Value, self.operands), *given])
        count = len(self.results)
        found = iter(values[count:])
        return [value.ssa for value in values[:count]], [
            next(found) if flag else Zero(Value(result).type)
            for flag, result in zip(flags, self.results, strict=True)
        ]

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        """Everything gets the axis, so that the three programs still fit together."""
        wide = [leading(size, flag, x) for flag, x in zip(on, operands, strict=True)]
        regions: list[Region] = []
        for region in (self.body, self.forward, self.backward):
            marks = [True] * len(region.block.args)
            block, flags = transforms.batch(region.block, size, marks)
            regions.append(_with_axis_everywhere(block, flags, size))
        results = emit("custom_gradient", [x.ssa for x in wide], regions).results
        return [Value(result) for result in results], [True] * len(results)


def _with_axis_everywhere(block: Block, flags: Sequence[bool], size: Size) -> Region:
    """A batched block whose outputs all have the axis."""

    def write(arguments: list[Value]) -> list[Value]:
        values = inline(block, arguments)
        return [leading(size, flag, x) for flag, x in zip(flags, values, strict=True)]

    return written([argument.type for argument in block.args], write)
