"""The settings of the environment: threads for all, and what brings peers to their best."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy

from benchmarks.peers.peer import THREADS
from benchmarks.variants import Variant

LIMITED = (
    THREADS,
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=4294967296"
    ":glibc.malloc.trim_threshold=68719476736:glibc.malloc.hugetlb=1"
}
"""The C library keeps what is freed, and asks for huge pages: else the pages of each result of some
size are made anew."""
WIDE_CORES = {"SkylakeX", "Cooperlake", "SapphireRapids"}
"""Those of OpenBLAS that use AVX-512."""
SHIM = "int mkl_serv_intel_cpu_true(void) { return 1; }\n"
"""MKL asks this of itself before it takes its code for AVX-512."""
CORE_NAMES = ("scipy_openblas_get_corename64_", "openblas_get_corename64_", "openblas_get_corename")


@dataclass(frozen=True)
class Best:
    """Variables that bring peers to their best on this machine, and what was found out."""

    variables: Mapping[str, str]
    notes: tuple[str, ...]


def environment(variant: Variant, threads: int, best: Best, scratch: Path) -> dict[str, str]:
    """That of a variant's process."""
    own = {name: str(threads) for name in LIMITED}
    own["TORCHINDUCTOR_CACHE_DIR"] = str(scratch / f"inductor-{threads}")
    own["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    if variant.best:
        own |= best.variables
        own["BENCHMARKS_FREEZING"] = "1"
    return {**os.environ, **own}


def best_settings(scratch: Path) -> Best:
    """Raises CalledProcessError if the C compiler fails."""
    info = processor()
    wide = "avx512f" in info.get("flags", "").split()
    variables, notes = dict(MEMORY), ["the C library keeps memory and asks for huge pages"]
    core = openblas_core()
    if wide and core not in WIDE_CORES:
        variables["OPENBLAS_CORETYPE"] = "SkylakeX"
        notes.append(f"OpenBLAS is made to use AVX-512, for which it would take {core}")
    else:
        notes.append(f"OpenBLAS takes {core} by itself")
    if info.get("vendor_id") != "AuthenticAMD" or not wide:
        notes.append("MKL chooses its code by itself")
    elif compiler := shutil.which("cc"):
        variables["LD_PRELOAD"] = str(_shim(compiler, scratch))
        notes.append("MKL is made to use AVX-512 by a library that is loaded before it")
    else:
        notes.append("MKL does not use AVX-512: there is no C compiler to make it do so")
    return Best(variables, tuple(notes))


def _shim(compiler: str, scratch: Path) -> Path:
    source, library = scratch / "mkl.c", scratch / "mkl.so"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def processor() -> dict[str, str]:
    """What the system says of the first one."""
    first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def openblas_core() -> str:
    """The processor that NumPy's OpenBLAS takes this one for."""
    for library in _libraries():
        for name in CORE_NAMES:
            if function := getattr(library, name, None):
                function.restype = ctypes.c_char_p
                return function().decode()
    return "unknown"


def _libraries() -> Iterator[ctypes.CDLL]:
    folder = Path(numpy.__file__).parent.parent / "numpy.libs"
    for path in sorted(folder.glob("*openblas*")):
        yield ctypes.CDLL(str(path))
