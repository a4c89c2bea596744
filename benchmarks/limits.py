"""The limits of this processor, measured with code of our own: multiply-adds, and moving memory.

Both are peers that take turns with the others. A call may be more or less than the workload would
be at the limit: `notes` has the factor.
"""

import ctypes
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from benchmarks.peers.peer import Call, Peer, UnsupportedError, threads
from benchmarks.workloads.workload import Arrays, Weights, Workload
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
MOVED = 64 << 20
"""Bytes that a run moves at least, again and again if there are fewer."""
VECTORS = 4
"""Vectors that are moved in a step of a loop."""

Chains = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
Stream = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)


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


def stream(machine: Machine) -> ModuleOp:
    """`void stream(ptr from, i64 read, ptr to, i64 written, i64 times)`: adds up so many elements,
    and sets as many as `written` to the sum; both are multiples of what a step moves."""
    build = LlvmBuilder.define("stream", [ptr, i64, ptr, i64, i64])
    origin, read, place, written, times = build.arguments
    lanes = machine.lanes(4)
    type = vector(f32, lanes)
    zeros = [build.constant(type, 0.0) for _ in range(VECTORS)]
    with build.loop(0, times, carried=zeros, nonempty=True) as again:
        with build.loop(0, read, VECTORS * lanes, again.carried) as reading:
            start = build.gep(origin, reading.index, f32)
            loads = (build.load(build.gep(start, n * lanes, f32), type) for n in range(VECTORS))
            pairs = zip(reading.carried, loads, strict=True)
            reading.yields(*(build.fadd(each, x) for each, x in pairs))
        with build.loop(0, written, VECTORS * lanes) as writing:
            start = build.gep(place, writing.index, f32)
            for number in range(VECTORS):
                build.store(reading.results[number], build.gep(start, number * lanes, f32))
            writing.yields()
        again.yields(*reading.results)
    build.store(reduce(build.fadd, again.results), place)
    build.ret()
    return ModuleOp([build.function])


@final
class Arithmetic(Peer):
    """As many multiply-adds in f32 as each of some threads can take."""

    def __init__(self) -> None:
        self._machine = host()
        text = module_text(chains(self._machine))
        self._code = code.load(compile_object(text, self._machine), "the chains")
        self._function = Chains(self._code.address("chains"))
        self._places = [np.full(1024, 0.5, np.float32) for _ in range(threads())]
        self._team = _Team()
        self._operations = 0

    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        if not workload.operations:
            raise UnsupportedError("its operations are not counted")
        self._operations = workload.operations
        return lambda: self._team.run(
            self._function, [(place.ctypes.data, STEPS) for place in self._places]
        )

    def notes(self) -> Mapping[str, float]:
        done = 2 * threads() * CHAINS * STEPS * self._machine.lanes(4)
        return {"factor": self._operations / done}


@final
class Memory(Peer):
    """Reading the inputs and the weights, and writing as many bytes as the answer has."""

    def __init__(self) -> None:
        self._machine = host()
        text = module_text(stream(self._machine))
        self._code = code.load(compile_object(text, self._machine), "the stream")
        self._function = Stream(self._code.address("stream"))
        self._team = _Team()
        self._times = 1

    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        read = sum(each.nbytes for each in (*inputs, *weights.values()))
        self._times = max(1, MOVED // (read + workload.written))
        parts = [
            self._part(read // threads(), workload.written // threads()) for _ in range(threads())
        ]
        return lambda: self._team.run(
            self._function,
            [
                (origin.ctypes.data, origin.size, place.ctypes.data, place.size, self._times)
                for origin, place in parts
            ],
        )

    def _part(self, read: int, written: int) -> tuple[NDArray[Any], NDArray[Any]]:
        step = VECTORS * self._machine.lanes(4)
        sizes = (max(step, size // 4 // step * step) for size in (read, written))
        # Pages that nobody has written are one page of zeros, which is read from the first cache.
        origin, place = (np.ones(size, np.float32) for size in sizes)
        return origin, place

    def notes(self) -> Mapping[str, float]:
        return {"factor": 1 / self._times}


@final
class _Team:
    """Threads that run a C function at a time; ctypes lets go of Python's lock meanwhile."""

    def __init__(self) -> None:
        self._others = ThreadPoolExecutor(max(1, threads() - 1))

    def run(self, function: Any, calls: list[tuple[int, ...]]) -> None:
        first, *others = calls
        waiting: list[Future[None]] = [self._others.submit(function, *each) for each in others]
        function(*first)
        for each in waiting:
            each.result()
