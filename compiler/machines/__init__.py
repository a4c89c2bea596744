"""What machines are like, as data."""

from stepwell.compiler.machines.aarch64 import AARCH64, AARCH64_DOTPROD
from stepwell.compiler.machines.gpu.nvidia import GPUS
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.machines.x86 import LEVELS, PROCESSORS, X86_64_V3, X86_64_V4
from stepwell.runtime.errors import CompileError

MACHINES = {machine.name: machine for machine in (*LEVELS, *PROCESSORS, AARCH64, AARCH64_DOTPROD)}
"""The CPUs that code can be made for, by name."""

__all__ = ["GPUS", "LEVELS", "MACHINES", "X86_64_V3", "X86_64_V4", "Machine", "machine_named"]


def machine_named(name: str) -> Machine:
    """The machine of that name. Raises CompileError (SW0233) if there is none."""
    known = {**MACHINES, **GPUS}
    if name not in known:
        hint = f"there are {', '.join(known)}"
        raise CompileError("SW0233", f"there is no machine {name}", hint=hint)
    return known[name]
