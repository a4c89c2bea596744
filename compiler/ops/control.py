"""Control flow: ops whose regions are closed programs over their operands."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, Region, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, region_def, var_operand_def, var_result_def

from stepwell.compiler.dialects.loop.explicit import IfOp
from stepwell.compiler.dialects.loop.nests import YieldOp as LoopYield
from stepwell.compiler.dialects.nd import Tensor, dtype_of, is_float, tensor, text_of
from stepwell.compiler.ops.base import (
    Array,
    Gradient,
    Moved,
    Path,
    PureOp,
    TensorOp,
    Transforms,
    evaluate,
    expect,
    leading,
    refusal,
)
from stepwell.compiler.ops.emission import emit, emitting_before
from stepwell.compiler.ops.host import Host
from stepwell.compiler.ops.paths import paths
from stepwell.compiler.ops.regions import copied, end_of, inline, replace, written
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value, Zero, dense, emitted, parted, placed, present
from stepwell.runtime.sizes import Size

T = TypeVar("T")


def types_yielded(region: Region) -> list[Tensor]:
    return [cast(Tensor, value.type) for value in yielded(region.block)]


def takes(op: type[TensorOp], region: Region, types: Sequence[Tensor], what: str) -> None:
    """Checks that a region's block takes these types."""
    given = [cast(Tensor, argument.type) for argument in region.block.args]
    if given != list(types):
        raise refusal(op, f"{what} takes {_list(given)}, and is given {_list(types)}")


def gives(op: type[TensorOp], region: Region, types: Sequence[Tensor], what: str) -> None:
    """Checks that a region yields these types."""
    found = types_yielded(region)
    expect(found == list(types), op, f"{what} gives {_list(found)}, and should give {_list(types)}")


def _list(types: Sequence[Tensor]) -> str:
    return "(" + ", ".join(map(text_of, types)) + ")"


def floating(values: Sequence[SSAValue]) -> list[bool]:
    return [is_float(dtype_of(value.type)) for value in values]


def select(flags: Sequence[bool], values: Sequence[Any]) -> list[Any]:
    return [value for value, flag in zip(values, flags, strict=True) if flag]


@irdl_op_definition
class If(PureOp):
    """One of two programs over the same operands."""

    name = "nd.if"
    condition = operand_def(TensorType)
    arguments = var_operand_def(TensorType)
    outputs = var_result_def(TensorType)
    then = region_def("single_block")
    otherwise = region_def("single_block")
    assembly_format = (
        "$condition `(` $arguments `)` $then `else` $otherwise attr-dict"
        " `:` functional-type(operands, results)"
    )

    @classmethod
    def infer(
        cls, condition: Tensor, *arguments: Tensor, regions: Sequence[Region]
    ) -> Sequence[Tensor]:
        then, otherwise = regions
        expect(condition == tensor("bool"), cls, f"the condition is {text_of(condition)}")
        takes(cls, then, arguments, "the first branch")
        takes(cls, otherwise, arguments, "the second branch")
        gives(cls, otherwise, types_yielded(then), "the second branch")
        return types_yielded(then)

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        condition, *arguments = operands
        taken = self.then if bool(condition) else self.otherwise
        return tuple(evaluate(taken.block, arguments))

    def lower(self, h: Host, operands: Sequence[SSAValue], results: Sequence[SSAValue]) -> None:
        condition = h.truth(operands[0])
        branches: list[Region] = []
        for source in (self.then, self.otherwise):
            block = Block()
            with h.within(block):
                h.block_into(source.block, operands[1:], results)
                h.write(LoopYield)
            branches.append(Region(block))
        h.write(IfOp, [condition], (), {}, branches)

    def pullback(
        self, transforms: Transforms, wanted: Sequence[bool], *cotangents: Value | Zero
    ) -> Gradient:
        wrt, active = wanted[1:], floating(self.results)
        branches = [copied(self.then.block), copied(self.otherwise.block)]
        halves = [transforms.split(block, wrt, active) for block in branches]
        kept = [residual for half in halves for residual in half.residuals]
        with emitting_before(self):
            forward = emit("if", list(self.operands), self._with_residuals(branches, halves, kept))
        values = [Value(result) for result in forward.results]
        count = len(self.results)
        replace(self, values[:count])
        seeds = [dense(cotangent) for cotangent in select(active, cotangents)]
        operands = [*values[count:], *seeds]
        first = len(halves[0].residuals)

        def branch(back: Block, start: int, stop: int) -> Region:
            return written(
                [x.type for x in operands],
                lambda args: inline(back, [*args[start:stop], *args[len(kept) :]]),
            )

        regions = [
            branch(halves[0].back, 0, first),
            branch(halves[1].back, first, len(kept)),
        ]
        gradients = emitted("if", [Value(forward.operands[0]), *operands], regions)
        return placed(gradients, [False, *wrt], map(Value, forward.operands))

    def _with_residuals(
        self, branches: Sequence[Block], halves: Sequence[Any], kept: Sequence[SSAValue]
    ) -> list[Region]:
        """The branches, which also give what either pullback reads; the other's part is zero."""
        regions: list[Region] = []
        for block, half in zip(branches, halves, strict=True):
            last, own = end_of(block), set(half.residuals)
            with emitting_before(last):
                extra = [
                    residual if residual in own else Value(residual).like(0).ssa
                    for residual in kept
                ]
            last.operands = [*last.operands, *extra]
            regions.append(Region(block))
        return regions

    def paths(self, *onward: Path) -> Sequence[Path]:
        found = (paths(region.block, onward) for region in self.regions)
        return [min(max(onward), Path.BROKEN), *map(max, *found)]

    def pushforward(self, transforms: Transforms, *tangents: Value | Zero) -> Moved:
        on = [isinstance(each, Value) for each in tangents[1:]]
        pairs = [transforms.forward(region.block, on) for region in self.regions]
        flags = [any(each) for each in zip(*(found for _, found in pairs), strict=True)]
        operands = [*map(Value, self.operands), *present(tangents)]
        regions = [_with_flags(block, found, flags) for block, found in pairs]
        return parted(emitted("if", operands, regions), flags)

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        pairs = [transforms.batch(region.block, size, on[1:]) for region in self.regions]
        flags = [on[0] or any(each) for each in zip(*(found for _, found in pairs), strict=True)]
        condition, *arguments = operands
        if on[0]:
            both = [led(inline(block, arguments), found, flags, size) for block, found in pairs]
            chosen = [
                condition.broadcast(a.shape, (0,)).select(a, b) for a, b in zip(*both, strict=True)
            ]
            return chosen, flags
        regions = [
            written(
                [argument.type for argument in block.args],
                lambda args, block=block, found=found: led(inline(block, args), found, flags, size),
            )
            for block, found in pairs
        ]
        return emitted("if", operands, regions), flags


def led(
    values: Sequence[Value], found: Sequence[bool], wanted: Sequence[bool], size: Size
) -> list[Value]:
    """The values with a leading axis where it is wanted."""
    return [
        leading(size, has, value) if want else value
        for value, has, want in zip(values, found, wanted, strict=True)
    ]


def _with_flags(block: Block, found: Sequence[bool], wanted: Sequence[bool]) -> Region:
    """A block with tangents that gives those that are wanted; what it has none of is zero."""

    def write(arguments: list[Value]) -> list[Value]:
        outputs, tangents = parted(inline(block, arguments), found)
        return [*outputs, *map(dense, select(wanted, tangents))]

    return written([argument.type for argument in block.args], write)


def settled(
    transform: Callable[[Sequence[bool]], tuple[T, Sequence[bool]]],
    marks: list[bool],
    carried: slice,
) -> tuple[T, Sequence[bool]]:
    """A loop's body, transformed, with the flags of what it gives: a carried value is marked before
    a step if it is flagged behind one. `marks` are those of the body's arguments in the end."""
    while True:
        body, flags = transform(marks)
        grown = [a or b for a, b in zip(marks[carried], flags, strict=False)]
        if grown == marks[carried]:
            return body, flags
        marks[carried] = grown
