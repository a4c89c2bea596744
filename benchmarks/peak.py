"""The peak of this processor's fused multiply-adds in f32, measured with code of our own."""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import final

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from stepwell.compiler.dialects.llvm.types import f32, i64, ptr, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.targets.cpu import compile_object, host
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime import code

CHAINS = 12
"""Sums that do not wait for each other: two may begin in a cycle, and each takes four."""
STEPS = 2_000_000
"""Of every chain in a run: some 3 milliseconds, so that starting a thread does not count."""

Chains = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


def chains(machine: Machine) -> ModuleOp:
    """`void chains(ptr place, i64 steps)`: chains of s = s * x + x, where x stands at `place`."""
    build = LlvmBuilder.define("chains", [ptr, i64])
    place, steps = build.arguments
    type = vector(f32, machine.lanes(4))
    x = build.load(place, type)
    firsts = [build.constant(type, float(number)) for number in range(CHAINS)]
    with build.loop(0, steps, carried=firsts, nonempty=True) as loop:
        loop.yields(*(build.fma(each, x, x) for each in loop.carried))
    build.store(reduce(build.fadd, loop.results), place)
    build.ret()
    return ModuleOp([build.function])


@final
class Peak:
    """Runs as many chains as each of some threads can take."""

    def __init__(self, threads: int) -> None:
        machine = host()
        self._code = code.load(compile_object(module_text(chains(machine)), machine), "the chains")
        self._function = Chains(self._code.address("chains"))
        self._places = [np.full(1024, 0.5, np.float32) for _ in range(threads)]
        self._others = ThreadPoolExecutor(max(1, threads - 1))
        self.operations = 2 * threads * CHAINS * STEPS * machine.lanes(4)
        """Floating-point operations of a run: a multiply-add is two."""

    def run(self) -> None:
        """One run on all threads at a time; ctypes lets go of Python's lock meanwhile."""
        first, *others = [place.ctypes.data for place in self._places]
        waiting = [self._others.submit(self._function, place, STEPS) for place in others]
        self._function(first, STEPS)
        for each in waiting:
            each.result()
