"""A program on a device: its host code runs here and launches kernels, its arrays lie there."""

import ctypes
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NoReturn, final

import numpy as np

from stepwell.runtime import pool, system
from stepwell.runtime.code import Code
from stepwell.runtime.context import DEVICE, Context, Contexts, Host
from stepwell.runtime.devices.array import DeviceArray, Memory, Value
from stepwell.runtime.devices.device import Device, Kernels
from stepwell.runtime.dtypes import Array
from stepwell.runtime.entry import ArrayType, Entry
from stepwell.runtime.frames import Frame, Frames, function_of
from stepwell.runtime.sizes import Size

ALIGNMENT: Final = 16
"""Bytes by which the addresses of arrays can be divided, which is a vector of a thread's."""


@final
class DeviceProgram:
    """Runs an entry point; safe to call from any number of threads.

    A call returns when its last kernel is launched, not when it is done.
    """

    def __init__(
        self,
        name: str,
        entry: Entry,
        code: Code,
        constants: Sequence[Value],
        workspace: Size,
        overwrites: Sequence[tuple[int, int]],
        contexts: Contexts,
        device: Device,
        kernels: Kernels,
    ) -> None:
        """As a program for the CPU, with what the device has made of the PTX beside the code."""
        self._code = code  # lives as long as this program
        self._kernels = kernels
        self._device = device
        self._frames = Frames(name, entry, workspace)
        self._constants = _there(device, constants)
        self._overwrites = overwrites
        self._contexts = contexts
        self._function = function_of(code, entry)
        self._table = (ctypes.c_uint64 * len(kernels.handles))(*kernels.handles)
        self._imports = (ctypes.c_uint64 * len(entry.imports))(*system.addresses(entry.imports))
        self._host = Host(name, entry, partial(_seen, device))
        self._print_address, self._print = self._host.exposed()

    def run(self, arrays: Sequence[Value]) -> list[Value]:
        """The results for inputs and then states; arrays of the host are copied to the device.

        Raises CallError as a program for the CPU does, and SW0414 and SW0421.
        """
        device = self._device
        device.enter()
        frame = self._frames.of(arrays)
        given = _there(device, arrays)
        borrowed = any(isinstance(each, DeviceArray) and each.is_borrowed for each in arrays)
        overwritten = self._given_away(given)
        results = [
            overwritten.get(number) or DeviceArray.empty(device, *result)
            for number, result in enumerate(frame.results)
        ]
        workspace = Memory(device, frame.workspace) if frame.workspace else None
        context = self._contexts.take()
        try:
            context.words.workspace = workspace.address if workspace else 0
            self._call(context, frame, [*given, *self._constants, *results])
        finally:
            self._contexts.give(context)
        if borrowed:
            device.wait()  # who owns it may use it for something else once this call is over
        return list[Value](results)

    def case(self, arrays: Sequence[Value], rebuild: object) -> None:
        """None: the thunk makes results in the host's memory."""

    def _call(self, context: Context, frame: Frame, arrays: Sequence[DeviceArray]) -> None:
        device, words = self._device, context.words
        words.parallel_for, words.pool = pool.parallel_for()
        words.host, words.imports = self._print_address, ctypes.addressof(self._imports)
        words.kernels, words.stream = ctypes.addressof(self._table), device.stream
        words.launch, words.copy, words.wait = device.driver
        words.error = words.site = 0
        pointers = (ctypes.c_void_p * len(arrays))(*[array.address for array in arrays])
        if self._function(context.address, pointers, frame.sizes):
            self._fail(context)

    def _fail(self, context: Context) -> NoReturn:
        if context.words.error == DEVICE:
            raise self._device.failure(context.words.site)
        raise self._host.error(context)

    def _given_away(self, arrays: list[DeviceArray]) -> dict[int, DeviceArray]:
        """The results that lie in inputs' places; inputs that must not change are copied first."""
        for argument, _ in self._overwrites:
            array, others = arrays[argument], (*arrays[:argument], *arrays[argument + 1 :])
            if not array.writeable or any(map(array.overlaps, others)):
                arrays[argument] = array.copy()
        return {result: arrays[argument] for argument, result in self._overwrites}


def _there(device: Device, arrays: Sequence[Value]) -> list[DeviceArray]:
    """The arrays on the device, aligned as code expects it; those of the host are copied."""
    found = (x if isinstance(x, DeviceArray) else DeviceArray.of(device, x) for x in arrays)
    return [array.copy() if array.address % ALIGNMENT else array for array in found]


def _seen(device: Device, array: ArrayType, address: int, sizes: Mapping[str, int]) -> Array:
    """A copy of an array that compiled code shows."""
    shape = tuple(size.evaluate(sizes) for size in array.shape)
    found = np.empty(shape, array.dtype.numpy)
    device.copy_out(found, address)
    return found
