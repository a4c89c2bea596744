"""Kernels of the loop level as grids on the emulated GPU, compared with their nests."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from emulated_driver import EmulatedDriver
from emulator.block import Order
from emulator.emulated import EmulatedDevice
from expanding import Entry, Sizes, arrays_for, entry_to, expanded, kernel_of, same
from loop_text import parse_module
from stepwell.compiler.interpret.loops import run_kernel
from stepwell.compiler.lower.grids.onto_grids import OntoGrids
from stepwell.compiler.lower.grids.to_llvm import GridsToLlvm
from stepwell.compiler.lower.strategies import Strategy
from stepwell.compiler.machines import X86_64_V3, machine_named
from stepwell.compiler.machines.nvidia import SM_80
from stepwell.compiler.targets.cpu import compile_object
from stepwell.compiler.targets.gpu.ptx import compile_ptx, take_device
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime.code import load
from stepwell.runtime.context import Words


@dataclass(frozen=True)
class Compiled:
    """A kernel and its launch."""

    plan: str
    arguments: int
    host: ModuleOp
    ptx: str
    grids: Sequence[str]


def compiled(text: str, machine: str = SM_80.name, strategy: Strategy | None = None) -> Compiled:
    """The kernel under the plan that fits best, if none is given."""
    explicit = expanded(text, strategy, machine)
    plan, arguments = str(explicit.plan), len(explicit.arguments)
    module = explicit.parent_op()
    assert isinstance(module, ModuleOp)
    module.body.block.add_op(entry_to(explicit))
    for each in (OntoGrids(), GridsToLlvm(machine)):
        each.apply(Context(), module)
    device = take_device(module)
    assert device is not None
    ptx = compile_ptx(device, machine_named(machine))
    return Compiled(plan, arguments, module, ptx, device.kernels)


def agree_on_gpu(
    text: str,
    sizes: Sizes | None = None,
    strategy: Strategy | None = None,
    *,
    special: bool = False,
    order: Order = Order.TOGETHER,
) -> None:
    """Checks that the grids leave in every output what the nests leave."""
    sizes = sizes or {}
    kernel = kernel_of(parse_module(text))
    arrays = arrays_for(kernel, sizes, special)
    expected = [array.copy() for array in arrays]
    run_kernel(kernel, expected, sizes)
    made = compiled(text, strategy=strategy)
    assert made.arguments == len(arrays), "a workspace has no place here"
    memory = EmulatedDevice(order)
    driver = EmulatedDriver(memory, made.ptx, made.grids)
    places = [memory.allocate(array.nbytes, "an argument") for array in arrays]
    for place, array in zip(places[: len(arrays) - kernel.outputs.data], arrays, strict=False):
        memory.copy_in(place, array)
    words = Words(version=1)
    driver.fill(words)
    numbers = [sizes[name] for name, _ in kernel.symbols.data]
    code = load(compile_object(module_text(made.host), X86_64_V3), "host")
    status = Entry(code.address("run"))(
        ctypes.addressof(words),
        (ctypes.c_void_p * len(places))(*places),
        (ctypes.c_int64 * len(numbers))(*numbers),
    )
    driver.check()
    assert status == 0
    for place, array, known in zip(places, arrays, expected, strict=True):
        found = np.empty_like(array)
        memory.copy_out(found, place)
        assert same(found, known), f"{made.plan}\n{found}\n{known}"
