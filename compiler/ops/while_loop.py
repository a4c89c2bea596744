"""A loop that goes on while a condition holds."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import numpy as np
from xdsl.ir import Block, Region, SSAValue
from xdsl.irdl import irdl_op_definition, region_def

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.loop.host import ConditionOp, WhileOp
from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor, text_of
from stepwell.compiler.ops.base import (
    Array,
    Gradient,
    Role,
    Transforms,
    evaluate,
    expect,
    leading,
    read_through,
)
from stepwell.compiler.ops.control import gives, takes, types_yielded
from stepwell.compiler.ops.emission import emitting_before
from stepwell.compiler.ops.host import Host, buffer_of
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.loops import Asked, Loop, Parts
from stepwell.compiler.ops.regions import inline, replace, written
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value, Zero, emitted
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size


@irdl_op_definition
class While(Loop):
    """Repeats the body on the carried values while the condition holds; constants stay.

    The condition may have leading axes of what is carried. Then the loop goes on while it holds
    anywhere, and where it does not, values stay.
    """

    name = "nd.while"
    ROLE: ClassVar = Role.LOOP
    COSTLY: ClassVar = True
    condition = region_def("single_block")
    body = region_def("single_block")
    assembly_format = (
        "`constants` $constants `(` $arguments `)` $condition `do` $body attr-dict"
        " `:` functional-type($arguments, $outputs)"
    )

    @classmethod
    def infer(
        cls, *arguments: Tensor, constants: int, regions: Sequence[Region]
    ) -> Sequence[Tensor]:
        condition, body = regions
        takes(cls, condition, arguments, "the condition")
        takes(cls, body, arguments, "the body")
        (asked,) = types_yielded(condition)
        lanes, carried = shape_of(asked), arguments[constants:]
        expect(dtype_of(asked) == "bool", cls, "the condition gives no bool")
        expect(
            all(shape_of(each)[: len(lanes)] == lanes for each in carried),
            cls,
            f"the axes of the condition, {text_of(asked)}, are not the first ones of each value",
        )
        gives(cls, body, carried, "the body")
        return list(carried)

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        constants, carried = operands[: self.constants.data], operands[self.constants.data :]
        while np.any(holds := evaluate(self.condition.block, [*constants, *carried])[0]):
            following = evaluate(self.body.block, [*constants, *carried])
            carried = tuple(
                np.where(np.reshape(holds, holds.shape + (1,) * (old.ndim - holds.ndim)), new, old)
                for new, old in zip(following, carried, strict=True)
            )
        return carried

    def elements(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Sequence[Scalar]:
        """Of loops that `passes/separate_loops.py` finds to be a loop for each element."""
        first = self.constants.data

        def inside(block: Block, carried: Sequence[Scalar]) -> Sequence[Scalar]:
            given = [*reads[:first], *(partial(_known, each) for each in carried)]
            known: dict[SSAValue, Read] = dict(zip(block.args, given, strict=True))

            def reader(value: SSAValue) -> Read:
                return known.get(value) or read_through(s, value, reader)

            return [reader(value)(at[: len(shape_of(value.type))]) for value in yielded(block)]

        ranks = [len(shape_of(each.type)) for each in self.results]
        initial = [read(at[:rank]) for read, rank in zip(reads[first:], ranks, strict=True)]
        return s.repeat(
            initial,
            lambda carried: inside(self.condition.block, carried)[0],
            partial(inside, self.body.block),
        )

    def lower(self, h: Host, operands: Sequence[SSAValue], results: Sequence[SSAValue]) -> None:
        constants, initial = operands[: self.constants.data], operands[self.constants.data :]
        following = [h.alloc(buffer_of(result.type)) for result in self.results]
        truth = h.alloc(buffer_of(tensor("bool")))
        for source, target in zip(initial, results, strict=True):
            h.copy(source, target)
        condition, body = Block(), Block()
        with h.within(condition):
            h.block_into(self.condition.block, [*constants, *results], [truth])
            h.write(ConditionOp, [h.truth(truth)])
        with h.within(body):
            h.block_into(self.body.block, [*constants, *results], following)
            for source, target in zip(following, results, strict=True):
                h.copy(source, target)
        h.write(WhileOp, (), (), {}, [Region(condition), Region(body)])

    def with_one_condition(self) -> "While":
        """Puts a loop with a condition for all in the place of this one. Where its own condition
        does not hold, a value stays."""
        parts = self.parts([Value(operand) for operand in self.operands])

        def anywhere(arguments: list[Value]) -> list[Value]:
            (condition,) = self.asked(arguments)
            return [condition.max(range(condition.rank))]

        def step(arguments: list[Value]) -> list[Value]:
            (condition,) = self.asked(arguments)
            pairs = zip(inline(self.body.block, arguments), self.parts(arguments).carried)
            axes = range(condition.rank)
            return [condition.broadcast(x.shape, axes).select(x, old) for x, old in pairs]

        with emitting_before(self):
            results = self.again(parts, written(parts.inner, step), anywhere)
        replace(self, results)
        loop = results[0].ssa.owner
        assert isinstance(loop, While)
        return loop

    def pullback(
        self, transforms: Transforms, wanted: Sequence[bool], *cotangents: Value | Zero
    ) -> Gradient:
        raise CompileError(
            "SW0211",
            "a while loop without a bound keeps no history, so that it has no reverse mode",
            hint="bound it with while_loop(…, max_steps=n), use scan, or use jvp",
            where=source_line(self.location),
        )

    @property
    def carries(self) -> int:
        return len(self.results)

    def asked(self, arguments: Sequence[Value]) -> list[Value]:
        return inline(self.condition.block, arguments)

    def again(self, parts: Parts, body: Region, asked: Asked) -> list[Value]:
        regions = [written(parts.inner, asked), body]
        return emitted("while", parts.values, regions, constants=len(parts.constants))

    def batched_condition(
        self, transforms: Transforms, size: Size, on: Sequence[bool]
    ) -> tuple[bool, Asked]:
        block, (batched,) = transforms.batch(self.condition.block, size, on)
        apart = batched or len(shape_of(yielded(block)[0].type)) > 0

        def asked(arguments: list[Value]) -> list[Value]:
            (condition,) = inline(block, arguments)
            return [leading(size, batched, condition) if apart else condition]

        return apart, asked


def _known(scalar: Scalar, _: tuple[Index, ...]) -> Scalar:
    """A carried value as a function of an index: there is but that of the moment."""
    return scalar
