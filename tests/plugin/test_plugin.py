"""A package outside of Stepwell that adds an op and a pass, installed as its user would do it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TEXT = """
nd.func @quarter(%x: tensor<3xf32>) {
  %c = nd.constant <f32 4.0> : tensor<3xf32>
  %y = tiny.shift %x axis <0> by <1> : tensor<3xf32> -> tensor<3xf32>
  %z = nd.div %y, %c : tensor<3xf32>
  nd.return %z : tensor<3xf32>
}
"""
BETTER = """\
builtin.module {
  nd.func @quarter(%x: tensor<3xf32>) {
    %y = tiny.shift %x axis <0> by <1> : tensor<3xf32> -> tensor<3xf32>
    %0 = nd.constant <f32 2.5e-01> : tensor<3xf32>
    %z = nd.mul %y, %0 : tensor<3xf32>
    nd.return %z : tensor<3xf32>
  }
}
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where the package is installed. Its source is copied, since pip builds in place."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(HERE / "tiny", folder / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
    site = folder / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    install += ["--no-index", "--no-build-isolation", "--target", str(site), str(folder / "tiny")]
    subprocess.run(install, check=True)
    paths = [str(site), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def run(environment: dict[str, str], *command: str, given: str = "") -> str:
    done = subprocess.run(command, env=environment, input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def opt(environment: dict[str, str], passes: str) -> str:
    command = str(Path(sys.executable).with_name("stepwell-opt"))
    return run(environment, command, "-p", passes, given=TEXT)


def test_its_op_is_used_from_python(environment: dict[str, str]) -> None:
    program = str(HERE / "program.py")
    assert run(environment, sys.executable, program) == "the op works\n"


def test_its_pass_stands_in_a_row_with_ours(environment: dict[str, str]) -> None:
    assert opt(environment, "reciprocals,simplify") == BETTER + "\n"


def test_its_pass_has_options(environment: dict[str, str]) -> None:
    assert "nd.div" in opt(environment, "reciprocals{largest=2}")


def test_its_op_goes_down_all_levels(environment: dict[str, str]) -> None:
    passes = "form-kernels,tensor-to-loop,choose-plans,assign-buffers,expand-plans,loop-to-llvm"
    assert "llvm.func @quarter" in opt(environment, passes)
