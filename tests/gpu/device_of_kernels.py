"""The device that kernels of the tests run on: an emulated one, or the card in its place."""

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

import under_test
from emulator.block import Order
from emulator.device import Argument, Device, Function, Module
from emulator.emulated import STEPS, EmulatedDevice
from emulator.threads import Extent
from emulator.types import Array
from stepwell.runtime.devices.device import Device as Card
from stepwell.runtime.devices.device import Kernels, Launch

ENTRY = re.compile(r"\.entry\s+(\w+)")


def device_of_kernels(
    order: Order = Order.TOGETHER, *, late: bool = True, steps: int = STEPS
) -> Device:
    """What is said of an order, of copies and of steps is said to the emulated device."""
    if under_test.is_emulated():
        return EmulatedDevice(order, late=late, steps=steps)
    return CardOfKernels(under_test.card())


@final
class CardOfKernels(Device):
    """A device of the runtime as the tests see one; what it allocates lives as long as this."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._launch = Launch(card.driver.launch)
        self._held: set[int] = set()

    def load(self, ptx: str) -> Module:
        names = ENTRY.findall(ptx)
        return CardModule(self._card.load(ptx, names, "the kernels"), tuple(names))

    def allocate(self, size: int, name: str = "") -> int:
        address = self._card.allocate(size)
        self._held.add(address)
        return address

    def free(self, address: int) -> None:
        self._held.remove(address)
        self._card.free(address)

    def copy_in(self, address: int, array: Array) -> None:
        self._card.copy_in(address, np.ascontiguousarray(array))

    def copy_out(self, array: Array, address: int) -> None:
        self._card.copy_out(array, address)

    def launch(
        self,
        function: Function,
        grid: Extent,
        block: Extent,
        shared: int,
        arguments: Sequence[Argument],
        stream: int = 0,
    ) -> None:
        assert isinstance(function, CardFunction)
        contents = [ctypes.create_string_buffer(_content(each)) for each in arguments]
        places = (ctypes.c_void_p * len(contents))(*map(ctypes.addressof, contents))
        self._card.enter()
        extents = *grid, *block
        status = self._launch(function.handle, *extents, shared, self._card.stream, places, None)
        if status:
            raise self._card.failure(status)
        self._card.wait()

    def __del__(self) -> None:
        for address in self._held:
            self._card.free(address)


@final
@dataclass(frozen=True)
class CardModule(Module):
    kernels: Kernels
    names: tuple[str, ...]

    def function(self, name: str) -> Function:
        return CardFunction(self, self.kernels.handles[self.names.index(name)], name)


@final
@dataclass(frozen=True)
class CardFunction(Function):
    module: CardModule
    handle: int
    called: str

    @property
    def name(self) -> str:
        return self.called


def _content(argument: Argument) -> bytes:
    if isinstance(argument, int):
        return argument.to_bytes(8, "little")
    return argument if isinstance(argument, bytes) else argument.tobytes()
