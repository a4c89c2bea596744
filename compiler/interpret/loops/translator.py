"""Translates the ops of one function, for given sizes, into the steps of its frame."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from xdsl.ir import Block, Operation, SSAValue

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.loop.host import TERMINATORS
from stepwell.compiler.dialects.loop.types import Affine
from stepwell.compiler.interpret.loops.frames import Body, Frame, Step, computing
from stepwell.compiler.interpret.loops.places import refuse
from stepwell.compiler.interpret.loops.scalars import function_of
from stepwell.compiler.interpret.loops.values import Value, dtype_of
from stepwell.runtime.sizes import Size

Host: TypeAlias = Callable[[int, Sequence[Value]], None]
"""The callback of ordered effects: a site's number and the buffers that it sees."""
Custom: TypeAlias = Callable[[Sequence[Value], Mapping[str, int]], int]
"""What stands for a C symbol: buffers and sizes to 0, or another number for an error."""
Call: TypeAlias = Callable[[Sequence[Value]], None]


@final
@dataclass(frozen=True)
class Outside:
    """What a program finds around it. `random` shuffles the iterations of `loop.parallel`, whose
    order must not matter; `count_writes` checks that nests write every element exactly once."""

    host: Host
    custom: Mapping[str, Custom]
    random: np.random.Generator
    count_writes: bool


@final
class Translator:
    """Slots, sizes and rules while one function is translated."""

    def __init__(
        self,
        rules: "Rules",
        sizes: Mapping[str, int],
        outside: Outside,
        link: Callable[[str, Mapping[str, int]], Call],
    ):
        self.sizes = sizes
        self.outside = outside
        self.link = link
        """A function of the module by name, for sizes of its symbols."""
        self.rank = 0
        """The number of axes of the index grid at the op that is translated."""
        self._rules = rules
        self._slots: dict[SSAValue, int] = {}

    def slot(self, value: SSAValue) -> int:
        return self._slots.setdefault(value, len(self._slots))

    def slots(self, values: Sequence[SSAValue]) -> tuple[int, ...]:
        return tuple(map(self.slot, values))

    def frame(self) -> Frame:
        """An empty frame for what was translated."""
        return Frame.empty(len(self._slots))

    def size(self, size: Size) -> int:
        return size.evaluate(self.sizes)

    def shape(self, sizes: Sequence[Size]) -> tuple[int, ...]:
        return tuple(map(self.size, sizes))

    def affine(self, affine: Affine, operands: Sequence[SSAValue]) -> Callable[[Frame], Value]:
        """The index as a function of the frame."""
        offset = self.size(affine.offset)
        terms = [(self.size(c), self.slot(operands[number])) for c, number in affine.terms]
        if len(terms) == 1:
            ((factor, only),) = terms
            if factor == 1 and offset == 0:
                return lambda frame: frame[only]
            return lambda frame: frame[only] * factor + offset
        return lambda frame: sum((frame[slot] * c for c, slot in terms), offset)

    def body(self, block: Block, axes: int = 0) -> Body:
        """The steps of a block whose grid has `axes` more axes than the one around it."""
        self.rank += axes
        ops = list(block.ops)
        last = ops.pop() if ops and isinstance(ops[-1], TERMINATORS) else None
        steps = tuple((op, self._step(op)) for op in ops)
        yields = self.slots(operands_of(last)) if last else ()
        self.rank -= axes
        return Body(steps, self.slots(block.args), yields)

    def _step(self, op: Operation) -> Step:
        if (rule := self._rules.get(type(op))) is not None:
            return rule(op, self)
        if (function := function_of(op)) is None:
            raise refuse(op, "SW0280", "the loop interpreter does not know this op")
        return computing(function, self.slots(operands_of(op)), self.slot(op.results[0]))


Rule: TypeAlias = Callable[[Any, Translator], Step]
"""How an op of one class becomes a step."""
Rules: TypeAlias = Mapping[type[Operation], Rule]


def check_elements(op: Operation, buffer: SSAValue, value: SSAValue) -> None:
    """Raises unless the value is an element, or a vector of elements, of the buffer."""
    if dtype_of(buffer.type) != dtype_of(value.type):
        raise refuse(op, "SW0280", f"{value.type} is no element of {buffer.type}")
