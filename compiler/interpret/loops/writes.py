"""Counts what the nests of a kernel write: every element of a buffer exactly once."""

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.nests import KernelOp, WriteOp
from stepwell.compiler.interpret.loops.memory import name_of
from stepwell.compiler.interpret.loops.places import refuse
from stepwell.compiler.interpret.loops.values import Value


@final
class WriteCounts:
    """The counts of one call of a kernel, for the arguments and locals that its nests write."""

    def __init__(self, kernel: KernelOp, arguments: Sequence[Value]):
        self._kernel = kernel
        self._targets = {op.target for op in kernel.walk() if isinstance(op, WriteOp)}
        self._counts: dict[SSAValue, NDArray[np.int64]] = {}
        for buffer, memory in zip(kernel.arguments, arguments, strict=True):
            self.start(buffer, memory.size)

    def start(self, buffer: SSAValue, elements: int) -> None:
        """The buffer exists from now on."""
        if buffer in self._targets:
            self._counts[buffer] = np.zeros(elements, np.int64)

    def add(self, buffer: SSAValue, offsets: Value) -> None:
        np.add.at(self._counts[buffer], offsets, 1)

    def check(self) -> None:
        """Raises unless every element was written once."""
        for buffer, counts in self._counts.items():
            if len(wrong := np.flatnonzero(counts != 1)):
                times = f"element {wrong[0]} of {name_of(buffer)} {counts[wrong[0]]} times"
                raise refuse(self._kernel, "SW0282", f"the nests write {times}, not once")
