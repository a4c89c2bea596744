"""Memory that libraries share, by DLPack's capsules: whose it is, and who gives it back."""

import ctypes

import numpy as np
import pytest

import under_test
from stepwell.runtime.devices import interchange
from stepwell.runtime.devices.array import DeviceArray
from stepwell.runtime.dtypes import DTYPES
from stepwell.runtime.errors import CallError

pytestmark = pytest.mark.device
valid = ctypes.pythonapi.PyCapsule_IsValid
valid.argtypes = (ctypes.py_object, ctypes.c_char_p)


@pytest.fixture
def device():
    return under_test.card()


@pytest.fixture
def there(device):
    return DeviceArray.of(device, np.arange(6, dtype=np.float32).reshape(2, 3))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0, 2), (2, 3)])
def test_every_dtype_goes_and_comes(device, dtype, shape):
    x = np.ones(shape, dtype.numpy)
    there = DeviceArray.of(device, x)
    back = DeviceArray.borrowed(there, device)
    assert (back.address, back.shape, back.dtype) == (there.address, shape, dtype.numpy)
    np.testing.assert_array_equal(np.asarray(back), x, strict=True)


def test_memory_lives_as_long_as_somebody_holds_it(device):
    there = DeviceArray.of(device, np.arange(6))
    held = under_test.allocations()
    back = DeviceArray.borrowed(there, device)
    del there
    assert under_test.allocations() == held
    np.testing.assert_array_equal(np.asarray(back).ravel(), range(6))
    del back
    assert under_test.allocations() == held - 1
    assert not interchange._given


def test_a_capsule_that_nobody_takes_gives_its_memory_back(device):
    there = DeviceArray.of(device, np.arange(6))
    held = under_test.allocations()
    capsule = there.__dlpack__()
    del there
    assert valid(capsule, b"dltensor")
    another = DeviceArray.of(device, np.arange(6))
    assert under_test.allocations() == held + 1
    del capsule, another
    DeviceArray.of(device, np.arange(6))
    assert under_test.allocations() == held - 1
    assert not interchange._open


def test_a_library_that_cannot_use_the_array_says_why(device):
    """NumPy lets the capsule go while its error is on its way."""
    there = DeviceArray.of(device, np.arange(6))
    held = under_test.allocations()
    with pytest.raises((RuntimeError, BufferError), match="device"):
        np.from_dlpack(there)
    del there
    DeviceArray.of(device, np.arange(6))
    assert under_test.allocations() == held - 1


def test_a_capsule_that_was_taken_says_so(device, there):
    capsule = there.__dlpack__()
    DeviceArray.borrowed(Handed(capsule, device.place), device)
    assert valid(capsule, b"used_dltensor")


class Handed:
    """What gives one capsule."""

    def __init__(self, capsule, place) -> None:
        self.capsule, self.place = capsule, place

    def __dlpack__(self, *, stream):
        """As before DLPack 1.0."""
        return self.capsule

    def __dlpack_device__(self):
        return self.place


def test_what_must_not_change_is_copied(there):
    there.writeable = False
    back = DeviceArray.borrowed(there, there.device)
    assert back.address != there.address
    np.testing.assert_array_equal(np.asarray(back), np.asarray(there))


def test_numpy_gets_a_copy(there):
    x = np.from_dlpack(there, device="cpu")
    np.testing.assert_array_equal(x, np.asarray(there))
    with pytest.raises(ValueError, match="cannot be seen without a copy"):
        np.asarray(there, copy=False)
    assert np.asarray(there, np.float64).dtype == np.float64


def test_another_device_and_what_needs_a_copy_are_refused(there):
    for options in ({"dl_device": (7, 0)}, {"dl_device": (1, 0), "copy": False}):
        with pytest.raises(BufferError, match="cannot be shared so"):
            there.__dlpack__(**options)
    there.writeable = False
    with pytest.raises(BufferError, match="cannot be shared so"):
        there.__dlpack__(copy=False)


class Asking:
    """Asks for a capsule in a way of its own."""

    def __init__(self, array, **options) -> None:
        self.array, self.options = array, options

    def __dlpack__(self, *, stream):
        return self.array.__dlpack__(stream=stream, **self.options)


def test_a_copy_is_made_where_one_is_asked_for(device, there):
    options = {"copy": True, "dl_device": device.place, "max_version": (1, 0)}
    assert DeviceArray.borrowed(Asking(there, **options), device).address != there.address
    options["copy"] = None
    assert DeviceArray.borrowed(Asking(there, **options), device).address == there.address


def test_a_copy_is_done_when_it_is_handed_over(device, there, monkeypatch):
    done = []
    copy, wait = device.copy, device.wait
    monkeypatch.setattr(device, "copy", lambda *given: (done.append("copy"), copy(*given)))
    monkeypatch.setattr(device, "wait", lambda *given: (done.append("wait"), wait(*given)))
    there.writeable = False
    capsule = there.__dlpack__()
    assert done == ["copy", "wait"]
    assert valid(capsule, b"dltensor")


new = ctypes.pythonapi.PyCapsule_New
new.restype = ctypes.py_object
new.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


class Newest:
    """An array of a library that knows DLPack 1.0, which tells what is read-only."""

    def __init__(self, array, flags: int) -> None:
        self.array, self.deleted = array, []
        self.delete = interchange.Delete(self.deleted.append)
        self.capsule = array.__dlpack__()
        ((old, _),) = interchange._given.values()
        self.made = ctypes.create_string_buffer(32 + ctypes.sizeof(interchange.Tensor))
        head = interchange.Versioned.from_buffer(self.made)
        head.major, head.flags = 1, flags
        head.delete = ctypes.cast(self.delete, ctypes.c_void_p)
        ctypes.memmove(ctypes.addressof(self.made) + 32, ctypes.addressof(old), 48)

    def __dlpack__(self, *, stream, max_version=None):
        assert max_version == (1, 0)
        self.given = new(ctypes.addressof(self.made), b"dltensor_versioned", None)
        return self.given


@pytest.mark.parametrize("flags", [0, 1])
def test_what_is_read_only_stays_so(device, there, flags):
    other = Newest(there, flags)
    back = DeviceArray.borrowed(other, device)
    assert (back.address, back.shape, back.writeable) == (there.address, there.shape, not flags)
    np.testing.assert_array_equal(np.asarray(back), np.asarray(there))
    assert valid(other.given, b"used_dltensor_versioned")
    assert not other.deleted
    del back
    assert other.deleted == [ctypes.addressof(other.made)]


class Refusing:
    """What PyTorch does with a tensor that has a gradient."""

    def __dlpack__(self, *, stream, max_version=None):
        raise BufferError("use tensor.detach()")


class RefusingBefore:
    """What it did as before DLPack 1.0."""

    def __dlpack__(self, *, stream):
        raise BufferError("use tensor.detach()")


@pytest.mark.parametrize("library", [Refusing, RefusingBefore])
def test_what_a_library_does_not_share(device, library):
    said = f"SW0422: an array on {device.name} is not shared: use tensor.detach"
    with pytest.raises(CallError, match=said):
        DeviceArray.borrowed(library(), device)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"strides": (1, 2)}, "is not row-major"),
        ({"bits": 128}, "has none of Stepwell's dtypes"),
        ({"lanes": 4}, "has none of Stepwell's dtypes"),
    ],
)
def test_arrays_that_cannot_be_shared(device, there, changes, sentence):
    capsule = there.__dlpack__()
    ((tensor, _),) = interchange._given.values()
    for name, value in changes.items():
        strides = name == "strides"
        setattr(tensor, name, (ctypes.c_int64 * 2)(*value) if strides else value)
    with pytest.raises(CallError, match=f"SW0422: an array on {device.name} {sentence}"):
        DeviceArray.borrowed(Handed(capsule, device.place), device)
    assert valid(capsule, b"dltensor")


def test_strides_that_say_what_is_so_anyway(device, there):
    capsule = there.__dlpack__()
    ((tensor, _),) = interchange._given.values()
    tensor.strides = (ctypes.c_int64 * 2)(3, 1)
    back = DeviceArray.borrowed(Handed(capsule, device.place), device)
    np.testing.assert_array_equal(np.asarray(back), np.asarray(there))


def test_an_array_that_begins_behind_its_memory(device, there):
    capsule = there.__dlpack__()
    ((tensor, _),) = interchange._given.values()
    tensor.data, tensor.offset = there.address - 8, 8
    back = DeviceArray.borrowed(Handed(capsule, device.place), device)
    assert back.address == there.address


def test_strides_of_nothing_do_not_matter(device):
    nothing = DeviceArray.of(device, np.zeros((0, 3), np.float32))
    capsule = nothing.__dlpack__()
    ((tensor, _),) = interchange._given.values()
    tensor.strides = (ctypes.c_int64 * 2)(1, 7)
    back = DeviceArray.borrowed(Handed(capsule, device.place), device)
    assert back.shape == (0, 3)


def test_arrays_that_share_some_bytes_overlap(device, there):
    part = DeviceArray.borrowed(there, device)
    part.address, part.shape = there.address + 12, (3,)
    assert part.overlaps(there)
    assert there.overlaps(part)
    there.shape = (1, 3)
    assert not part.overlaps(there)


@pytest.mark.emulated
def test_only_cards_have_the_cuda_array_interface(there):
    assert not hasattr(there, "__cuda_array_interface__")
