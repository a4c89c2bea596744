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

NVVM = re.compile(
    r"nvvm\.(barrier\.cta\.sync|bar\.warp\.sync|shfl\.sync|read\.ptx\.sreg|mma\.m\w+|ldmatrix\.sync"
    r"|cp\.async\.(cg|commit|wait))\."
)
"""How the names of intrinsics begin that every GPU of ours has."""
FATAL = {
    "a number of more than 64 bits": re.compile(
        r"(?<![%@\w.])(i(6[5-9]|[7-9]\d|\d{3,})|\w*fp(80|128))\b"
    ),
    "a vector of bits in memory": re.compile(r"store <\d+ x i1>"),
    "another address space than a GPU's": re.compile(r"addrspace\(([26-9]|\d\d+)\)"),
    "a function of another module": re.compile(r"^declare (?!.*@llvm\.)", re.MULTILINE),
}
"""What else of LLVM's language the NVPTX target does not select, by which it ends the process, or
leaves to the assembler."""


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

    Raises CompileError SW0257 for an intrinsic that is not known to become instructions, and for
    what else LLVM would end the process over.
    """
    for what, found in FATAL.items():
        if found.search(device.text):
            raise CompileError("SW0257", f"{what} is not compiled for a GPU")
    for called in dict.fromkeys(INTRINSIC.findall(device.text)):
        name = TYPES.sub("", called)
        if name not in KNOWN and not NVVM.match(f"{name}."):
            raise CompileError("SW0257", f"llvm.{name} is not compiled for a GPU")
    with LLVM:
        _keep_accesses()
    return assembly(device.text, machine)


@cache
def _keep_accesses() -> None:
    """LLVM 22 joins neighbouring loads and reads beyond what they read, as far as it is aligned: no
    card minds, but every checker does. Ours are vectors where they can be."""
    binding.set_option("stepwell", "--disable-nvptx-load-store-vectorizer")
