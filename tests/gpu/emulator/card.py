"""The emulated device as the runtime sees a card: a driver's functions, to be called from C."""

import ctypes
import itertools
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, final

import numpy as np

from emulator.emulated import SHARED, EmulatedDevice, EmulatedFunction, EmulatedModule
from emulator.errors import AccessError, LaunchError
from emulator.memory import FIRST, HEAP, WINDOW, WRITTEN, Region
from emulator.program import parameter_starts, size_of
from emulator.types import Array
from stepwell.runtime.devices.device import (
    Copy,
    Device,
    Driver,
    Graph,
    Kernels,
    Launch,
    Wait,
    Work,
    no_memory,
)
from stepwell.runtime.errors import LoadError

KIND = 12
"""DLPack's kind of devices that it has no name for."""
FAILED = 999
"""`CUDA_ERROR_UNKNOWN`: what was raised instead is kept for who asks."""
STREAM, RECORDING = 1, 2
"""The device's stream, and the first of those in which calls are recorded."""
LOW = (1 << WINDOW) - 1

Step: TypeAlias = Callable[[], None]
"""A launch, or a copy."""


def open_emulated(number: int) -> Device:
    return EmulatedCard(number, EmulatedDevice())


@final
class EmulatedCard(Device):
    """An emulated device whose addresses are none of the host's, so that a copy knows its sides.

    What an access, a race or a wait does wrong is raised where the runtime asks about a failure.
    The host has what is copied to it when it has waited, and no earlier.
    """

    def __init__(self, number: int, emulated: EmulatedDevice) -> None:
        self.emulated = emulated
        self.launched: list[str] = []
        self.copied: list[int] = []
        """The kernels that the driver was asked to launch, and the bytes that it was to copy."""
        self.graphs = 0
        """How often it was to launch a graph."""
        self._functions: dict[int, EmulatedFunction] = {}
        self._numbers = itertools.count(1)
        self._recordings = itertools.count(RECORDING)
        self._recorded: dict[int, list[Step]] = {}
        self._coming: list[tuple[int, Array]] = []
        """What was copied to the host since it waited, and to where."""
        self._raised = threading.local()
        self._busy = threading.RLock()
        self._callbacks = (
            Launch(self._guarded(self._launch)),
            Copy(self._guarded(self._copy_bytes)),
            Wait(self._guarded(self._wait_for)),
        )
        found = [ctypes.cast(each, ctypes.c_void_p).value or 0 for each in self._callbacks]
        name = f"cuda-emulated:{number}" if number else "cuda-emulated"
        super().__init__(name, (KIND, number), STREAM, Driver(*found), SHARED["sm_90"])

    def runs(self, target: str) -> bool:
        return target.startswith("sm_")

    def enter(self) -> None:
        """One device is like another to whoever calls functions of ours."""

    def load(self, ptx: str, kernels: Sequence[str], name: str) -> "EmulatedKernels":
        try:
            module = self.emulated.load(ptx)
            functions = [module.function(each) for each in kernels]
        except LaunchError as error:
            raise LoadError("SW0327", f"{name}: the driver does not take it: {error}") from error
        handles = [next(self._numbers) for _ in functions]
        self._functions.update(zip(handles, functions, strict=True))
        return EmulatedKernels(self, handles, module)

    def unload(self, handles: Sequence[int], module: EmulatedModule) -> None:
        """Forgets functions, and the variables of their module."""
        for handle in handles:
            del self._functions[handle]
        for address in module.symbols.values():
            self.free(address)

    def record(self, work: Work) -> "EmulatedGraph | None":
        stream = next(self._recordings)
        steps = self._recorded[stream] = list[Step]()
        try:
            work(stream)
        except (AccessError, LaunchError):
            return None
        finally:
            del self._recorded[stream]
        return EmulatedGraph(self, steps)

    def repeat(self, steps: Sequence[Step]) -> None:
        """What the driver does with a graph."""
        self.graphs += 1
        self._expect(self._guarded(lambda: [step() for step in steps])())

    def allocate(self, size: int) -> int:
        try:
            with self._busy:
                return self.emulated.allocate(size)
        except MemoryError:
            raise no_memory(self.name, size) from None

    def free(self, address: int) -> None:
        with self._busy:
            self.emulated.free(address)

    def failure(self, status: int) -> Exception:
        found = self._raised.error
        self._raised.error = None
        return found or LaunchError(f"the driver answered {status}")

    def _guarded(self, function: Callable[..., None]) -> Callable[..., int]:
        """A function of the driver's: 0, or why it failed."""

        def called(*arguments: Any) -> int:
            try:
                with self._busy:
                    function(*arguments)
            except Exception as error:
                self._raised.error = error
                return FAILED
            return 0

        return called

    def _launch(self, handle: int, *rest: int) -> None:
        *extents, shared, stream, parameters, _ = rest
        function = self._functions[handle]
        self.launched.append(function.name)
        sizes = [size_of(each) for each, _ in parameter_starts(function.kernel.parameters)]
        addresses = (ctypes.c_uint64 * len(sizes)).from_address(parameters) if sizes else []
        arguments = list(map(ctypes.string_at, addresses, sizes))
        grid, block = tuple(extents[:3]), tuple(extents[3:])
        self._do(stream, partial(self.emulated.launch, function, grid, block, shared, arguments))

    def _copy_bytes(self, to: int, source: int, size: int, stream: int) -> None:
        self.copied.append(size)
        inside = all(self._found(address, size) for address in (to, source))
        if stream in self._recorded and not inside:
            raise LaunchError("a copy from or to the host is not recorded")
        self._do(stream, partial(self._copied, to, source, size))

    def _wait_for(self, stream: int) -> None:
        if stream in self._recorded:
            raise LaunchError("nothing is done in a stream that is recorded: do not wait for it")
        if stream == STREAM:
            for to, content in self._coming:
                ctypes.memmove(to, content.ctypes.data, content.nbytes)
            self._coming.clear()

    def _do(self, stream: int, step: Step) -> None:
        """Does it now, unless the stream is recorded."""
        steps = self._recorded.get(stream)
        if steps is None:
            step()
        else:
            steps.append(step)

    def _copied(self, to: int, source: int, size: int) -> None:
        """Bytes with what is known of them; what goes to the host must have been written."""
        target, origin = self._found(to, size), self._found(source, size)
        if origin is None:
            content = np.frombuffer(ctypes.string_at(source, size), np.uint8)
            states = np.full(size, WRITTEN, np.uint8)
        else:
            region, start = origin
            content = region.data[start : start + size].copy()
            states = region.states[start : start + size].copy()
        if target is not None:
            region, start = target
            region.data[start : start + size] = content
            region.states[start : start + size] = states
            return
        missing = np.flatnonzero(states != WRITTEN)
        if missing.size:
            raise AccessError(f"byte {missing[0]} of {source:#x} is copied, but never written")
        self._coming.append((to, content))

    def _found(self, address: int, size: int) -> tuple[Region, int] | None:
        """The buffer around an address of the device, and where in it; None for one of the host."""
        region = self.emulated.heap.regions.get(address >> WINDOW)
        if region is None:
            if address >> WINDOW >= HEAP:
                raise AccessError(f"{address:#x} is copied, where there is no memory")
            return None
        start = (address & LOW) - FIRST
        if not 0 <= start <= region.size - size:
            raise AccessError(f"{size} bytes at {address:#x} are copied, outside of {region.name}")
        return region, start


@final
class EmulatedKernels(Kernels):
    """Handles are numbers of the card's."""

    def __init__(self, card: EmulatedCard, handles: Sequence[int], module: EmulatedModule) -> None:
        self._card, self._handles, self._module = card, handles, module

    @property
    def handles(self) -> Sequence[int]:
        return self._handles

    def __del__(self) -> None:
        self._card.unload(self._handles, self._module)


@final
class EmulatedGraph(Graph):
    """The launches and copies of a call, with the arguments that they had."""

    def __init__(self, card: EmulatedCard, steps: Sequence[Step]) -> None:
        self._card, self._steps = card, steps

    def launch(self) -> None:
        self._card.repeat(self._steps)
