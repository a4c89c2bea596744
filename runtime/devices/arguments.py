"""One argument of a call on a device: an array that lies there, or one that will be copied."""

from stepwell.runtime.arguments import dense, mismatch
from stepwell.runtime.devices.array import DeviceArray, Value
from stepwell.runtime.devices.device import Device
from stepwell.runtime.devices.registry import elsewhere, place_of
from stepwell.runtime.entry import Argument


def taken(device: Device, argument: Argument, value: object) -> Value:
    """The value with the argument's dtype and rank, as the device can read it or copy it.

    What the CPU reads is copied to the device by the call. CallError SW0402, SW0406; SW0420 for an
    array on another device, SW0422 for one that cannot be shared.
    """
    if isinstance(value, DeviceArray) and value.device is device:
        array = value
    elif (place := place_of(value)) is None:
        return dense(argument, value)
    elif place != device.place:
        raise elsewhere(argument.name, place, device.name)
    else:
        array = DeviceArray.borrowed(value, device)
    if array.dtype != argument.type.dtype.numpy or array.ndim != len(argument.type.shape):
        raise mismatch(argument, array)
    return array
