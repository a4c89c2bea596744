"""A loop of known length that carries values, takes slices in and stacks slices up."""

from collections.abc import Iterator, Sequence

import numpy as np
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.irdl import irdl_op_definition, prop_def, region_def

from stepwell.compiler.dialects.nd import Tensor, dtype_of, numpy_dtype, shape_of, tensor, text_of
from stepwell.compiler.dialects.sizes import NumberAttr, SizeAttr
from stepwell.compiler.ops.base import Array, Gradient, Transforms, concrete, evaluate, refusal
from stepwell.compiler.ops.control import floating, select, takes, types_yielded
from stepwell.compiler.ops.emission import emit, emitting_before
from stepwell.compiler.ops.host import Host, buffer_of
from stepwell.compiler.ops.indices import Index
from stepwell.compiler.ops.loops import Asked, Loop, Parts, slice_of
from stepwell.compiler.ops.regions import copied, end_of, inline, replace, written
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value, Zero, dense, emitted, full, placed
from stepwell.runtime.sizes import Size


@irdl_op_definition
class Scan(Loop):
    """`length` times the body, which takes constants, carried values and a slice of each input.

    It yields the carried values for the next time, then a slice of each stacked result. With
    `reverse` the slices are taken, and the results stacked, from the last to the first.
    """

    name = "nd.scan"
    carried = prop_def(NumberAttr)
    length = prop_def(SizeAttr)
    reverse = prop_def(NumberAttr)
    body = region_def("single_block")
    assembly_format = (
        "`constants` $constants `carried` $carried `length` $length `reverse` $reverse"
        " `(` $arguments `)` $body attr-dict `:` functional-type($arguments, $outputs)"
    )

    @classmethod
    def infer(
        cls,
        *arguments: Tensor,
        constants: int,
        carried: int,
        length: Size,
        reverse: int,
        regions: Sequence[Region],
    ) -> Sequence[Tensor]:
        fixed = arguments[: constants + carried]
        inputs = arguments[constants + carried :]
        for each in inputs:
            if shape_of(each)[:1] != (length,):
                sentence = f"the input {text_of(each)} has no leading axis of the length {length}"
                raise refusal(cls, sentence)
        takes(cls, regions[0], [*fixed, *map(slice_of, inputs)], "the body")
        found = types_yielded(regions[0])
        carry = list(fixed[constants:])
        if found[:carried] != carry:
            raise refusal(cls, "the body does not give carried values of the types it takes")
        return [*carry, *(tensor(dtype_of(x), (length, *shape_of(x))) for x in found[carried:])]

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        first, count = self.constants.data, self.carried.data
        constants, carry = operands[:first], list(operands[first : first + count])
        inputs = operands[first + count :]
        (length,) = concrete((self.length.data,))
        steps = range(length)[::-1] if self.reverse.data else range(length)
        results = [
            np.zeros((length, *concrete(shape_of(value.type))), numpy_dtype(dtype_of(value.type)))
            for value in yielded(self.body.block)[count:]
        ]
        for step in steps:
            values = evaluate(self.body.block, [*constants, *carry, *(x[step] for x in inputs)])
            carry = values[:count]
            for result, value in zip(results, values[count:], strict=True):
                result[step] = value
        return (*carry, *results)

    def lower(self, h: Host, operands: Sequence[SSAValue], results: Sequence[SSAValue]) -> None:
        first, count, length = self.constants.data, self.carried.data, self.length.data
        constants, initial = operands[:first], operands[first : first + count]
        inputs, current, outputs = operands[first + count :], results[:count], results[count:]
        for source, target in zip(initial, current, strict=True):
            h.copy(source, target)
        following = [h.alloc(buffer_of(value.type)) for value in self.arguments[first:][:count]]
        slices = [argument.type for argument in self.body.block.args[first + count :]]
        stacks = [value.type for value in yielded(self.body.block)[count:]]
        with h.counting(length) as step:
            place = step * -1 + (length - 1) if self.reverse.data else step
            taken = list(_views(h, inputs, slices, place))
            given = list(_views(h, outputs, stacks, place))
            h.block_into(self.body.block, [*constants, *current, *taken], [*following, *given])
            for source, target in zip(following, current, strict=True):
                h.copy(source, target)

    def counting(self) -> Operation:
        """Puts a loop that carries its number of steps, too, in the place of a scan that only
        repeats its body, and whose length is known; any other stays."""
        length, carried = self.length.data.static, self.carried.data
        stays = (carried, self.constants.data + carried) != (len(self.results), len(self.operands))
        if stays or length is None or length >= 1 << 31:
            return self
        with emitting_before(self):
            operands = [*map(Value, self.operands), full(0, "i32")]
            types = [value.type for value in operands]
            regions = [
                written(types, lambda values: [values[-1].compare("lt", length)]),
                written(types, lambda x: [*inline(self.body.block, x[:-1]), x[-1] + 1]),
            ]
            values = [value.ssa for value in operands]
            loop = emit("while", values, regions, constants=self.constants.data)
        replace(self, list(map(Value, loop.results[:-1])))
        return loop

    @property
    def carries(self) -> int:
        return self.carried.data

    def again(
        self, parts: Parts, body: Region, asked: Asked = list, reverse: int | None = None
    ) -> list[Value]:
        return emitted(
            "scan",
            parts.values,
            [body],
            constants=len(parts.constants),
            carried=len(parts.carried),
            length=self.length.data,
            reverse=self.reverse.data if reverse is None else reverse,
        )

    def pullback(
        self, transforms: Transforms, wanted: Sequence[bool], *cotangents: Value | Zero
    ) -> Gradient:
        first, count = self.constants.data, self.carried.data
        body, carried = copied(self.body.block), slice(first, first + count)
        wrt = [a and b for a, b in zip(wanted, floating(body.args), strict=True)]
        wrt[carried] = floating(body.args[carried])
        active = floating(yielded(self.body.block))
        half = transforms.split(body, wrt, active)
        constants = [x for x in half.residuals if x in body.args[:first]]
        slices = [x for x in half.residuals if x in body.args[first + count :]]
        saved = [x for x in half.residuals if x not in constants and x not in slices]
        end_of(body).operands = [*yielded(body), *saved]
        operands = [Value(operand) for operand in self.operands]
        with emitting_before(self):
            results = self.again(self.parts(operands), Region(body))
        produced = len(self.results)
        replace(self, results[:produced])

        position: dict[SSAValue, int] = {value: n for n, value in enumerate(body.args)}
        seeds = [dense(cotangent) for cotangent in cotangents]
        carry_flags, stack_flags = active[:count], active[count:]
        sums = [x.like(0) for x in select(wrt[:first], operands[:first])]
        carry_seeds = select(carry_flags, seeds[:count])
        stack_seeds = select(stack_flags, seeds[count:])
        parts = Parts(
            [operands[position[x]] for x in constants],
            [*carry_seeds, *sums],
            [*(operands[position[x]] for x in slices), *results[produced:], *stack_seeds],
        )

        def step(arguments: list[Value]) -> list[Value]:
            walk = iter(arguments)
            given = {x: next(walk) for x in constants}
            carry = [next(walk) for _ in carry_seeds]
            so_far = [next(walk) for _ in sums]
            given.update({x: next(walk) for x in (*slices, *saved)})
            rest = list(walk)
            gradients = iter(
                inline(half.back, [*(given[x] for x in half.residuals), *carry, *rest])
            )
            added = [total + next(gradients) for total in so_far]
            following = [next(gradients) for flag in wrt[carried] if flag]
            return [*following, *added, *gradients]

        found = self.again(parts, written(parts.inner, step), reverse=1 - self.reverse.data)
        last = sum(wrt[carried])
        of_constants, rest = found[last:][: len(sums)], found[last:][len(sums) :]
        gradients = placed([*of_constants, *found[:last], *rest], wrt, operands)
        return [x if want else Zero(x.type) for x, want in zip(gradients, wanted, strict=True)]


def _views(
    h: Host, stacks: Sequence[SSAValue], types: Sequence[Attribute], place: Index
) -> Iterator[SSAValue]:
    """The slice of each stack at a place."""
    for stack, type in zip(stacks, types, strict=True):
        part = buffer_of(type)
        yield h.view(stack, place * part.count, part)
