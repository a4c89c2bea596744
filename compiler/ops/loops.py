"""What loops share: the values that they carry, with tangents of them, or a batch of each."""

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, Region, SSAValue
from xdsl.irdl import prop_def, var_operand_def, var_result_def

from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.ops.base import Gradient, PureOp, Transforms, leading
from stepwell.compiler.ops.regions import inline, written
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value, Zero, dense, zeros
from stepwell.runtime.sizes import Size

Asked = Callable[[list[Value]], list[Value]]
"""What the condition of a loop gives for the arguments of its body."""


def slice_of(type: Tensor) -> Tensor:
    return tensor(dtype_of(type), shape_of(type)[1:])


@dataclass(frozen=True)
class Parts:
    """The constants, the carried values and the slices of a loop, of any kind."""

    constants: Sequence[Value]
    carried: Sequence[Value]
    slices: Sequence[Value]

    @property
    def values(self) -> list[Value]:
        return [*self.constants, *self.carried, *self.slices]

    @property
    def inner(self) -> list[Tensor]:
        """The types of what the body takes."""
        fixed = [x.type for x in (*self.constants, *self.carried)]
        return [*fixed, *(slice_of(x.type) for x in self.slices)]


class Loop(PureOp, abc.ABC):
    """Repeats its last region, which takes constants, carried values and perhaps slices of inputs.

    It yields the carried values for the next time, then a slice of each stacked result.
    """

    arguments = var_operand_def(TensorType)
    constants = prop_def(NumberAttr)
    outputs = var_result_def(TensorType)

    @property
    @abc.abstractmethod
    def carries(self) -> int:
        """How many values are carried."""

    @abc.abstractmethod
    def again(self, parts: Parts, body: Region, asked: Asked) -> list[Value]:
        """A loop like this one, of other operands and with another body."""

    def asked(self, arguments: Sequence[Value]) -> list[Value]:
        """What the condition gives, if there is one."""
        return []

    def batched_condition(
        self, transforms: Transforms, size: Size, on: Sequence[bool]
    ) -> tuple[bool, Asked]:
        """Whether the elements of a batch go on apart, and what they ask."""
        return False, self.asked

    def parts(self, values: Sequence[Value]) -> Parts:
        """Values that stand for the operands, or for the body's arguments, apart."""
        first, last = self.constants.data, self.constants.data + self.carries
        return Parts(values[:first], values[first:last], values[last:])

    def pushforward(
        self, transforms: Transforms, *tangents: Value | Zero
    ) -> tuple[Sequence[SSAValue], Gradient]:
        first, count = self.constants.data, self.carries
        on = [isinstance(each, Value) for each in tangents]
        block, flags = self._fixpoint(transforms, on)
        primal = self.parts([Value(operand) for operand in self.operands])
        moved = [dense(t) if flag else None for t, flag in zip(tangents, on, strict=True)]
        t_constants = _present(moved[:first])
        t_carried = _present(moved[first : first + count])
        t_slices = _present(moved[first + count :])
        parts = Parts(
            [*primal.constants, *t_constants],
            [*primal.carried, *t_carried],
            [*primal.slices, *t_slices],
        )
        outputs = len(yielded(self.regions[-1].block)) - count

        def step(arguments: list[Value]) -> list[Value]:
            walk = iter(arguments)
            constants = [next(walk) for _ in range(first)]
            more = [next(walk) for _ in t_constants]
            carried = [next(walk) for _ in range(count)]
            more += [next(walk) for _ in t_carried]
            slices = [next(walk) for _ in primal.slices]
            values = inline(block, [*constants, *carried, *slices, *more, *walk])
            results, derived = values[: count + outputs], iter(values[count + outputs :])
            known = [next(derived) if flag else None for flag in flags]
            of_carries = [
                zeros(Zero(result.type)) if tangent is None else tangent
                for result, tangent, flag in zip(
                    results[:count], known[:count], on[first : first + count], strict=True
                )
                if flag
            ]
            return [*results[:count], *of_carries, *results[count:], *_present(known[count:])]

        def asked(arguments: list[Value]) -> list[Value]:
            last = first + len(t_constants)
            return self.asked([*arguments[:first], *arguments[last : last + count]])

        results = iter(self.again(parts, written(parts.inner, step), asked))
        carried = [next(results) for _ in range(count)]
        t_out = [next(results) if flag else None for flag in on[first : first + count]]
        stacks = [next(results) for _ in range(outputs)]
        t_out += [next(results) if flag else None for flag in flags[count:]]
        values = [*carried, *stacks]
        found = [Zero(v.type) if t is None else t for v, t in zip(values, t_out, strict=True)]
        return [value.ssa for value in values], found

    def _fixpoint(self, transforms: Transforms, on: list[bool]) -> tuple[Block, tuple[bool, ...]]:
        """The body with tangents, once a carried value has one in if it has one out; marks `on`."""
        first, count = self.constants.data, self.carries
        while True:
            block, flags = transforms.forward(self.regions[-1].block, on)
            grown = [a or b for a, b in zip(on[first : first + count], flags, strict=False)]
            if grown == on[first : first + count]:
                return block, flags
            on[first : first + count] = grown

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        first, count = self.constants.data, self.carries
        marks = list(on)
        while True:
            block, flags = transforms.batch(self.regions[-1].block, size, marks)
            apart, asked = self.batched_condition(transforms, size, marks)
            before = marks[first : first + count]
            grown = [a or b or apart for a, b in zip(before, flags, strict=False)]
            if grown == before:
                break
            marks[first : first + count] = grown
        carried = [
            leading(size, has, value) if mark else value
            for has, mark, value in zip(on[first:], marks[first:], operands[first:], strict=True)
        ][:count]
        slices = [
            value.move_axis(0, 1) if has else value
            for has, value in zip(on[first + count :], operands[first + count :], strict=True)
        ]

        def step(arguments: list[Value]) -> list[Value]:
            values = inline(block, arguments)
            following = [
                leading(size, has, value) if mark else value
                for has, mark, value in zip(flags, marks[first:], values, strict=False)
            ][:count]
            return [*following, *values[count:]]

        parts = Parts(operands[:first], carried, slices)
        inner = [argument.type for argument in block.args]
        results = self.again(parts, written(inner, step), asked)
        out = [*marks[first : first + count], *flags[count:]]
        return [
            value.move_axis(1, 0) if flag and position >= count else value
            for position, (value, flag) in enumerate(zip(results, out, strict=True))
        ], out


def _present(values: Sequence[Value | None]) -> list[Value]:
    return [value for value in values if value is not None]
