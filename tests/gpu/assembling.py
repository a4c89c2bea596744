"""NVIDIA's assembler, where it is installed."""

import importlib.util
import subprocess
from pathlib import Path

import pytest


def assembler() -> Path | None:
    """`ptxas`, where it is installed."""
    found = importlib.util.find_spec("nvidia")
    for folder in (found.submodule_search_locations or ()) if found else ():
        for path in Path(folder).glob("*/bin/ptxas"):
            return path
    return None


def assemble(ptx: str, processor: str, folder: Path) -> str:
    """What the assembler says about registers and spills; fails with what it says about errors."""
    text = folder / "kernel.ptx"
    text.write_text(ptx)
    command = [str(assembler()), f"-arch={processor}", "-v", "-o", str(folder / "cubin"), str(text)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[:2000]
    return run.stderr


needs_assembler = pytest.mark.skipif(assembler() is None, reason="needs ptxas: the extra gpu-check")
