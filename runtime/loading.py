"""Loading: from a `.well` file to a model, with the best code that this processor can run."""

from collections.abc import Sequence
from pathlib import Path

from stepwell.runtime import safetensors, system
from stepwell.runtime.artifact import WEIGHTS, Artifact
from stepwell.runtime.devices.device import Device
from stepwell.runtime.devices.place import place_for
from stepwell.runtime.devices.registry import CPU, device_named
from stepwell.runtime.errors import LoadError
from stepwell.runtime.manifest import Target
from stepwell.runtime.model import Model


def load(
    source: str | Path | bytes,
    *,
    target: str | None = None,
    device: str = CPU,
    check_weights: bool = True,
) -> Model:
    """Loads a `.well` file, which stays mapped, or the bytes of one.

    `device` is where it lies and runs: `cpu`, `cuda`, `cuda:1`. `target` names the code to take
    instead of the best that there is for it. Every member that is used is compared with
    its SHA-256 before (about 1 s for each GB); `check_weights=False` leaves that out for the
    weights, which are then read from the disk only when they are used. Raises LoadError SW03xx.
    """
    artifact = Artifact.open(source)
    there = None if device == CPU else device_named(device)
    chosen = select(artifact.manifest.targets, artifact.name, target, there)
    return instantiate(artifact, chosen, there, check_weights=check_weights)


def instantiate(
    artifact: Artifact, target: Target, device: Device | None = None, *, check_weights: bool = True
) -> Model:
    """The model of an open artifact with code for one of its targets, on a device or the CPU."""
    constants = {}
    if WEIGHTS in artifact:
        weights = artifact.read(WEIGHTS, check=check_weights)
        constants = safetensors.parse(weights, f"{artifact.name}: {WEIGHTS}")
    return Model(
        artifact.manifest,
        artifact.read(target.code),
        constants,
        target=target,
        pool=artifact.read(target.pool) if target.pool else None,
        name=artifact.name,
        place=place_for(artifact, target, device),
    )


def select(
    targets: Sequence[Target], file: str, name: str | None = None, device: Device | None = None
) -> Target:
    """The target of that name, or else the best one; this processor, or the device, must be able to
    run it."""
    if not targets:
        raise LoadError("SW0309", f"{file} holds no code")
    wanted = [each for each in targets if name in (None, each.name)]
    if not wanted:
        known = ", ".join(each.name for each in targets)
        raise LoadError("SW0309", f"{file} has no code for {name}; it has {known}")
    runnable = [each for each in wanted if not _lacking(each, device)]
    if not runnable:
        reasons = "; ".join(f"{each.name} needs {_lacking(each, device)}" for each in wanted)
        where = device.name if device else "this processor"
        raise LoadError("SW0308", f"{file} cannot run on {where}: {reasons}")
    return runnable[0]


def _lacking(target: Target, device: Device | None) -> str:
    """What the target needs, and this processor, or the device, has not."""
    code = target.device
    if (code is None) != (device is None):
        return 'a device (device="cuda")' if code else "the CPU"
    if code and device and not device.runs(target.name):
        return "another device"
    host = code.host if code else target.architecture
    if host != system.architecture():
        return f"the architecture {host}"
    return ", ".join(sorted(set(target.features) - system.cpu_features()))
