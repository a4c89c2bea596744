"""The tests as `make test-gpu` runs them: on a device that is named, or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from card_packages import WAY_OUT, here, lacking
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


@pytest.fixture
def pinned() -> dict[str, str]:
    """The versions that `make wheels` fetches."""
    lines = (ROOT / "requirements" / "card.txt").read_text().splitlines()
    versions = (line.split("==") for line in lines if not line.startswith("#"))
    return {name.replace("_", "-").lower(): version for name, version in versions}


def test_what_make_wheels_fetches_is_enough(pinned: dict[str, str]) -> None:
    assert lacking("cuda", pinned) is None
    assert "numpy" in pinned


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("hypothesis", None, "hypothesis"),
        ("pytest-xdist", None, "pytest-xdist"),
        ("mpmath", None, "mpmath"),
        ("cuda-core", None, "cuda-core 1.0"),
        ("cuda-core", "0.7.0", "cuda-core 1.0 (not 0.7.0)"),
        ("numba-cuda", "0.9.1", "numba-cuda 0.30 (not 0.9.1)"),
        ("llvmlite", "0.49.1rc2", "llvmlite 0.50.0 (not 0.49.1rc2)"),
        ("setuptools", "68.1.2", "setuptools 77 (not 68.1.2)"),
    ],
)
def test_what_is_missing_or_too_old_is_named(
    pinned: dict[str, str], name: str, version: str | None, said: str
) -> None:
    others = {other: number for other, number in pinned.items() if other != name}
    found = {**others, name: version} if version else others
    assert lacking("cuda", found) == f"not here: {said}; {WAY_OUT}"


@pytest.mark.parametrize(
    ("name", "version"), [("mpmath", "1.3.0"), ("numpy", "2.5.2"), ("setuptools", "80.9.0")]
)
def test_what_is_newer_or_may_be_older_is_taken(
    pinned: dict[str, str], name: str, version: str
) -> None:
    assert lacking("cuda", {**pinned, name: version}) is None


def test_an_emulated_device_needs_no_packages_of_cuda(pinned: dict[str, str]) -> None:
    found = {name: version for name, version in pinned.items() if "cuda" not in name}
    assert lacking("cuda-emulated:1", found) is None
    said = "not here: cuda-bindings 13, cuda-core 1.0, cuda-pathfinder, numba-cuda 0.30; "
    assert lacking("cuda:1", found) == f"{said}{WAY_OUT}"


def test_of_a_package_that_is_twice_on_the_path_the_first_counts() -> None:
    assert here()["pytest"] == pytest.__version__


@pytest.mark.slow
def test_its_environment_is_made_without_a_network(tmp_path: Path) -> None:
    """Of what the Python that is named has, though a new environment may come with less."""
    ready = tmp_path / "card" / "ready"
    named = [f"PYTHON={sys.executable}", f"CARD_VENV={ready.parent}", "WHEELS=absent"]
    named.append("DEVICE=cuda-emulated")
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
    assert "not here: cuda-bindings 13, cuda-core 1.0, cuda-pathfinder, execnet, " in made.stderr
    assert "; run make wheels WHEELS=folder where there is a network" in made.stderr
