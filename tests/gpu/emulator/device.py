"""A device as the tests see it: modules, memory, launches; an emulated one and a card are alike."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from emulator.threads import Extent
from emulator.types import Array

Argument: TypeAlias = int | np.generic | bytes
"""A pointer, a number of NumPy as wide as the parameter, or what is passed by value."""


class Function(ABC):
    """A kernel that can be launched."""

    @property
    @abstractmethod
    def name(self) -> str: ...


class Module(ABC):
    """PTX that a device has taken in."""

    @abstractmethod
    def function(self, name: str) -> Function:
        """The kernel with a name."""


class Device(ABC):
    """Where kernels run. Errors of a launch are raised at the latest when memory is copied out."""

    @abstractmethod
    def load(self, ptx: str) -> Module: ...

    @abstractmethod
    def allocate(self, size: int, name: str = "") -> int:
        """The address of `size` new bytes; errors that concern them say the name."""

    @abstractmethod
    def free(self, address: int) -> None: ...

    @abstractmethod
    def copy_in(self, address: int, array: Array) -> None:
        """The bytes of an array, in row-major order, to the beginning of a buffer."""

    @abstractmethod
    def copy_out(self, array: Array, address: int) -> None:
        """Fills a contiguous array from the beginning of a buffer."""

    @abstractmethod
    def launch(
        self,
        function: Function,
        grid: Extent,
        block: Extent,
        shared: int,
        arguments: Sequence[Argument],
        stream: int = 0,
    ) -> None:
        """Runs a kernel after all else in the stream; `shared` is its dynamic shared memory."""
