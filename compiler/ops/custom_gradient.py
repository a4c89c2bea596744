"""Programs with a rule for their derivatives: a pullback, from which forward mode follows."""

from collections.abc import Sequence

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, OpResult, Region
from xdsl.irdl import irdl_op_definition, prop_def, region_def, var_operand_def, var_result_def

from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.nd import Tensor
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.ops.base import (
    Array,
    Gradient,
    Moved,
    PureOp,
    Transforms,
    all_leading,
    evaluate,
    expect,
)
from stepwell.compiler.ops.control import floating, gives, takes, types_yielded
from stepwell.compiler.ops.emission import emit, emitting_before
from stepwell.compiler.ops.regions import copied, inline, replace, written
from stepwell.compiler.ops.staging import compute_again, pulled_back_again
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value, Zero, dense, emitted, placed, plus, present
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size


@irdl_op_definition
class CustomGradient(PureOp):
    """A program with a reverse mode of its own, from which its forward mode follows.

    `forward` gives the results, then so many `residuals`; `backward` takes these, then the
    cotangents of the results, and gives those of the last operands. The operands before these are
    captured: to differentiate by them is an error (CompileError SW0215). Once it is differentiated
    the residuals are `kept`: they are results, too.

    The rule is all that derivatives of any order know of the results; the residuals are
    differentiated as what they are, a program of the operands and the results.
    """

    name = "nd.custom_gradient"
    arguments = var_operand_def(TensorType)
    residuals = prop_def(NumberAttr)
    kept = prop_def(NumberAttr)
    outputs = var_result_def(TensorType)
    forward = region_def("single_block")
    backward = region_def("single_block")
    assembly_format = (
        "`(` $arguments `)` `residuals` $residuals `kept` $kept $forward `backward` $backward"
        " attr-dict `:` functional-type($arguments, $outputs)"
    )

    @classmethod
    def infer(
        cls, *arguments: Tensor, residuals: int, kept: int, regions: Sequence[Region]
    ) -> Sequence[Tensor]:
        forward, backward = regions
        takes(cls, forward, arguments, "the function")
        found = types_yielded(forward)
        expect(residuals <= len(found), cls, f"the function gives no {residuals} residuals")
        count = len(found) - residuals
        takes(cls, backward, [*found[count:], *found[:count]], "the backward function")
        captured = max(len(arguments) - len(types_yielded(backward)), 0)
        gives(cls, backward, arguments[captured:], "the backward function")
        return found if kept else found[:count]

    def reference(self, *operands: Array) -> tuple[Array, ...]:
        return tuple(evaluate(self.forward.block, operands)[: len(self.results)])

    def pullback(
        self, transforms: Transforms, wanted: Sequence[bool], *cotangents: Value | Zero
    ) -> Gradient:
        self._expect_own(wanted)
        with emitting_before(self):
            op = self._keeping()
        if op is not self:
            replace(self, list(map(Value, op.results))[: op.count])
        of_results, of_residuals = cotangents[: op.count], cotangents[op.count :]
        through = op.residuals_pulled_back(transforms, of_residuals)
        sums = [plus(a, b) for a, b in zip(of_results, through[len(op.operands) :], strict=True)]
        return [plus(a, b) for a, b in zip(op.ruled(sums), through, strict=False)]

    def pushforward(self, transforms: Transforms, *tangents: Value | Zero) -> Moved:
        self._expect_own([isinstance(each, Value) for each in tangents])
        op = self._keeping()
        moved = op.rule_transposed(transforms, tangents)
        if op is self:
            moved = [*moved, *op.residuals_moved(transforms, [*tangents, *moved])]
        return list(map(Value, op.results[: len(moved)])), moved

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        """Everything gets the axis, so that the two programs still fit together."""
        wide = all_leading(size, on, operands)
        regions: list[Region] = []
        for region in (self.forward, self.backward):
            marks = [True] * len(region.block.args)
            block, flags = transforms.batch(region.block, size, marks)
            regions.append(_with_axis_everywhere(block, flags, size))
        results = emitted("custom_gradient", wide, regions, **self.parameters)
        return results, [True] * len(results)

    # What derivatives are made of; from `ruled` on, of an op that keeps its residuals.

    @property
    def count(self) -> int:
        """How many results there are before the residuals."""
        return len(yielded(self.forward.block)) - self.residuals.data

    @property
    def captured(self) -> int:
        """How many operands there are before those of the rule."""
        return len(self.operands) - len(yielded(self.backward.block))

    def _expect_own(self, on: Sequence[bool]) -> None:
        """Raises CompileError SW0215 where a captured operand is differentiated by."""
        if any(on[: self.captured]):
            raise CompileError(
                "SW0215",
                "a function of custom_gradient reads a differentiated value that is not its"
                " argument",
                hint="make the value an argument, with a cotangent; or read stop_gradient(value)",
                where=source_line(self.location),
            )

    def _keeping(self) -> "CustomGradient":
        """The same op with its residuals among its results, written here unless it is this one."""
        if self.kept.data:
            return self
        regions = [Region(copied(region.block)) for region in self.regions]
        count = self.residuals.data
        op = emit("custom_gradient", self.operands, regions, residuals=count, kept=1)
        assert isinstance(op, CustomGradient)
        return op

    def ruled(self, cotangents: Sequence[Value | Zero]) -> Gradient:
        """The cotangents of the operands by the rule."""
        types = [Value(operand).type for operand in self.operands]
        if not any(isinstance(each, Value) for each in cotangents):
            return list(map(Zero, types))
        residuals = map(Value, self.results[self.count :])
        own = inline(self.backward.block, [*residuals, *map(dense, cotangents)])
        return [*map(Zero, types[: self.captured]), *own]

    def rule_transposed(
        self, transforms: Transforms, tangents: Sequence[Value | Zero]
    ) -> list[Value | Zero]:
        """The tangents of the results. The rule is linear in w, w -> J' w, so that J v follows by
        reverse mode of the rule with respect to w, at any w: at zero."""
        residuals, results = self._parts()
        point = [*residuals, *(x.like(0) for x in results)]
        on = [*(False for _ in residuals), *floating([x.ssa for x in results])]
        rule = copied(self.backward.block)
        try:
            found = pulled_back_again(transforms, rule, point, on, tangents[self.captured :])
        except CompileError as error:
            raise CompileError(
                "SW0216",
                "forward mode of custom_gradient is its pullback transposed, where"
                f" {error.sentence}",
                hint="give the pullback a reverse mode by its cotangent: bound its loops, and put"
                " custom_gradient around C functions in it",
                where=error.where or source_line(self.location),
            ) from error
        return found[len(residuals) :]

    def residuals_pulled_back(
        self, transforms: Transforms, cotangents: Sequence[Value | Zero]
    ) -> list[Value | Zero]:
        """The cotangents of the operands and of the results, given those of the residuals."""
        values = self._known()
        if not any(isinstance(each, Value) for each in cotangents):
            return [Zero(value.type) for value in values]
        on = floating([value.ssa for value in values])
        on[: self.captured] = [False] * self.captured
        return pulled_back_again(transforms, self._beyond(), values, on, cotangents)

    def residuals_moved(
        self, transforms: Transforms, tangents: Sequence[Value | Zero]
    ) -> list[Value | Zero]:
        """The tangents of the residuals, given those of the operands and of the results."""
        block, flags = transforms.forward(
            self._beyond(), [isinstance(each, Value) for each in tangents]
        )
        compute_again(block, yielded(block)[len(flags) :])
        residuals, _ = self._parts()
        return placed(inline(block, [*self._known(), *present(tangents)]), flags, residuals)

    def _parts(self) -> tuple[list[Value], list[Value]]:
        """The residuals, and the results before them."""
        values = list(map(Value, self.results))
        return values[self.count :], values[: self.count]

    def _known(self) -> list[Value]:
        """What the residuals are a program of: the operands and the results."""
        return [*map(Value, self.operands), *self._parts()[1]]

    def _beyond(self) -> Block:
        """The residuals as that program: the function without what only leads to its results."""
        block = copied(self.forward.block)
        for result in yielded(block)[: self.count]:
            argument = block.insert_arg(result.type, len(block.args))
            if isinstance(result, OpResult):
                result.replace_all_uses_with(argument)
        compute_again(block, yielded(block)[self.count :])
        return block


def _with_axis_everywhere(block: Block, flags: Sequence[bool], size: Size) -> Region:
    """A batched block whose outputs all have the axis."""

    types = [argument.type for argument in block.args]
    return written(types, lambda arguments: all_leading(size, flags, inline(block, arguments)))
