"""Where arrays lie: on the CPU, unless they are put elsewhere."""

from typing import Any

from stepwell import nested
from stepwell.array import Array, asarray
from stepwell.places import pointing_at_the_user
from stepwell.runtime.devices.array import DeviceArray
from stepwell.runtime.devices.registry import CPU, device_named


def device_put(x: Any, device: str) -> Any:
    """The arrays of a tree on a device, `cuda` or `cuda:1`, or on the CPU, `cpu`.

    What lies there already stays as it is; all else is copied. Raises LoadError (SW0321 to SW0325,
    SW0328, SW0329) where there is no such device, and CallError SW0414 where it has too little
    memory.
    """
    with pointing_at_the_user():
        leaves, structure = nested.flatten(x)
        return structure.rebuild([_put(asarray(leaf), device) for leaf in leaves])


def _put(array: Array, device: str) -> Array:
    if device == CPU:
        return Array(array.value)
    there = device_named(device)
    return array if array.device == there.name else Array(DeviceArray.of(there, array.value))
