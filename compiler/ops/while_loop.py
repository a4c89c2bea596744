"""A loop that goes on while a condition holds."""

from collections.abc import Sequence

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, Region, SSAValue
from xdsl.irdl import irdl_op_definition, prop_def, region_def, var_operand_def, var_result_def

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.loop.host import ConditionOp, WhileOp
from stepwell.compiler.dialects.nd import Tensor, tensor
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.ops.base import (
    Array,
    Gradient,
    PureOp,
    Transforms,
    evaluate,
    expect,
    leading,
)
from stepwell.compiler.ops.control import gives, select, settled, takes, types_yielded
from stepwell.compiler.ops.host import Host, buffer_of
from stepwell.compiler.ops.regions import inline, written
from stepwell.compiler.ops.value import Value, Zero, dense, emitted, placed, present
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size


@irdl_op_definition
class While(PureOp):
    """Repeats the body on the carried values while the condition holds; constants stay."""

    name = "nd.while"
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
        expect(
            types_yielded(condition) == [tensor("bool")], cls, "the condition gives no single bool"
        )
        gives(cls, body, arguments[constants:], "the body")
        return list(arguments[constants:])

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        constants, carried = operands[: self.constants.data], operands[self.constants.data :]
        while bool(evaluate(self.condition.block, [*constants, *carried])[0]):
            carried = tuple(evaluate(self.body.block, [*constants, *carried]))
        return carried

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
        return emitted("while", operands, regions, constants=constants)

    def pushforward(
        self, transforms: Transforms, *tangents: Value | Zero
    ) -> tuple[Sequence[Value], Gradient]:
        first = self.constants.data
        on = [isinstance(each, Value) for each in tangents]
        carried = slice(first, None)
        block, flags = settled(lambda on: transforms.forward(self.body.block, on), on, carried)
        primal = [Value(operand) for operand in self.operands]
        t_constants = present(tangents[:first])
        t_carried = [dense(t) for t in select(on[carried], tangents[carried])]
        operands = [*primal[:first], *t_constants, *primal[first:], *t_carried]
        count, more = len(primal), len(t_constants)

        def primals(arguments: list[Value]) -> list[Value]:
            return [*arguments[:first], *arguments[first + more : count + more]]

        def step(arguments: list[Value]) -> list[Value]:
            moved = [*arguments[first : first + more], *arguments[count + more :]]
            values = inline(block, [*primals(arguments), *moved])
            results = values[: count - first]
            following = placed(values[count - first :], flags, results)
            return [*results, *map(dense, select(on[carried], following))]

        types = [x.type for x in operands]
        regions = [
            written(types, lambda args: inline(self.condition.block, primals(args))),
            written(types, step),
        ]
        results = self.again(operands, first + more, regions)
        values = results[: count - first]
        return values, placed(results[count - first :], on[carried], values)

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        first, marks = self.constants.data, list(on)
        while True:
            block, flags = transforms.batch(self.body.block, size, marks)
            asked, (many,) = transforms.batch(self.condition.block, size, marks)
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
            return [condition.max([0])] if many else [condition]

        def step(arguments: list[Value]) -> list[Value]:
            """The next values; lanes whose condition no longer holds keep theirs."""
            following = [
                leading(size, has, value) if mark else value
                for has, mark, value in zip(
                    flags, marks[first:], inline(block, arguments), strict=True
                )
            ]
            if not many:
                return following
            (condition,) = inline(asked, arguments)
            return [
                condition.broadcast(new.shape, (0,)).select(new, old)
                for new, old in zip(following, arguments[first:], strict=True)
            ]

        regions = [written(types, goes_on), written(types, step)]
        return self.again(values, first, regions), marks[first:]
