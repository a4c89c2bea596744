"""A kernel by itself: a program that only launches it, with memory of its own to run on."""

import ctypes
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import Block, Region

from stepwell.compiler.cache.lookup import support_of
from stepwell.compiler.dialects.loop.host import FuncOp, LaunchOp
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import BufferType, Plan, PlanAttr
from stepwell.compiler.dialects.sizes import BindingsAttr
from stepwell.compiler.interpret.loops.values import DTYPES
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.pipeline import run_stages, without_collection, workspace_of
from stepwell.compiler.targets.cpu import compile_object
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime import code, pool
from stepwell.runtime.context import Context
from stepwell.runtime.frames import EntryFunction
from stepwell.runtime.results import empty
from stepwell.runtime.sizes import Size

ENTRY: Final = "alone"
LARGEST_INDEX: Final = 64
"""Integers are less, so that as indices they are mostly inside."""

Memory = NDArray[Any]


@final
class Trial:
    """Machine code of a kernel under one plan."""

    def __init__(
        self, loaded: code.Code, memory: Sequence[Memory], sizes: Sequence[int], workspace: int
    ) -> None:
        self._code = loaded
        self._function = EntryFunction(loaded.address(ENTRY))
        self._context = Context()
        self._context.reserve(workspace)
        words = self._context.words
        words.parallel_for, words.pool = pool.parallel_for()
        self._pointers = (ctypes.c_void_p * len(memory))(*[each.ctypes.data for each in memory])
        self._sizes = (ctypes.c_int64 * len(sizes))(*sizes)

    def seconds(self, launches: int) -> float:
        """The seconds of one launch, of so many in a row."""
        address, function = self._context.address, self._function
        begin = time.perf_counter()
        for _ in range(launches):
            function(address, self._pointers, self._sizes)
        return (time.perf_counter() - begin) / launches


@final
class Alone:
    """A kernel at the stage `nests`, and `memory`: arrays for its arguments, with these sizes."""

    def __init__(self, kernel: KernelOp, machine: Machine, sizes: Mapping[str, int]) -> None:
        self._kernel = kernel
        self._machine = machine
        self._values = {name: sizes[name] for name, _ in kernel.symbols.data}
        random = np.random.default_rng(0)
        self.memory = [_memory(each.type, self._values, random) for each in kernel.arguments]
        self._outputs = self.memory[len(self.memory) - kernel.outputs.data :]
        pool.provide(support_of(machine), "the pool of threads")

    def under(self, plan: Plan) -> Trial:
        """The kernel under a plan. Raises CompileError if it is none for this kernel."""
        kernel = self._kernel.clone()
        kernel.properties["plan"] = PlanAttr(plan)
        function = _launching(kernel)
        module = ModuleOp([kernel, function])
        with without_collection():
            run_stages(module, self._machine, "buffers", after="nests")
            workspace = workspace_of(function).evaluate(self._values)
            run_stages(module, self._machine, "llvm", after="buffers")
            object_code = compile_object(module_text(module), self._machine)
        loaded = code.load(object_code, "the kernel")
        return Trial(loaded, self.memory, list(self._values.values()), workspace)

    def answer(self, trial: Trial) -> list[bytes]:
        """The bytes that a launch leaves in the outputs, wherever it writes."""
        for each in self._outputs:
            each.fill(0)
        trial.seconds(1)
        return [each.tobytes() for each in self._outputs]


def _launching(kernel: KernelOp) -> FuncOp:
    """A function that launches the kernel on its own arguments."""
    block = Block(arg_types=[argument.type for argument in kernel.arguments])
    bindings = BindingsAttr(tuple((name, Size.of(name)) for name, _ in kernel.symbols.data))
    properties = {"callee": SymbolRefAttr(kernel.sym_name.data), "bindings": bindings}
    block.add_op(LaunchOp.create(operands=block.args, properties=properties))
    return FuncOp.create(
        properties={
            "sym_name": StringAttr(ENTRY),
            "symbols": kernel.symbols,
            "outputs": kernel.outputs,
        },
        regions=[Region(block)],
    )


def _memory(type: object, sizes: Mapping[str, int], random: np.random.Generator) -> Memory:
    """Floats between 1 and 2, which no chain of sums and products takes far, or small integers."""
    assert isinstance(type, BufferType)
    shape, dtype = tuple(size.evaluate(sizes) for size in type.shape), DTYPES[type.element]
    memory = empty(shape, dtype)
    if dtype.kind in "iu":
        memory[...] = random.integers(0, LARGEST_INDEX, shape)
    elif dtype.kind == "b":
        memory[...] = random.integers(0, 2, shape)
    else:
        memory[...] = random.random(shape, np.float32) + 1
    return memory
