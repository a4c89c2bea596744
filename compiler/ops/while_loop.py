"""A loop that goes on while a condition holds."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, Region, SSAValue
from xdsl.irdl import irdl_op_definition, prop_def, region_def, var_operand_def, var_result_def

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.loop.host import ConditionOp, WhileOp
from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor, text_of
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.ops.base import (
    Array,
    Gradient,
    PureOp,
    Role,
    Transforms,
    evaluate,
    expect,
    leading,
    read_through,
)
from stepwell.compiler.ops.control import gives, takes, types_yielded
from stepwell.compiler.ops.emission import emit
from stepwell.compiler.ops.host import Host, buffer_of
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.regions import inline, written
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value, Zero, zeros
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size


@irdl_op_definition
class While(PureOp):
    """Repeats the body on the carried values while the condition holds; constants stay.

    The condition may have leading axes of what is carried. Then the loop goes on while it holds
    anywhere, and where it does not, values stay.
    """

    name = "nd.while"
    ROLE: ClassVar = Role.LOOP
    COSTLY: ClassVar = True
    arguments = var_operand_def(TensorType)
    constants = prop_def(NumberAttr)
    outputs = var_result_def(TensorType)
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
        with h.inside(condition):
            h.block_into(self.condition.block, [*constants, *results], [truth])
            h.write(ConditionOp, [h.truth(truth)])
        with h.inside(body):
            h.block_into(self.body.block, [*constants, *results], following)
            for source, target in zip(following, results, strict=True):
                h.copy(source, target)
        h.write(WhileOp, (), (), {}, [Region(condition), Region(body)])

    def pullback(
        self, transforms: Transforms, wanted: Sequence[bool], *cotangents: Value | Zero
    ) -> Gradient:
        raise CompileError(
            "SW0211",
            "a while loop without a bound keeps no history, so that it has no reverse mode",
            hint="bound it with while_loop(…, max_steps=n), use scan, or use jvp",
            where=source_line(self.location),
        )

    def again(
        self, operands: Sequence[Value], constants: int, regions: Sequence[Region]
    ) -> list[Value]:
        """A loop like this one, of other operands and regions."""
        op = emit("while", [x.ssa for x in operands], regions, constants=constants)
        return [Value(result) for result in op.results]

    def pushforward(
        self, transforms: Transforms, *tangents: Value | Zero
    ) -> tuple[Sequence[SSAValue], Gradient]:
        first = self.constants.data
        on = [isinstance(each, Value) for each in tangents]
        while True:
            block, flags = transforms.forward(self.body.block, on)
            grown = [a or b for a, b in zip(on[first:], flags, strict=True)]
            if grown == on[first:]:
                break
            on[first:] = grown
        primal = [Value(operand) for operand in self.operands]
        given = [
            (zeros(t) if isinstance(t, Zero) else t) if flag else None
            for t, flag in zip(tangents, on, strict=True)
        ]
        t_constants = [t for t in given[:first] if t is not None]
        t_carried = [t for t in given[first:] if t is not None]
        operands = [*primal[:first], *t_constants, *primal[first:], *t_carried]
        count, more = len(primal), len(t_constants)

        def primals(arguments: list[Value]) -> list[Value]:
            return [*arguments[:first], *arguments[first + more : count + more]]

        def step(arguments: list[Value]) -> list[Value]:
            moved = [*arguments[first : first + more], *arguments[count + more :]]
            values = inline(block, [*primals(arguments), *moved])
            results, derived = values[: count - first], iter(values[count - first :])
            known = [next(derived) if flag else None for flag in flags]
            following = [
                zeros(Zero(result.type)) if tangent is None else tangent
                for result, tangent, flag in zip(results, known, on[first:], strict=True)
                if flag
            ]
            return [*results, *following]

        types = [x.type for x in operands]
        regions = [
            written(types, lambda args: inline(self.condition.block, primals(args))),
            written(types, step),
        ]
        results = self.again(operands, first + more, regions)
        values, derived = results[: count - first], iter(results[count - first :])
        found = [
            next(derived) if flag else Zero(value.type)
            for flag, value in zip(on[first:], values, strict=True)
        ]
        return [value.ssa for value in values], found

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        first, marks = self.constants.data, list(on)
        while True:
            block, flags = transforms.batch(self.body.block, size, marks)
            asked, (has_lanes,) = transforms.batch(self.condition.block, size, marks)
            many = has_lanes or len(shape_of(yielded(asked)[0].type)) > 0
            grown = [a or b or many for a, b in zip(marks[first:], flags, strict=True)]
            if grown == marks[first:]:
                break
            marks[first:] = grown
        carried = [
            leading(size, has, value) if mark else value
            for has, mark, value in zip(on[first:], marks[first:], operands[first:], strict=True)
        ]
        values = [*operands[:first], *carried]
        types = [x.type for x in values]

        def goes_on(arguments: list[Value]) -> list[Value]:
            (condition,) = inline(asked, arguments)
            return [leading(size, has_lanes, condition) if many else condition]

        def step(arguments: list[Value]) -> list[Value]:
            following = zip(flags, marks[first:], inline(block, arguments), strict=True)
            return [leading(size, has, x) if mark else x for has, mark, x in following]

        regions = [written(types, goes_on), written(types, step)]
        return self.again(values, first, regions), marks[first:]


def _known(scalar: Scalar, _: tuple[Index, ...]) -> Scalar:
    """A carried value as a function of an index: there is but that of the moment."""
    return scalar
