"""Loading: from a `.well` file to a model, with the best code that this processor can run."""

from collections.abc import Sequence
from pathlib import Path

from stepwell.runtime import safetensors, system
from stepwell.runtime.artifact import WEIGHTS, Artifact
from stepwell.runtime.errors import LoadError
from stepwell.runtime.manifest import Target
from stepwell.runtime.model import Model


def load(
    source: str | Path | bytes, *, target: str | None = None, check_weights: bool = True
) -> Model:
    """Loads a `.well` file, which stays mapped, or the bytes of one.

    `target` names the code to take instead of the best. Every member that is used is compared with
    its SHA-256 before (about 1 s for each GB); `check_weights=False` leaves that out for the
    weights, which are then read from the disk only when they are used. Raises LoadError SW03xx.
    """
    artifact = Artifact.open(source)
    chosen = select(artifact.manifest.targets, artifact.name, target)
    return instantiate(artifact, chosen, check_weights=check_weights)


def instantiate(artifact: Artifact, target: Target, *, check_weights: bool = True) -> Model:
    """The model of an open artifact with the code for one of its targets."""
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
    )


def select(targets: Sequence[Target], file: str, name: str | None = None) -> Target:
    """The target of that name, or else the best one; this processor must be able to run it."""
    if not targets:
        raise LoadError("SW0309", f"{file} holds no code")
    wanted = [each for each in targets if name in (None, each.name)]
    if not wanted:
        known = ", ".join(each.name for each in targets)
        raise LoadError("SW0309", f"{file} has no code for {name}; it has {known}")
    runnable = supported(wanted)
    if not runnable:
        reasons = "; ".join(f"{each.name} needs {_lacking(each)}" for each in wanted)
        raise LoadError("SW0308", f"{file} cannot run on this processor: {reasons}")
    return runnable[0]


def supported(targets: Sequence[Target]) -> list[Target]:
    """Those targets that this processor can run."""
    return [target for target in targets if not _lacking(target)]


def _lacking(target: Target) -> str:
    """The architecture, or the features, that the target needs and this processor has not."""
    if target.architecture != system.architecture():
        return f"the architecture {target.architecture}"
    return ", ".join(sorted(set(target.features) - system.cpu_features()))
