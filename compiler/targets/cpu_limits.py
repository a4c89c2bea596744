"""What LLVM ends the process over: intrinsics that a processor lacks, and inline assembly."""

import re
from collections.abc import Iterator, Mapping

from stepwell.compiler.machines.dots import DOTS, TILE_DOTS
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.machines.x86 import V4
from stepwell.runtime.errors import CompileError

FOREIGN = ("aarch64", "amdgcn", "arm", "nvvm", "ppc", "r600", "riscv", "spv", "wasm")
"""Targets whose intrinsics no machine of ours has."""

X86_GROUPS: Mapping[str, tuple[str, ...]] = {
    "avx512": V4,
    "sse2": (),
    **dict.fromkeys(TILE_DOTS, ("amx-int8",)),
    **dict.fromkeys(("ldtilecfg", "tileloadd64", "tilerelease"), ("amx-tile",)),
    **dict.fromkeys(("tilestored64", "tilezero"), ("amx-tile",)),
}
"""`llvm.x86.GROUP.…` needs these features."""

X86_EXCEPTIONS: Mapping[str, tuple[str, ...]] = {
    "avx512.permvar.qi": ("avx512vbmi",),
    "avx512.vpdpwssd": ("avx512vnni",),
    "avx512.vpermi2var.qi": ("avx512vbmi",),
}
"""… and those that begin so need more."""

_DOTS = {name: (width, dot) for dot in DOTS.values() for width, name in dot.intrinsics.items()}

NAME = re.compile(rf"@llvm\.(x86|{'|'.join(FOREIGN)})\.([\w.]+)")


INLINE_ASSEMBLY = re.compile(r'\basm (?:\w+ )*"')


def refuse_what_is_fatal(text: str, machine: Machine) -> None:
    """Raise CompileError (SW0254) over what the machine lacks, or what only LLVM could check."""
    if "asm " in text and INLINE_ASSEMBLY.search(text):
        raise CompileError(
            "SW0254", "inline assembly is not compiled, since LLVM exits over a mistake in it"
        )
    for target, name in dict.fromkeys(NAME.findall(text)):
        for feature in _needed(target, name, machine):
            if feature not in machine.features:
                raise CompileError(
                    "SW0254",
                    f"llvm.{target}.{name} needs {feature}, which {machine.name} does not have",
                )


def _needed(target: str, name: str, machine: Machine) -> Iterator[str]:
    if (known := _DOTS.get(f"llvm.{target}.{name}")) is not None:
        width, dot = known
        if not machine.has(dot):
            yield " or ".join(dot.features)
        if width > machine.vector_bytes:
            yield f"vectors of {width} bytes"
        return
    if target == "nvvm" and machine.is_gpu:
        return
    if f"{target}.{name}" == "aarch64.isb" and machine.architecture == target:
        return
    if target != "x86" or machine.architecture != "x86_64":
        yield f"a processor of type {target}"
        return
    group = name.split(".")[0]
    if group not in X86_GROUPS:
        yield f"a feature that X86_GROUPS should name for '{group}'"
        return
    yield from X86_GROUPS[group]
    for prefix, features in X86_EXCEPTIONS.items():
        if name.startswith(prefix):
            yield from features
