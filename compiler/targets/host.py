"""The build machine as data: its level of x86-64, what else of it changes no result, its caches."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from llvmlite import binding

from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.machines.x86 import EXACT_EXTRAS, X86_64_V3, X86_64_V4
from stepwell.runtime.errors import CompileError
from stepwell.runtime.system import cpu_features

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


@cache
def host() -> Machine:
    """The machine that this process runs on.

    It has its level's name, or LLVM's name of the processor where code may use more than the level.
    Raises CompileError (SW0256) on a processor below x86-64-v3.
    """
    available = {name for name, has in binding.get_host_cpu_features().items() if has}
    level = next((m for m in (X86_64_V4, X86_64_V3) if m.runs_on(tuple(available))), None)
    if level is None:
        missing = ", ".join(sorted(set(X86_64_V3.features) - available))
        raise CompileError("SW0256", f"this processor lacks {missing}, which x86-64-v3 has")
    exact = EXACT_EXTRAS if level is X86_64_V4 else ("avxvnni",)
    usable = available & cpu_features()
    extras = tuple(feature for feature in exact if feature in usable)
    sizes = cache_sizes()
    return replace(
        level,
        name=binding.get_host_cpu_name() if extras else level.name,
        features=level.features + extras,
        l1=sizes.get(1, level.l1),
        l2=sizes.get(2, level.l2),
        l3=sizes.get(3, level.l3),
    )


def cache_sizes(folder: Path = CACHES) -> Mapping[int, int]:
    """Bytes of the data caches by level, as Linux tells them; empty where it does not."""
    sizes: dict[int, int] = {}
    for index in sorted(folder.glob("index*")):
        kind, level, size = (
            (index / name).read_text().strip() for name in ("type", "level", "size")
        )
        if kind != "Instruction":
            sizes[int(level)] = int(size.removesuffix("K")) << 10
    return sizes
