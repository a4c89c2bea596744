"""From a module with functions for a GPU to PTX, which a driver assembles for its card."""

import re
from dataclasses import dataclass
from functools import cache
from typing import final

from llvmlite import binding
from xdsl.dialects import gpu
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.llvm import FuncOp

from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.targets.cpu import LLVM, assembly
from stepwell.compiler.targets.llvm_text import KERNEL, module_text
from stepwell.runtime.errors import CompileError

INTRINSIC = re.compile(r"@llvm\.([\w.]+)\(")
TYPES = re.compile(r"(\.(v\d+)?(i|f|p|bf)\d+)+$")
"""With which the names of intrinsics end that take several."""
KNOWN = frozenset(
    """
    abs copysign fabs floor fma masked.gather masked.load masked.scatter masked.store maximum
    minimum roundeven sqrt smax smin umax umin ctlz cttz ctpop fptosi.sat fptoui.sat fshl fshr
    vector.reduce.or vector.reduce.and vector.reduce.add
    """.split()
)
"""What the NVPTX target compiles on vectors and scalars of all our types; over others LLVM may end
the process, or leave a call that only the assembler finds."""


@final
@dataclass(frozen=True)
class Device:
    """What a GPU runs of a program."""

    text: str
    """In LLVM's language."""
    kernels: tuple[str, ...]
    """The names of the kernels, as the host numbers them."""


def take_device(module: ModuleOp) -> Device | None:
    """Takes the GPU's part out of a module of the llvm level, if it has one."""
    part = next((op for op in module.ops if isinstance(op, gpu.ModuleOp)), None)
    if part is None:
        return None
    part.detach()
    ops = list(part.body.block.ops)
    for op in ops:
        op.detach()
    kernels = tuple(
        op.sym_name.data for op in ops if isinstance(op, FuncOp) and KERNEL in op.attributes
    )
    return Device(module_text(ModuleOp(ops)), kernels)


def compile_ptx(device: Device, machine: Machine) -> str:
    """The PTX of all kernels.

    Raises CompileError SW0257 for an intrinsic that is not known to become instructions.
    """
    for called in dict.fromkeys(INTRINSIC.findall(device.text)):
        name = TYPES.sub("", called)
        if name not in KNOWN and not name.startswith("nvvm."):
            raise CompileError("SW0257", f"llvm.{name} is not compiled for a GPU")
    with LLVM:
        _keep_accesses()
    return assembly(device.text, machine)


@cache
def _keep_accesses() -> None:
    """LLVM 22 joins neighbouring loads and reads beyond what they read, as far as it is aligned: no
    card minds, but every checker does. Ours are vectors where they can be."""
    binding.set_option("stepwell", "--disable-nvptx-load-store-vectorizer")
