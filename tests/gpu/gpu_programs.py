"""Tensor programs compiled for a GPU: the host's part runs here, the kernels on the emulator, or on
the card that the tests are run on."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

import under_test
from emulator.block import Order
from emulator.card import EmulatedCard
from emulator.emulated import EmulatedDevice
from programs import Array, function_named, sizes_of
from stepwell.compiler import pipeline
from stepwell.compiler.dialects.nd import dtype_of, numpy_dtype, shape_of
from stepwell.compiler.machines.gpu.nvidia import GPUS, SM_80
from stepwell.compiler.machines.machine import Machine
from stepwell.runtime.code import load
from stepwell.runtime.context import Error, Words
from stepwell.runtime.devices.device import Device

Entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class Failed(Exception):
    """A call that did not answer 0, with the words `error` and `site`."""


def card_of_the_tests(order: Order) -> Device:
    """The device that `--device` names; if it is emulated, a new one."""
    if not under_test.is_emulated():
        return under_test.card()
    return EmulatedCard(0, EmulatedDevice(order))


def best_machine() -> Machine:
    """What programs are compiled for if they run on a card."""
    if under_test.is_emulated():
        return SM_80
    return next(each for each in reversed(GPUS.values()) if under_test.card().runs(each.name))


def memory_of(card: Device) -> EmulatedDevice | Device:
    """What allocates, copies and frees behind the driver's back, if that is emulated."""
    return card.emulated if isinstance(card, EmulatedCard) else card


class OnGpu:
    """The functions of a module, each called with arrays that are copied to the device and back.
    Its image is compiled if none is given."""

    def __init__(
        self,
        module: ModuleOp,
        machine: Machine = SM_80,
        order: Order = Order.TOGETHER,
        image: pipeline.Image | None = None,
    ) -> None:
        self.source = module
        self.image = image or pipeline.compile_module(module.clone(), machine)
        self.card = card_of_the_tests(order)
        self.device = memory_of(self.card)
        self._kernels = self.card.load(self.image.ptx, self.image.grids, "the program")
        self._code = load(self.image.code, "host")

    def __call__(self, name: str, arrays: Sequence[Array]) -> list[Array]:
        function = function_named(self.source, name)
        sizes = sizes_of(function, arrays)
        constants = [each.values for each in self.image.constants[name]]
        given = [self._sent(each) for each in (*arrays, *constants)]
        results: list[NDArray[Any]] = [
            np.empty(
                [size.evaluate(sizes) for size in shape_of(each.type)],
                numpy_dtype(dtype_of(each.type)),
            )
            for each in function.returned
        ]
        places = [self.device.allocate(each.nbytes) for each in results]
        room = self.image.workspace[name].evaluate(sizes)
        workspace = self.device.allocate(room)
        addresses = [*given, *places]
        numbers = [sizes[each] for each, _ in function.symbols.data]
        entry = self._code.address(name)
        try:
            call(entry, self.card, self._kernels.handles, addresses, numbers, workspace)
            for place, result in zip(places, results, strict=True):
                self.device.copy_out(result, place)
        finally:
            for address in (*addresses, workspace):
                self.device.free(address)
        return results

    def _sent(self, array: Array | None) -> int:
        assert array is not None
        address = self.device.allocate(array.nbytes)
        self.device.copy_in(address, array)
        return address


def call(
    entry: int,
    card: Device,
    kernels: Sequence[int],
    addresses: Sequence[int],
    sizes: Sequence[int],
    workspace: int = 0,
) -> None:
    """Calls an entry point with arrays on the device; raises what went wrong there."""
    table = (ctypes.c_void_p * len(kernels))(*kernels)
    words = Words(version=1, workspace=workspace, stream=card.stream, **card.driver._asdict())
    words.kernels = ctypes.addressof(table)
    status = Entry(entry)(
        ctypes.addressof(words),
        (ctypes.c_void_p * len(addresses))(*addresses),
        (ctypes.c_int64 * len(sizes))(*sizes),
    )
    if words.error == Error.DEVICE:
        raise card.failure(words.site)
    if status != 0:
        raise Failed(words.error, words.site)
