"""What loops share: the values that they carry, with tangents of them, or a batch of each."""

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, Region
from xdsl.irdl import prop_def, var_operand_def, var_result_def

from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.ops.base import Moved, PureOp, Transforms
from stepwell.compiler.ops.control import led, select, settled
from stepwell.compiler.ops.regions import inline, written
from stepwell.compiler.ops.structure import yielded
from stepwell.compiler.ops.value import Value, Zero, dense, parted, placed, present
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
        """The types of what the body takes: of the slices, those of one time."""
        fixed = (*self.constants, *self.carried)
        return [*(x.type for x in fixed), *(slice_of(x.type) for x in self.slices)]


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

    def pushforward(self, transforms: Transforms, *tangents: Value | Zero) -> Moved:
        first, count, body = self.constants.data, self.carries, self.regions[-1].block
        on = [isinstance(each, Value) for each in tangents]
        carried = slice(first, first + count)
        block, flags = settled(lambda on: transforms.forward(body, on), on, carried)
        primal = self.parts([Value(operand) for operand in self.operands])
        t_constants, t_slices = present(tangents[:first]), present(tangents[first + count :])
        t_carried = [dense(t) for t in select(on[carried], tangents[carried])]
        parts = Parts(
            [*primal.constants, *t_constants],
            [*primal.carried, *t_carried],
            [*primal.slices, *t_slices],
        )
        outputs = len(yielded(body)) - count

        def step(arguments: list[Value]) -> list[Value]:
            walk = iter(arguments)
            constants = [next(walk) for _ in range(first)]
            more = [next(walk) for _ in t_constants]
            current = [next(walk) for _ in range(count)]
            more += [next(walk) for _ in t_carried]
            slices = [next(walk) for _ in primal.slices]
            values = inline(block, [*constants, *current, *slices, *more, *walk])
            results, moved = parted(values, flags)
            following = [dense(t) for t in select(on[carried], moved[:count])]
            return [*results[:count], *following, *results[count:], *present(moved[count:])]

        def asked(arguments: list[Value]) -> list[Value]:
            last = first + len(t_constants)
            return self.asked([*arguments[:first], *arguments[last : last + count]])

        results = self.again(parts, written(parts.inner, step), asked)
        last = count + len(t_carried)
        values = [*results[:count], *results[last : last + outputs]]
        moved = [*results[count:last], *results[last + outputs :]]
        return values, placed(moved, [*on[carried], *flags[count:]], values)

    def vectorised(
        self, transforms: Transforms, size: Size, on: Sequence[bool], *operands: Value
    ) -> tuple[Sequence[Value], Sequence[bool]]:
        first, count = self.constants.data, self.carries
        marks, carried = list(on), slice(first, first + count)

        def batch(marks: Sequence[bool]) -> tuple[tuple[Block, Sequence[bool], Asked], list[bool]]:
            block, flags = transforms.batch(self.regions[-1].block, size, marks)
            apart, asked = self.batched_condition(transforms, size, marks)
            return (block, flags, asked), [flag or apart for flag in flags[:count]]

        (block, flags, asked), _ = settled(batch, marks, carried)
        initial = led(operands[carried], on[carried], marks[carried], size)
        slices = [
            value.move_axis(0, 1) if has else value
            for has, value in zip(on[first + count :], operands[first + count :], strict=True)
        ]

        def step(arguments: list[Value]) -> list[Value]:
            values = inline(block, arguments)
            return [*led(values[:count], flags[:count], marks[carried], size), *values[count:]]

        parts = Parts(operands[:first], initial, slices)
        inner = [argument.type for argument in block.args]
        results = self.again(parts, written(inner, step), asked)
        out = [*marks[carried], *flags[count:]]
        return [
            value.move_axis(1, 0) if flag and position >= count else value
            for position, (value, flag) in enumerate(zip(results, out, strict=True))
        ], out
