"""`stepwell inspect`: what a `.well` file holds."""

import argparse
from collections.abc import Mapping
from typing import Any

from stepwell.runtime.artifact import Artifact
from stepwell.runtime.devices.image import DeviceCode
from stepwell.runtime.errors import StepwellError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("file", help="the .well file")
    parser.add_argument("--ir", metavar="STAGE", help="print the IR that was saved of a stage")
    parser.set_defaults(action=_inspect)


def _inspect(given: argparse.Namespace) -> int:
    artifact = Artifact.open(given.file)
    if given.ir:
        member = f"ir/{given.ir}.mlir"
        if member not in artifact:
            raise StepwellError("SW0505", f"{given.file} holds no IR of the stage {given.ir}")
        print(bytes(artifact.read(member)).decode())
        return 0
    manifest = artifact.manifest
    print(f"{given.file}: made by {manifest.producer}")
    if manifest.tuned:
        print(f"  with plans that were measured, {manifest.tuned[:8]}")
    for name, entry in manifest.entries.items():
        inputs = [f"{each.name}: {each.type}" for each in entry.arguments if each.kind == "input"]
        results = [f"{each.name}: {each.type}" for each in entry.results]
        sizes = [f"{each.name} in {each}" for each in entry.sizes]
        print(f"  {name}({', '.join(inputs)}) -> ({', '.join(results)})")
        print(f"    sizes {', '.join(sizes) or 'fixed'}; numerics {entry.numerics}")
    for target in manifest.targets:
        print(f"  for {target.name}: {', '.join(target.features)}")
        if target.device is not None:
            _inspect_device(target.device)
        plans: Mapping[str, Any] = target.plans if isinstance(target.plans, dict) else {}
        for kernel, plan in plans.items():
            print(f"    {kernel}: {plan}")
    return 0


def _inspect_device(code: DeviceCode) -> None:
    kernels = f"{len(code.kernels)} kernel{'s' * (len(code.kernels) != 1)}"
    print(f"    {kernels} for a GPU, which share {code.shared} bytes in a block at most;")
    print(f"    launched by code for {code.host} with these features")
    if code.host_controlled:
        print(f"    controlled by the host: {', '.join(code.host_controlled)}")
