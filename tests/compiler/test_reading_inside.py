"""Compiled code reads nothing beside its arguments, where what it chooses needs nothing there."""

import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "lib"
PROGRAM = """
import sys

sys.path.append(sys.argv[1])
import numpy as np
import stepwell as sw
from fenced import fenced
from stepwell import numpy as snp

def turned(x, axis):
    back = snp.flip(x, axis=2)
    return snp.concatenate([back, x, back], axis=axis), snp.pad(back, ((1, 2), (3, 1), (0, 0)))

random = np.random.default_rng(0)
for dtype in ("f4", "i2", "u1", "f8", "?"):
    for lanes in (16, 32, 64, 29):
        x = random.integers(0, 2, (5, 8, lanes)).astype(dtype if dtype != "i2" else "i4")
        for axis in (0, 1, 2):
            spec = [sw.spec(str(sw.spec(x)))]
            program = sw.compile(lambda x: turned(x, axis), *spec, target=sys.argv[2])
            wanted = [np.asarray(each) for each in turned(snp.asarray(x), axis)]
            for at_end in (False, True):
                for one, other in zip(program(fenced(x, at_end=at_end)), wanted, strict=True):
                    np.testing.assert_array_equal(np.asarray(one), other)
print("done")
"""


@pytest.mark.parametrize("target", ["host", "x86-64-v3"])
def test_what_is_turned_and_stands_beside_others(target: str) -> None:
    """LLVM 22 has an instruction read all of what was loaded under a mask, turned and chosen."""
    command = [sys.executable, "-c", PROGRAM, str(LIBRARY), target]
    child = subprocess.run(command, capture_output=True, text=True)
    assert (child.returncode, child.stdout, child.stderr) == (0, "done\n", "")
