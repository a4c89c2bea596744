"""Arrays on a device: they stay there until somebody looks at them."""

from math import prod
from typing import Any, Final, TypeAlias, cast, final

import numpy as np

from stepwell.runtime.devices.device import Device
from stepwell.runtime.devices.interchange import Foreign, capsule, forget_refused, interface
from stepwell.runtime.dtypes import Array

CPU_KIND: Final = 1


@final
class Memory:
    """Bytes on a device, given back with the last reference."""

    __slots__ = ("address", "device")

    def __init__(self, device: Device, size: int) -> None:
        self.address = 0
        self.device = device
        self.address = device.allocate(size)

    def __del__(self) -> None:
        if self.address:
            self.device.free(self.address)


@final
class DeviceArray:
    """A dense array on a device. NumPy gets a copy of it; other libraries share its memory."""

    __slots__ = ("__weakref__", "address", "device", "dtype", "owner", "shape", "writeable")

    def __init__(
        self,
        device: Device,
        shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
        owner: Memory | Foreign,
    ) -> None:
        """`owner` keeps the memory, which this array fills from its beginning."""
        self.device = device
        self.shape = shape
        self.dtype = dtype
        self.owner = owner
        self.address = owner.address
        self.writeable = isinstance(owner, Memory) or owner.writeable

    @staticmethod
    def empty(device: Device, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> "DeviceArray":
        """An array whose elements may be anything (CallError SW0414)."""
        forget_refused()
        size = prod(shape) * dtype.itemsize
        return DeviceArray(device, shape, dtype, Memory(device, size))

    @staticmethod
    def of(device: Device, array: Array) -> "DeviceArray":
        """A copy of a dense array of the host."""
        made = DeviceArray.empty(device, array.shape, array.dtype)
        device.copy_in(made.address, array)
        return made

    @staticmethod
    def borrowed(value: Any, device: Device) -> "DeviceArray":
        """An array of another library, whose memory stays that library's (CallError SW0422)."""
        foreign = Foreign.of(value, device)
        return DeviceArray(device, foreign.shape, foreign.dtype, foreign)

    @property
    def is_borrowed(self) -> bool:
        """Whether another library may use the memory again when this is gone."""
        return isinstance(self.owner, Foreign)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize

    def overlaps(self, other: "DeviceArray") -> bool:
        """Whether some byte belongs to both."""
        first, second = sorted((self, other), key=lambda each: each.address)
        return first.address + first.nbytes > second.address

    def copy(self) -> "DeviceArray":
        """A copy on the same device. Of another library's memory it is done then: that may be used
        again from there on."""
        made = DeviceArray.empty(self.device, self.shape, self.dtype)
        self.device.copy(made.address, self.address, self.nbytes)
        if self.is_borrowed:
            self.device.wait()
        return made

    def __deepcopy__(self, known: object) -> "DeviceArray":
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        """What is pickled is a copy for the host, and comes back as one."""
        return np.asarray, (self.fetched(),)

    def fetched(self) -> Array:
        """A copy for the host, once all is done that is under way."""
        array = np.empty(self.shape, self.dtype)
        self.device.copy_out(array, self.address)
        return array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError(f"an array on {self.device.name} cannot be seen without a copy")
        return self.fetched().astype(dtype or self.dtype, copy=False)

    def item(self) -> bool | int | float:
        """The only element as a Python number."""
        return self.fetched().item()

    def tolist(self) -> Any:
        return self.fetched().tolist()

    def __bool__(self) -> bool:
        return bool(self.fetched())

    def __int__(self) -> int:
        return int(self.fetched())

    def __float__(self) -> float:
        return float(self.fetched())

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device.place

    def __dlpack__(self, *, stream: int | None = None, **options: Any) -> object:
        """The memory itself, or a copy of what must not change or is asked for elsewhere; a
        `stream` of -1 says that nobody waits for what is under way. BufferError if that cannot be.
        """
        place, copy = options.get("dl_device") or self.device.place, options.get("copy")
        to_host, here = place == (CPU_KIND, 0), place == self.device.place
        if not (to_host or here) or (copy is False and not (here and self.writeable)):
            raise BufferError(f"an array on {self.device.name} cannot be shared so")
        if to_host:
            return cast(Any, self.fetched()).__dlpack__(**options)
        given = self.copy() if copy or not self.writeable else self
        if stream != -1:
            self.device.wait()
        return capsule(given)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return interface(self)

    def __repr__(self) -> str:
        return f"<{self.dtype} array of shape {self.shape} on {self.device.name}>"


Value: TypeAlias = Array | DeviceArray
"""An array, wherever it lies."""
