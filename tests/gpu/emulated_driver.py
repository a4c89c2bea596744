"""The driver's functions as C calls them, in front of the emulated device."""

import ctypes
from collections.abc import Callable, Sequence
from typing import final

import numpy as np

from emulator.emulated import EmulatedDevice, EmulatedFunction, EmulatedModule
from emulator.memory import WINDOW
from emulator.program import size_of
from stepwell.runtime.context import Words

FAILED = 999
"""CUDA_ERROR_UNKNOWN."""
Launch = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_void_p,
    *[ctypes.c_uint32] * 7,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
)
Copy = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_uint64] * 3, ctypes.c_void_p)
Wait = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


@final
class EmulatedDriver:
    """Launches and copies of one module's kernels, which happen at once. What goes wrong is kept
    for `check`, since nothing can be raised through C."""

    def __init__(self, device: EmulatedDevice, ptx: str, kernels: Sequence[str]) -> None:
        self.device = device
        module = device.load(ptx)
        assert isinstance(module, EmulatedModule)
        self._functions = [module.function(name) for name in kernels]
        self._handles = (ctypes.c_void_p * len(kernels))(*range(1, len(kernels) + 1))
        self._error: BaseException | None = None
        self._callbacks = Launch(self._launch), Copy(self._copy), Wait(lambda stream: 0)
        self.launched: list[str] = []
        self.copied: list[int] = []

    def fill(self, words: Words) -> None:
        """Puts the driver's functions into a context."""
        addresses = [ctypes.cast(each, ctypes.c_void_p).value or 0 for each in self._callbacks]
        words.launch, words.copy, words.wait = addresses
        words.kernels, words.stream = ctypes.addressof(self._handles), 0

    def check(self) -> None:
        """Raises what went wrong, if anything did."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _launch(self, kernel: int, *rest: int) -> int:
        grid, block, (shared, _, places, _) = rest[:3], rest[3:6], rest[6:]
        function = self._functions[kernel - 1]
        assert isinstance(function, EmulatedFunction)
        self.launched.append(function.name)
        sizes = [size_of(each) for each in function.kernel.parameters]
        table = (ctypes.c_void_p * len(sizes)).from_address(places)
        values = [ctypes.string_at(at or 0, n) for at, n in zip(table, sizes, strict=True)]
        return self._kept(lambda: self.device.launch(function, grid, block, shared, values))

    def _copy(self, target: int, source: int, size: int, _: int) -> int:
        self.copied.append(size)
        return self._kept(lambda: self._move(target, source, size))

    def _move(self, target: int, source: int, size: int) -> None:
        content, states = self._bytes(source, size)
        data, written = self._bytes(target, size)
        data[:], written[:] = content, states

    def _bytes(self, address: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Memory of the device or of the host, and which of its bytes were written."""
        region = self.device.heap.regions.get(address >> WINDOW)
        if region is None:
            memory = (ctypes.c_uint8 * size).from_address(address)
            return np.frombuffer(memory, np.uint8), np.full(size, 3, np.uint8)
        first = (address & ((1 << WINDOW) - 1)) - region.base
        assert 0 <= first
        assert first + size <= region.size, f"{region.name} is copied beyond its end"
        return region.data[first : first + size], region.states[first : first + size]

    def _kept(self, action: Callable[[], None]) -> int:
        try:
            action()
        except BaseException as error:
            self._error = self._error or error
            return FAILED
        return 0
