"""A program on a device: its host code runs here and launches kernels, its arrays lie there."""

import ctypes
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final, cast, final

import numpy as np

from stepwell.runtime.context import Context, Error
from stepwell.runtime.devices.array import DeviceArray, Memory, Value
from stepwell.runtime.devices.device import Device, Kernels
from stepwell.runtime.devices.graphs import Graphs
from stepwell.runtime.dtypes import Array
from stepwell.runtime.entry import ArrayType
from stepwell.runtime.frames import Frame
from stepwell.runtime.program import Parts, Program

ALIGNMENT: Final = 16
"""Bytes by which the addresses of arrays can be divided, which is a vector of a thread's."""


@final
class DeviceProgram(Program):
    """A program for a device, on arrays that lie there; those of the host are copied to it. It has
    no case of the thunk, which reads NumPy's arrays and makes such.

    A call returns when its last kernel is launched, not when it is done. It raises SW0414 and
    SW0421, too.
    """

    def __init__(
        self, parts: Parts, *, device: Device, kernels: Kernels, waiting: Collection[str]
    ) -> None:
        """`kernels` are what the device has made of the PTX beside the code; entry points that are
        `waiting` for what the device computes cannot be recorded."""
        super().__init__(parts, partial(_seen, device))
        self._device = device
        recorded = parts.name not in waiting and not self._print_address
        # What goes first is unloaded first: graphs before the kernels that they launch.
        self._graphs = Graphs(device) if recorded else None
        self._kernels = kernels
        self._table = (ctypes.c_uint64 * len(kernels.handles))(*kernels.handles)

    def run(self, arrays: Sequence[Value]) -> list[Value]:
        self._device.enter()
        results = super().run(arrays)
        if any([isinstance(each, DeviceArray) and each.is_borrowed for each in arrays]):
            self._device.wait()  # their owner may use them for something else from now on
        return results

    def _taken(self, arrays: Sequence[Value]) -> list[Value]:
        return [_there(self._device, array) for array in arrays]

    def _empty(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> DeviceArray:
        return DeviceArray.empty(self._device, shape, dtype)

    def _address(self, array: Value) -> int:
        return cast(DeviceArray, array).address

    def _may_change(self, array: Value, others: Sequence[Value]) -> bool:
        array, others = cast(DeviceArray, array), cast("Sequence[DeviceArray]", others)
        return array.writeable and not any(map(array.overlaps, others))

    def _run(self, frame: Frame, addresses: Sequence[int]) -> None:
        workspace = Memory(self._device, frame.workspace) if frame.workspace else None
        place = workspace.address if workspace else 0
        work = partial(self._launch, frame, addresses, place)
        call = frame, place, *addresses
        if self._graphs is None or not self._graphs.launch(call, work):
            work(self._device.stream)

    def _launch(self, frame: Frame, addresses: Sequence[int], workspace: int, stream: int) -> None:
        context = self._contexts.take()
        words = context.words
        words.workspace, words.stream = workspace, stream
        words.kernels = ctypes.addressof(self._table)
        words.launch, words.copy, words.wait = self._device.driver
        try:
            self._call(context, frame, addresses)
        finally:
            self._contexts.give(context)

    def _error(self, context: Context) -> BaseException:
        failed = context.words.error == Error.DEVICE
        return self._device.failure(context.words.site) if failed else super()._error(context)


def _there(device: Device, array: Value) -> DeviceArray:
    """The array on the device, aligned as code expects it."""
    found = array if isinstance(array, DeviceArray) else DeviceArray.of(device, array)
    return found.copy() if found.address % ALIGNMENT else found


def _seen(device: Device, array: ArrayType, address: int, sizes: Mapping[str, int]) -> Array:
    """A copy of an array that compiled code shows."""
    shape = tuple(size.evaluate(sizes) for size in array.shape)
    found = np.empty(shape, array.dtype.numpy)
    device.copy_out(found, address)
    return found
