"""Kernels under a plan of a GPU's, run on the device of the tests and compared with their nests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute

import under_test
from emulator.block import Order
from emulator.emulated import EmulatedDevice
from expanding import Array, Sizes, arrays_for, entry_of, kernel_of, same, shape_of
from gpu_programs import call, card_of_the_tests, memory_of
from loop_text import parse_module
from near import expect_near_nests, folds_of_a_card
from stepwell.compiler.interpret.loops import run_kernel
from stepwell.compiler.lower.choose_plans import ChoosePlans
from stepwell.compiler.lower.expand_plans import ExpandPlans
from stepwell.compiler.lower.grids.onto_grids import OntoGrids
from stepwell.compiler.lower.grids.to_llvm import GridsToLlvm
from stepwell.compiler.lower.strategies import Strategy
from stepwell.compiler.machines import X86_64_V3
from stepwell.compiler.machines.gpu.nvidia import SM_80
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.targets.cpu import compile_object
from stepwell.compiler.targets.gpu.ptx import Device as Part
from stepwell.compiler.targets.gpu.ptx import compile_ptx, take_device
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime.code import load
from stepwell.runtime.devices.device import Device


@dataclass(frozen=True)
class Outcome:
    """What a kernel got, what it left in these arrays, what its nests leave there, and its PTX."""

    given: Sequence[Array]
    found: Sequence[Array]
    expected: Sequence[Array]
    ptx: str


def agree_on_gpu(
    text: str,
    sizes: Sizes | None = None,
    strategy: Strategy | None = None,
    order: Order = Order.TOGETHER,
    *,
    special: bool = False,
    changed: Callable[[str], str] = str,
) -> str:
    """Checks that the grids leave in every output what the nests leave, and gives the PTX, of which
    a `changed` one may run. Products of halves on a card are near that."""
    outcome = run_on_gpu(text, sizes or {}, strategy, order, special=special, changed=changed)
    kernel = kernel_of(parse_module(text))
    if folds_of_a_card(kernel) and not under_test.is_emulated():
        arrays = outcome.given, outcome.found, outcome.expected
        expect_near_nests(kernel, sizes or {}, *arrays)
        return outcome.ptx
    for found, one in zip(outcome.found, outcome.expected, strict=True):
        assert same(found, one), f"{strategy}\n{found}\n{one}"
    return outcome.ptx


def run_on_gpu(
    text: str,
    sizes: Sizes,
    strategy: Strategy | None = None,
    order: Order = Order.TOGETHER,
    *,
    special: bool = False,
    changed: Callable[[str], str] = str,
) -> Outcome:
    module = parse_module(text)
    kernel = kernel_of(module)
    arrays = arrays_for(kernel, sizes, special)
    expected = [array.copy() for array in arrays]
    run_kernel(kernel_of(parse_module(text)), expected, sizes)
    part, types = _compiled(module, SM_80, strategy)
    rooms = [shape_of(type, sizes)[0] for type in types[len(arrays) :]]
    ptx = changed(compile_ptx(part, SM_80))
    card = card_of_the_tests(order)
    device = memory_of(card)
    kernels = card.load(ptx, part.kernels, "the kernel")
    places = [_sent(device, each) for each in arrays]
    extra = [device.allocate(room) for room in rooms]
    code = load(compile_object(module_text(module), X86_64_V3), "host")
    call(code.address("run"), card, kernels.handles, [*places, *extra], list(sizes.values()))
    found = [array.copy() for array in arrays]
    for place, array in zip(places, found, strict=True):
        device.copy_out(array, place)
    for address in (*places, *extra):
        device.free(address)
    return Outcome(arrays, found, expected, ptx)


def ptx_of_kernel(text: str, machine: Machine = SM_80) -> str:
    """The PTX of a kernel under the plan that it gets."""
    part, _ = _compiled(parse_module(text), machine, None)
    return compile_ptx(part, machine)


def _compiled(
    module: ModuleOp, machine: Machine, strategy: Strategy | None
) -> tuple[Part, Sequence[Attribute]]:
    """What the GPU runs of a module of one kernel, and the types of that one's arguments; what the
    host runs is left."""
    kernel = kernel_of(module)
    if strategy is not None:
        kernel.properties["plan"] = strategy.plan
    ChoosePlans(machine=machine.name).apply(Context(), module)
    types = [argument.type for argument in kernel.arguments]
    module.body.block.add_op(entry_of(kernel))
    for each in (ExpandPlans(), OntoGrids(), GridsToLlvm(machine.name)):
        each.apply(Context(), module)
    module.verify()
    part = take_device(module)
    assert part is not None
    return part, types


def _sent(device: EmulatedDevice | Device, array: Array) -> int:
    address = device.allocate(array.nbytes)
    device.copy_in(address, array)
    return address
