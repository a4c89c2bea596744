"""A call takes the memory that its plan says, and no more: inputs are not copied."""

import subprocess
import sys
from pathlib import Path

import stepwell as sw
from stepwell import Array
from stepwell import numpy as snp
from stepwell.runtime.sizes import Size

SIZE = 1024
SLACK = 2 << 20
"""Bytes of a huge page, at the end of which memory may not end."""

MEASURED = """
import sys
import numpy as np
from stepwell.runtime import load

def kilobytes(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name))

with load(sys.argv[1]) as model:
    size = int(sys.argv[2])
    x, y = np.ones((2, size, size), "f4")
    model(x[:9, :9].copy(), y[:9, :9].copy())
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # what was taken before does not count
    before = kilobytes("VmRSS")
    result = model(x, y)
    print(1024 * (kilobytes("VmHWM") - before))
"""


def mixed(x: Array, y: Array) -> Array:
    """Several stages, each of which needs all of the one before: some lie in each other's place."""
    total = snp.cumsum(x, axis=0)
    product = (snp.flip(total, axis=0) + snp.sort(y, axis=1)) @ y.T
    return snp.cumsum(product, axis=1) + total


def test_the_peak_of_a_call_is_its_workspace_and_its_results(tmp_path: Path) -> None:
    program = sw.compile(mixed, "f32[N, N]", "f32[N, N]")
    program.save(tmp_path / "f.well")
    with sw.load(tmp_path / "f.well") as model:
        (workspace,) = model.target.workspace.values()
    planned = (workspace + Size.of(4) * Size.of("N") * Size.of("N")).evaluate({"N": SIZE})
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "f.well"), str(SIZE)]
    child = subprocess.run(command, check=True, capture_output=True, text=True)
    assert planned - SLACK < int(child.stdout) < planned + SLACK
