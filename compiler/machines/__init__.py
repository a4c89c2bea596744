"""What machines are like, as data."""

from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.machines.x86 import MACHINES, X86_64_V3, X86_64_V4, machine_named

__all__ = ["MACHINES", "X86_64_V3", "X86_64_V4", "Machine", "machine_named"]
