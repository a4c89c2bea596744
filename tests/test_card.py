"""The tests as `make test-gpu` runs them: on a device that is named, or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from source_tree import ROOT
from stepwell.runtime.devices.registry import device_named
from stepwell.runtime.errors import LoadError

GRAPHS = "tests/runtime/test_graphs.py"


def run(device: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--device", device]
    return subprocess.run([*command, GRAPHS], cwd=ROOT, capture_output=True, text=True)


def test_what_the_emulator_alone_can_do_is_left_out_on_another_device() -> None:
    done = run("cuda-emulated:1")
    assert done.returncode == 0, done.stdout
    assert "1 deselected" in done.stdout


@pytest.fixture
def reason() -> str:
    """Why there is no card here."""
    with pytest.raises(LoadError) as caught:
        device_named("cuda")
    return caught.value.sentence


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a card")
def test_without_a_card_one_sentence_says_so(reason: str) -> None:
    done = run("cuda")
    assert done.returncode == 1
    assert (done.stdout + done.stderr).splitlines() == [f"Exit: {reason}"]


@pytest.mark.slow
def test_its_environment_is_made_without_a_network(tmp_path: Path) -> None:
    """Of what the Python that is named has, though a new environment may come with less."""
    ready = tmp_path / "card" / "ready"
    named = [f"PYTHON={sys.executable}", f"CARD_VENV={ready.parent}", "WHEELS=absent"]
    made = subprocess.run(["make", *named, ready], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    command = [ready.parent / "bin" / "python", "-c", "import stepwell; print(stepwell.__file__)"]
    found = subprocess.run(command, capture_output=True, text=True).stdout
    assert found.startswith(str(ROOT))


@pytest.mark.slow
def test_what_it_lacks_is_named(tmp_path: Path) -> None:
    """Where there is neither a network nor what is needed."""
    bare, ready = tmp_path / "bare", tmp_path / "card" / "ready"
    subprocess.run([sys.executable, "-m", "venv", bare], check=True)
    named = [f"PYTHON={bare}/bin/python", f"CARD_VENV={ready.parent}", "WHEELS=absent"]
    made = subprocess.run(["make", *named, ready], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode != 0
    assert "not here: xdsl, llvmlite, ml_dtypes, " in made.stderr
    assert "; run make wheels WHEELS=folder where there is a network" in made.stderr
