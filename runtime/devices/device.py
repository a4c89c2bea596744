"""A device: where kernels run and arrays lie that the CPU cannot read; a card, or what acts as one.

All that happens on a device happens in one stream, in order. Calls return when it is under way, and
an error that shows later is raised by the next step that waits.
"""

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from stepwell.runtime.dtypes import Array
from stepwell.runtime.errors import CallError

Launch: Final = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_void_p,
    *(ctypes.c_uint32,) * 7,
    *(ctypes.c_void_p,) * 3,
)
"""`cuLaunchKernel`: function, grid, block, shared bytes, stream, parameters, extra."""
Copy: Final = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_size_t, ctypes.c_void_p
)
"""`cuMemcpyAsync`: to, from, bytes, stream; either side may be on the device or on the host."""
Wait: Final = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)
"""`cuStreamSynchronize`."""


class Driver(NamedTuple):
    """Where the functions of these types lie, for compiled code; they answer 0, or why not."""

    launch: int
    copy: int
    wait: int


class Kernels(ABC):
    """PTX that a device has taken in, for as long as this lives."""

    @property
    @abstractmethod
    def handles(self) -> Sequence[int]:
        """What `launch` takes for each kernel, in the order in which they were named."""


Work: TypeAlias = Callable[[int], None]
"""Launches and copies in a stream; what it raises is why it did not come to its end."""


class Graph(ABC):
    """Launches and copies that a device has recorded, for as long as this lives."""

    @abstractmethod
    def launch(self) -> None:
        """Does all of them, in the device's stream; by one thread at a time."""


class Device(ABC):
    """One device. Its methods may be called from any thread."""

    def __init__(
        self, name: str, place: tuple[int, int], stream: int, driver: Driver, block_memory: int
    ) -> None:
        """`place` is how DLPack calls it, a kind and a number; the threads of a block may share
        `block_memory` bytes."""
        self.name = name
        self.place = place
        self.block_memory = block_memory
        self.stream = stream
        self.driver = driver
        self._copy = Copy(driver.copy)
        self._wait = Wait(driver.wait)

    @abstractmethod
    def runs(self, target: str) -> bool:
        """Whether it runs the code for a target such as `sm_80`."""

    @abstractmethod
    def enter(self) -> None:
        """Makes it the one that the driver means when this thread asks for something."""

    @abstractmethod
    def load(self, ptx: str, kernels: Sequence[str], name: str) -> Kernels:
        """Takes PTX in, which `name` stands for in errors (LoadError SW0327)."""

    @abstractmethod
    def record(self, work: Work) -> Graph | None:
        """What work does in a stream of its own, where none of it is done yet.

        None if that cannot be repeated: it fails, waits, copies to the host, or is too long.
        """

    @abstractmethod
    def allocate(self, size: int) -> int:
        """The address of so many new bytes (CallError SW0414)."""

    @abstractmethod
    def free(self, address: int) -> None:
        """Gives bytes back, once all is done that is under way."""

    @abstractmethod
    def failure(self, status: int) -> Exception:
        """What an answer of the driver means that is not 0."""

    def copy(self, to: int, source: int, size: int) -> None:
        """Copies bytes within the device, or from or to the host."""
        if size:
            self.enter()
            self._expect(self._copy(to, source, size, self.stream))

    def copy_in(self, address: int, array: Array) -> None:
        """The bytes of a dense array, which may change afterwards."""
        self.copy(address, array.ctypes.data, array.nbytes)
        self.wait()

    def copy_out(self, array: Array, address: int) -> None:
        """Fills a dense array, once all is done that is under way."""
        self.copy(array.ctypes.data, address, array.nbytes)
        self.wait()

    def wait(self, stream: int | None = None) -> None:
        """Waits until all is done, or what is under way in another stream than the device's."""
        self.enter()
        self._expect(self._wait(self.stream if stream is None else stream))

    def _expect(self, status: int) -> None:
        if status:
            raise self.failure(status)


def no_memory(name: str, size: int) -> CallError:
    """The error of an allocation that a device refuses."""
    return CallError("SW0414", f"there is no memory for {size} bytes on {name}")
