"""Sharing memory with other libraries: DLPack's capsules, and `__cuda_array_interface__`.

(https://dmlc.github.io/dlpack/latest/c_api.html,
https://numba.readthedocs.io/en/stable/cuda/cuda_array_interface.html)
"""

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from math import prod
from typing import Any, Final, Protocol, final

import numpy as np

from stepwell.runtime.devices.device import Device
from stepwell.runtime.dtypes import BY_NAME, BY_NUMPY
from stepwell.runtime.errors import CallError

CODES: Final = {
    (6, 8): "bool",
    (0, 8): "i8",
    (0, 32): "i32",
    (0, 64): "i64",
    (1, 8): "u8",
    (2, 16): "f16",
    (4, 16): "bf16",
    (2, 32): "f32",
    (2, 64): "f64",
}
"""DLPack's kinds of numbers and their bits."""
NAMES: Final = {name: code for code, name in CODES.items()}
GIVEN, TAKEN = b"dltensor", b"used_dltensor"
NEWER: Final = b"dltensor_versioned", b"used_dltensor_versioned"
"""The same since DLPack 1.0, which says what is read-only."""
NEWEST: Final = (1, 0)
"""The version that is asked for; a producer that knows no versions gives what was before."""
READ_ONLY: Final = 1
"""A flag."""


class Tensor(ctypes.Structure):
    """DLPack's `DLManagedTensor`, whose first member is a `DLTensor`."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("kind", ctypes.c_int32),
        ("number", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("offset", ctypes.c_uint64),
        ("context", ctypes.c_void_p),
        ("delete", ctypes.c_void_p),
    )

    data: int
    kind: int
    number: int
    ndim: int
    code: int
    bits: int
    lanes: int
    offset: int
    delete: int | None


Delete: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_api: Final = ctypes.pythonapi
_new: Final = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p
)(("PyCapsule_New", _api))
_is_called: Final = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_IsValid", _api)
)
_pointer: Final = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _api)
)
_call: Final = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_SetName", _api)
)


class Versioned(ctypes.Structure):
    """What stands before the `DLTensor` in DLPack's `DLManagedTensorVersioned`."""

    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("delete", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
    )

    delete: int | None
    flags: int


class Placed(Protocol):
    """What a device's array shows of itself."""

    @property
    def device(self) -> Device: ...
    @property
    def address(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[np.generic]: ...
    @property
    def writeable(self) -> bool: ...


_given: Final[dict[int, tuple[Tensor, Placed]]] = {}
"""What others hold, by the address of its description, until they delete it."""
_open: Final[dict[int, tuple[object]]] = {}
"""The capsules that nobody may have taken yet, by the same address."""


def _holders(capsule: tuple[object]) -> int:
    return sys.getrefcount(capsule[0])


ALONE: Final = _holders((object(),))
"""As many as a capsule has that is in the table alone."""


@cache
def _delete() -> Any:
    """What deletes a description. It is made on demand, since ctypes does so on a page that is
    writable and executable."""

    def delete(address: int) -> None:
        _given.pop(address, None)

    return Delete(delete)


def forget_refused() -> None:
    """Gives back what is in capsules that all let go and nobody took.

    They have no destructor: one of Python's would hide the error for which nobody took them.
    """
    for address, each in [*_open.items()]:
        refused = _is_called(id(each[0]), GIVEN)
        if not refused or _holders(each) == ALONE:
            _open.pop(address, None)
            if refused:
                _given.pop(address, None)


def capsule(array: Placed) -> object:
    """A DLPack capsule that keeps the array until who takes it deletes it."""
    forget_refused()
    code, bits = NAMES[BY_NUMPY[array.dtype].name]
    kind, number = array.device.place
    shape = (ctypes.c_int64 * len(array.shape))(*array.shape)
    delete = ctypes.cast(_delete(), ctypes.c_void_p)
    tensor = Tensor(
        array.address, kind, number, len(shape), code, bits, 1, shape, None, 0, None, delete
    )
    address = ctypes.addressof(tensor)
    _given[address] = tensor, array
    made = _new(address, GIVEN, None)
    _open[address] = (made,)
    return made


def interface(array: Placed) -> dict[str, Any]:
    """The array's `__cuda_array_interface__`; AttributeError where that cannot describe it."""
    name = BY_NUMPY[array.dtype].name
    if array.device.place[0] != 2 or name == "bf16":
        raise AttributeError("__cuda_array_interface__ has no word for it: use DLPack")
    return {
        "version": 3,
        "shape": array.shape,
        "typestr": array.dtype.str,
        "data": (array.address if prod(array.shape) else 0, not array.writeable),
        "stream": array.device.stream,
    }


@final
class Foreign:
    """Memory of another library, which it may use again when this is gone."""

    def __init__(
        self,
        owner: object,
        address: int,
        shape: Sequence[int],
        dtype: np.dtype[np.generic],
        writeable: bool,
        described: int = 0,
        delete: int | None = None,
    ) -> None:
        """DLPack wants the description at an address to be deleted by a function, if there is."""
        self._owner = owner
        self._described, self._delete = described, delete
        self.address = address
        self.shape = tuple(shape)
        self.dtype = dtype
        self.writeable = writeable

    def __del__(self) -> None:
        if self._delete:
            Delete(self._delete)(self._described)

    @staticmethod
    def of(value: Any, device: Device) -> "Foreign":
        """The memory of an array on this device, which is dense (CallError SW0422)."""
        device.enter()
        if hasattr(value, "__dlpack__"):
            return _of_capsule(_asked(value, device), device)
        return _of_interface(value, device)


def _asked(value: Any, device: Device) -> object:
    """A capsule of the newest kind that the array's library knows."""
    try:
        try:
            return value.__dlpack__(stream=device.stream, max_version=NEWEST)
        except TypeError:
            return value.__dlpack__(stream=device.stream)
    except BufferError as error:
        raise CallError("SW0422", f"an array on {device.name} is not shared: {error}") from error


def _of_capsule(given: object, device: Device) -> Foreign:
    """Takes a capsule, whose owner has made the device's stream wait."""
    newer = bool(_is_called(id(given), NEWER[0]))
    before, after = NEWER if newer else (GIVEN, TAKEN)
    address = _pointer(id(given), before) or 0
    head = Versioned.from_address(address)
    tensor = Tensor.from_address(address + (ctypes.sizeof(Versioned) if newer else 0))
    shape = [tensor.shape[axis] for axis in range(tensor.ndim)]
    name = CODES.get((tensor.code, tensor.bits), "") if tensor.lanes == 1 else ""
    strides = [tensor.strides[axis] for axis in range(tensor.ndim)] if tensor.strides else None
    _expect_usable(name, strides, shape, 1, device)
    _call(id(given), after)
    start = tensor.data + tensor.offset
    writeable = not (newer and head.flags & READ_ONLY)
    delete = head.delete if newer else tensor.delete
    return Foreign(None, start, shape, BY_NAME[name].numpy, writeable, address, delete)


def _of_interface(value: Any, device: Device) -> Foreign:
    """Waits for the stream that the interface names."""
    said: dict[str, Any] = value.__cuda_array_interface__
    dtype = np.dtype(said["typestr"])
    known = BY_NUMPY.get(dtype)
    name = "" if known is None else known.name
    _expect_usable(name, said.get("strides"), said["shape"], dtype.itemsize, device)
    if said.get("mask") is not None:
        raise CallError("SW0422", f"an array on {device.name} has a mask")
    if (stream := said.get("stream")) is not None:
        device.wait(stream)
    address, read_only = said["data"]
    return Foreign(value, address, said["shape"], dtype, not read_only)


def _expect_usable(
    name: str, strides: Sequence[int] | None, shape: Sequence[int], unit: int, device: Device
) -> None:
    """Raises CallError SW0422 unless the dtype is ours and the array row-major without gaps."""
    dense = [unit * prod(shape[axis + 1 :]) for axis in range(len(shape))]
    moves = [(s, d) for s, d, n in zip(strides or dense, dense, shape, strict=True) if n > 1]
    if not name:
        raise CallError("SW0422", f"an array on {device.name} has none of Stepwell's dtypes")
    if prod(shape) and any(stride != wanted for stride, wanted in moves):
        hint = "make it contiguous"
        raise CallError("SW0422", f"an array on {device.name} is not row-major", hint=hint)
