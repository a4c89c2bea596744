"""What code is made for, by name: machines, and the device that runs what is made for GPUs."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import final

from stepwell.compiler.machines import GPUS, MACHINES, X86_64_V3
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.targets.cpu import host
from stepwell.places import user_line
from stepwell.runtime import system
from stepwell.runtime.devices.device import Device
from stepwell.runtime.devices.registry import CPU, CUDA, device_named, is_device
from stepwell.runtime.errors import CompileError, LoadError

HOST = "host"
"""The target that is this machine."""


@final
@dataclass(frozen=True)
class Targets:
    """What code is for, the best first, and where it runs in this process."""

    machines: Sequence[Machine]
    place: str = CPU

    @property
    def device(self) -> Device | None:
        """The device, if it is one (LoadError if there is none here)."""
        return None if self.place == CPU else device_named(self.place)

    @cached_property
    def here(self) -> Machine:
        """The best machine that this process has; the best of all if it has none."""
        device = None
        with suppress(LoadError):
            device = self.device
        return next((each for each in self.machines if _is_here(each, device)), self.machines[0])

    @staticmethod
    def of(names: Sequence[str]) -> "Targets":
        """The targets of these names (CompileError SW0136). They run on a device if that is all
        that they are for."""
        for name in names or ("()",):
            if name not in (HOST, *MACHINES, *GPUS) and not is_device(name):
                known = ", ".join((HOST, *MACHINES, CUDA, *GPUS))
                raise CompileError(
                    "SW0136",
                    f"there is no target {name}",
                    hint=f"give one or several of {known}",
                    where=user_line(),
                )
        cpus, gpus, devices = _cpus(names), _gpus(names), list(filter(is_device, names))
        return Targets([*gpus, *cpus], CPU if cpus else next(iter(devices), CUDA))


def _cpus(names: Sequence[str]) -> list[Machine]:
    found = [MACHINES[name] for name in MACHINES if name in names]
    if HOST in names:
        found += [host(), X86_64_V3]
    by_name = {machine.name: machine for machine in found}
    return sorted(by_name.values(), key=lambda machine: len(machine.features), reverse=True)


def _gpus(names: Sequence[str]) -> list[Machine]:
    """Of a device, all that there are."""
    every = any(map(is_device, names))
    return [GPUS[name] for name in reversed(GPUS) if every or name in names]


def _is_here(machine: Machine, device: Device | None) -> bool:
    """Whether this process can run the machine's code, on the device or without one."""
    if device is not None:
        return device.runs(machine.name)
    same = machine.architecture == system.architecture()
    return same and machine.runs_on(tuple(system.cpu_features()))
