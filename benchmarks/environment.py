"""Where a measurement was made: what may make it differ from another one."""

import datetime
import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from stepwell.compiler.targets.cpu import host

PACKAGES = (
    "numpy",
    "xdsl",
    "llvmlite",
    "numba",
    "torch",
    "jax",
    "onnxruntime",
    "openvino",
)


def environment() -> dict[str, str]:
    """The machine, the versions and the load, by name."""
    machine = host()
    busy = os.getloadavg()[0]
    return {
        "date": datetime.datetime.now().isoformat(" ", "minutes"),
        "processor": f"{_processor()}, {os.cpu_count()} logical, compiled for {machine.name}",
        "vectors": f"{machine.vector_bytes * 8} bits",
        "caches": f"{machine.l1 >> 10} KiB, {machine.l2 >> 10} KiB, {machine.l3 >> 20} MiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "versions": ", ".join(_versions()),
        "linear algebra of NumPy": _blas(),
        "processes that wanted to run at the start": f"{busy:.1f}",
    }


def _versions() -> Iterator[str]:
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ", 1)[1]
    return platform.machine()


def _blas() -> str:
    found = np.show_config(mode="dicts")
    blas = found["Build Dependencies"]["blas"] if isinstance(found, dict) else {}
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}"
