"""Where a model lies and runs: on the CPU, or on a device."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from stepwell.runtime.arguments import dense
from stepwell.runtime.artifact import Artifact
from stepwell.runtime.devices.arguments import taken
from stepwell.runtime.devices.array import DeviceArray, Value
from stepwell.runtime.devices.device import Device
from stepwell.runtime.devices.image import DeviceCode
from stepwell.runtime.devices.program import DeviceProgram
from stepwell.runtime.dtypes import Array
from stepwell.runtime.errors import CallError, LoadError
from stepwell.runtime.manifest import Target
from stepwell.runtime.program import HostProgram, Parts, Program
from stepwell.runtime.signature import Take


class Place(NamedTuple):
    """What is done there with an argument, with an array of the host, and with code.

    `keep` puts there what the model needs before any call (LoadError).
    """

    take: Take
    put: Callable[[Array], Value]
    keep: Callable[[Array], Value]
    program: Callable[[Parts], Program]


def _as_code_reads_it(array: Array) -> Value:
    return np.require(array, requirements=("C", "A"))


HERE: Final = Place(dense, _as_code_reads_it, _as_code_reads_it, HostProgram)


def place_for(artifact: Artifact, target: Target, device: Device | None) -> Place:
    """The place of a model from a file; on a device the target is one for devices."""
    if device is None or target.device is None:
        return HERE
    member = target.device.ptx
    return on_device(device, target.device, artifact.read(member), f"{artifact.name}: {member}")


def on_device(device: Device, code: DeviceCode, ptx: bytes | memoryview, name: str) -> Place:
    """The place of a model on a device, which takes its PTX in (LoadError SW0310, SW0326, SW0327).

    `name` stands for the PTX in errors. What the place keeps may not fit there (LoadError SW0330).
    """
    try:
        text = bytes(ptx).decode("ascii")
    except UnicodeDecodeError:
        raise LoadError("SW0310", f"{name} is not code that can be loaded: no text") from None
    if code.shared > device.block_memory:
        raise LoadError(
            "SW0326",
            f"{name} shares {code.shared} bytes in a block, and {device.name} has"
            f" {device.block_memory}",
        )
    kernels = device.load(text, code.kernels, name)
    program = partial(DeviceProgram, device=device, kernels=kernels, waiting=code.host_controlled)
    put, keep = partial(DeviceArray.of, device), partial(_kept, device, name)
    return Place(partial(taken, device), put, keep, program)


def _kept(device: Device, name: str, array: Array) -> Value:
    try:
        return DeviceArray.of(device, array)
    except CallError as error:
        raise LoadError(
            "SW0330", f"{name}: its weights cannot be put on the device: {error.sentence}"
        ) from error
