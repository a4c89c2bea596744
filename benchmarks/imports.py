"""How long packages take to be imported, in processes that do nothing else."""

import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping

PACKAGES = (
    "stepwell",
    "stepwell.runtime",
    "numpy",
    "numba",
    "torch",
    "jax",
    "onnxruntime",
    "openvino",
)
ROUNDS = 5


def imports() -> Mapping[str, float]:
    """Seconds by package, of those that are installed."""
    found = [name for name in PACKAGES if importlib.util.find_spec(name) is not None]
    taken: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(ROUNDS):
        bare = _seconds("pass")
        for name in found:
            taken[name].append(_seconds(f"import {name}") - bare)
    return {name: statistics.median(each) for name, each in taken.items()}


def _seconds(program: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin
