"""Frames and bodies: a block as steps, which are closures over the slots of a frame."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from xdsl.ir import Operation

from stepwell.compiler.interpret.loops.places import text
from stepwell.compiler.interpret.loops.values import Value
from stepwell.compiler.interpret.loops.writes import WriteCounts


@final
class Frame(list[Value]):
    """The values of one call by slot, and what else its steps see."""

    grid: tuple[int, ...] = ()
    """The shape of the index grid inside a nest; a fold puts [steps, chunks] in front."""

    counts: WriteCounts | None = None
    """What nests have written, if that is counted."""

    @staticmethod
    def empty(slots: int) -> "Frame":
        return Frame([np.empty(0)] * slots)

    def read(self, slots: Iterable[int]) -> list[Value]:
        return [self[slot] for slot in slots]

    def assign(self, slots: Sequence[int], values: Iterable[Value]) -> None:
        for slot, value in zip(slots, values, strict=True):
            self[slot] = value


Step: TypeAlias = Callable[[Frame], None]


@final
@dataclass(frozen=True)
class Body:
    """A block as steps; `yields` are the slots of the values that end it."""

    steps: tuple[tuple[Operation, Step], ...]
    arguments: tuple[int, ...]
    yields: tuple[int, ...]

    def run(self, frame: Frame) -> list[Value]:
        """Executes the block and gives what it yields; an exception tells in which op it arose."""
        op = None
        try:
            for op, step in self.steps:
                step(frame)
        except Exception as error:
            if op is not None and not hasattr(error, "__notes__"):
                error.add_note(f"in {text(op)}")
            raise
        return [frame[slot] for slot in self.yields]


def computing(function: Callable[..., Value], operands: tuple[int, ...], result: int) -> Step:
    """A scalar op as a step: written out for one and two operands, which nearly all have."""
    if len(operands) == 1:
        (only,) = operands

        def unary(frame: Frame) -> None:
            frame[result] = function(frame[only])

        return unary
    if len(operands) == 2:
        left, right = operands

        def binary(frame: Frame) -> None:
            frame[result] = function(frame[left], frame[right])

        return binary

    def step(frame: Frame) -> None:
        frame[result] = function(*frame.read(operands))

    return step
