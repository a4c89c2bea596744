"""`make bench-gpu`: measures all of it on a card, and writes the tables to docs/results/.

    python -m benchmarks.gpu --only softmax,products

What is only a part of it, or emulated, is written to build/bench/ instead.
"""

import argparse
import datetime
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.gpu.report import failed, report
from benchmarks.gpu.speed import CUDA, Bench, Speed
from benchmarks.gpu.work import FULL, TINY, works
from benchmarks.processes import ROOT
from stepwell.runtime.devices.device import Device
from stepwell.runtime.devices.registry import device_named
from stepwell.runtime.errors import LoadError

RESULTS, PARTS = ROOT / "docs" / "results", ROOT / "build" / "bench"
BUDGET = 2.0
"""Seconds of rounds for a work."""
PACKAGES = ("numpy", "xdsl", "llvmlite", "numba", "numba-cuda", "cuda-core", "torch")


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options().parse_args(arguments)
    try:
        device = device_named(options.device)
    except LoadError as error:
        sys.exit(error.sentence)
    bench, speeds = Bench(device, options.budget), list[Speed]()
    for work in works(TINY if options.tiny else FULL):
        if not options.only or any(each in (work.name, work.group) for each in options.only):
            print(f"  {work.name}", file=sys.stderr, flush=True)
            speeds.append(bench.speed(work))
    text = report(about(device), speeds)
    print(text)
    whole = not options.only and not options.tiny and device.place[0] == CUDA
    folder: Path = options.into or (RESULTS if whole else PARTS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{datetime.date.today()}-gpu.md").write_text(text)
    if failed(speeds):
        sys.exit(f"{len(failed(speeds))} of {len(speeds)} works failed")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    add = parser.add_argument
    add("--device", default="cuda", help="the card: cuda, cuda:1")
    add("--only", type=lambda text: text.split(","), default=[], help="names of works or groups")
    add("--budget", type=float, default=BUDGET, help=f"seconds of rounds each ({BUDGET})")
    add("--tiny", action="store_true", help="small sizes, for an emulated card")
    add("--into", type=Path, help="the folder for the page")
    return parser


def about(device: Device) -> Mapping[str, str]:
    """The date, the card, its driver, and the versions."""
    name, driver = _card(device.place[1]) if device.place[0] == CUDA else (device.name, "none")
    return {
        "date": datetime.datetime.now().isoformat(" ", "minutes"),
        "card": name,
        "driver": driver,
        "versions": ", ".join(filter(None, map(_version, PACKAGES))),
    }


def _card(number: int) -> tuple[str, str]:
    """What the driver's command says of a card: its name, and the driver's version."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(
            [*command, "-i", str(number)], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown", "unknown"
    name, _, driver = said.stdout.strip().partition(", ")
    return name, driver


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    main()
