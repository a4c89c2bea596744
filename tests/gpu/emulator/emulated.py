"""The emulated device: launches run at once, block after block, and everything is checked."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from emulator.access import Memory
from emulator.barriers import Barriers
from emulator.block import Block, Order
from emulator.copies import Copies
from emulator.device import Argument, Device, Function, Module
from emulator.errors import AccessError, LaunchError
from emulator.memory import CALLS, WINDOWS, WRITTEN, Heap, Region
from emulator.parser import parse
from emulator.program import Program, parameter_starts, size_of
from emulator.state import State
from emulator.syntax import Address, Symbol, Variable
from emulator.syntax import Function as Kernel
from emulator.syntax import Module as Text
from emulator.threads import Extent, Threads
from emulator.types import TYPES, Array

MOST_THREADS = 1024
MOST_BLOCKS: Extent = ((1 << 31) - 1, 65535, 65535)
SHARED = {"sm_80": 163 << 10, "sm_86": 99 << 10, "sm_89": 99 << 10, "sm_90": 227 << 10}
"""Bytes of shared memory that a block may have, by target."""
STEPS = 4_000_000
"""Instructions that a block runs before it is taken to be without end."""


@final
@dataclass(frozen=True)
class EmulatedModule(Module):
    """A parsed module, with the addresses of its global and constant variables."""

    text: Text
    symbols: dict[str, int]
    source: str

    def function(self, name: str) -> Function:
        found = self.text.functions.get(name)
        if found is None or not found.is_kernel:
            raise LaunchError(f"the module has no kernel {name}")
        return EmulatedFunction(self, found)


@final
@dataclass(frozen=True)
class EmulatedFunction(Function):
    """A kernel of an emulated module, and what it was made ready as."""

    module: EmulatedModule
    kernel: Kernel
    programs: dict[tuple[Extent, int], Program] = field(default_factory=dict)

    def program(self, threads: Threads, shared: int) -> Program:
        """For blocks of a shape and of so many bytes of dynamic memory."""
        found = self.programs.get((threads.shape, shared))
        if found is None:
            known = self.module.text, self.kernel, threads, shared, self.module.symbols
            found = self.programs[threads.shape, shared] = Program(*known)
        return found

    @property
    def name(self) -> str:
        return self.kernel.name


@final
class EmulatedDevice(Device):
    """`order` says which warps go first, `late` whether asynchronous copies arrive as late as they
    may, and `steps` how many instructions a block may take."""

    def __init__(
        self, order: Order = Order.TOGETHER, *, late: bool = True, steps: int = STEPS
    ) -> None:
        if sys.byteorder != "little":
            raise LaunchError("the emulator runs on machines whose numbers begin with the low byte")
        self.order, self.late, self.steps = order, late, steps
        self.heap = Heap()

    def load(self, ptx: str) -> EmulatedModule:
        text = parse(ptx)
        variables = [each for each in text.variables if each.space in ("global", "const")]
        symbols = {each.name: self.allocate(size_of(each), each.name) for each in variables}
        for each in variables:
            region = self.heap.region(symbols[each.name], 0)
            region.constant = each.space == "const"
            region.fill(_initial(each, symbols).ljust(size_of(each), b"\0"))
        return EmulatedModule(text, symbols, ptx)

    def allocate(self, size: int, name: str = "") -> int:
        return self.heap.allocate(size, name)

    def free(self, address: int) -> None:
        self.heap.free(address)

    def copy_in(self, address: int, array: Array) -> None:
        self.heap.region(address, array.nbytes).fill(array.tobytes())

    def copy_out(self, array: Array, address: int) -> None:
        region = self.heap.region(address, array.nbytes)
        missing = np.flatnonzero(region.states[: array.nbytes] != WRITTEN)
        if missing.size:
            raise AccessError(
                f"byte {missing[0]} of {region.name} is copied out, but never written"
            )
        array[...] = region.data[: array.nbytes].view(array.dtype).reshape(array.shape)

    def launch(
        self,
        function: Function,
        grid: Extent,
        block: Extent,
        shared: int,
        arguments: Sequence[Argument],
        stream: int = 0,
    ) -> None:
        if not isinstance(function, EmulatedFunction):
            raise LaunchError(f"{function.name} is a kernel of another device")
        kernel, module = function.kernel, function.module
        _check_shape(kernel, grid, block)
        threads = Threads(grid, block)
        with np.errstate(all="ignore"):
            program = function.program(threads, shared)
            limit = SHARED.get(module.text.target.rstrip("af"), SHARED["sm_80"])
            if program.shared.used > limit:
                raise LaunchError(
                    f"{kernel.name} takes {program.shared.used} bytes of shared memory; "
                    f"{module.text.target} has {limit}"
                )
            self._run(program, threads, _parameters(kernel, arguments))

    def _run(self, program: Program, threads: Threads, parameters: Region) -> None:
        windows: dict[int, Region] = {WINDOWS["param"]: parameters}
        memory = Memory(threads, windows, self.heap.regions)
        numbers = range(threads.blocks)
        for number in reversed(numbers) if self.order is Order.BACKWARD else numbers:
            threads.block = threads.block_at(number)
            program.begin(threads)
            calls = program.calls.region("the parameters of a call", threads.count)
            windows[WINDOWS["shared"]] = program.shared.region("shared memory")
            windows[WINDOWS["local"]] = program.local.region("local memory", threads.count)
            windows[CALLS] = calls
            memory.races.order.begin()
            exited = np.zeros(threads.count, np.bool_)
            copies = Copies(memory, threads.count, self.late)
            barriers = Barriers(threads, memory)
            state = State(threads, memory, barriers, copies, calls, program.functions, exited)
            Block(state, self.order, self.steps).run(program.kernel)


def _initial(variable: Variable, symbols: Mapping[str, int]) -> bytes:
    """What a variable is declared with."""
    width, content = TYPES[variable.type].bytes, b""
    for each in variable.values:
        if isinstance(each, Address):
            assert isinstance(each.base, Symbol)
            value = symbols[each.base.name] + each.offset
        else:
            value = each.value
        content += (value % (1 << 8 * width)).to_bytes(width, "little")
    return content


def _check_shape(kernel: Kernel, grid: Extent, block: Extent) -> None:
    count = int(np.prod(block))
    most = kernel.bounds.get("maxntid", (MOST_THREADS,))
    if min(*grid, *block) < 1 or any(x > y for x, y in zip(grid, MOST_BLOCKS, strict=True)):
        raise LaunchError(f"{kernel.name} cannot be launched on a grid {grid} of blocks {block}")
    if count > min(MOST_THREADS, int(np.prod(most))):
        raise LaunchError(f"{kernel.name} takes at most {int(np.prod(most))} threads, not {count}")
    exact = kernel.bounds.get("reqntid")
    if exact is not None and (*exact, 1, 1)[:3] != block:
        raise LaunchError(f"{kernel.name} takes blocks of {exact}, not {block}")


def _parameters(kernel: Kernel, arguments: Sequence[Argument]) -> Region:
    """The arguments as the kernel reads them."""
    places = parameter_starts(kernel.parameters)
    if len(arguments) != len(places):
        raise LaunchError(f"{kernel.name} takes {len(places)} arguments, not {len(arguments)}")
    end = max((start + size_of(variable) for variable, start in places), default=0)
    region = Region(f"the parameters of {kernel.name}", end, constant=True)
    for (variable, start), argument in zip(places, arguments, strict=True):
        content = _content(argument)
        if len(content) != size_of(variable):
            raise LaunchError(
                f"{variable.name} has {size_of(variable)} bytes, the argument {len(content)}"
            )
        region.fill(content, start)
    return region


def _content(argument: Argument) -> bytes:
    if isinstance(argument, int):
        return (argument % (1 << 64)).to_bytes(8, "little")
    return argument if isinstance(argument, bytes) else argument.tobytes()
