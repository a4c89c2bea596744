"""`make bench`: measures all of it, prints the tables, and writes them to docs/results/.

    python -m benchmarks.run --only softmax --threads 1 --peers torch,jax

What is only a part of it is written to build/bench/ instead.
"""

import argparse
import dataclasses
import datetime
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.environment import environment
from benchmarks.imports import imports
from benchmarks.processes import ROOT
from benchmarks.report import report
from benchmarks.settings import Best, best_settings
from benchmarks.speed import Answers, speeds
from benchmarks.variants import VARIANTS, chosen
from benchmarks.workloads import selected

try:
    from benchmarks.plot import draw
except ModuleNotFoundError:
    draw = None

RESULTS, PARTS = ROOT / "docs" / "results", ROOT / "build" / "bench"
BUDGET = 1.0
"""Seconds of rounds for a workload and a number of threads."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    whole = not options.only and not options.peers and options.threads == [1, 2]
    folder = RESULTS if whole else PARTS
    for each in (folder, PARTS):
        each.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-") as place:
        best = best_settings(Path(place))
        about = environment() | peers(best)
        found = list(_measured(options, best, Path(place)))
    compiles = [] if options.only else list(_lines("cold"))
    importing = {} if options.only else imports()
    name = f"{datetime.date.today()}-cpu"
    plot = f"{name}.png" if draw and found else None
    if draw and plot:
        draw(found, folder / plot)
    text = report(about, found, compiles, importing, plot)
    print(text)
    (folder / f"{name}.md").write_text(text)


def _options() -> argparse.ArgumentParser:
    def texts(text: str) -> list[str]:
        return [each for each in text.split(",") if each]

    def numbers(text: str) -> list[int]:
        return [int(each) for each in texts(text)]

    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    add = parser.add_argument
    add("--only", type=texts, default=[], help="parts of workloads' names or groups: softmax,rows")
    add("--peers", type=texts, default=[], help="what their names begin with: torch,jax")
    add("--threads", type=numbers, default=[1, 2], help="1, or 1,2 as by default")
    add("--budget", type=float, default=BUDGET, help=f"seconds of rounds each ({BUDGET})")
    return parser


def _measured(options: argparse.Namespace, best: Best, scratch: Path) -> Iterator[dict[str, Any]]:
    """All speeds, which are kept as lines of JSON, too."""
    variants = [each for each in chosen(options.peers) if each.installed]
    workloads, answers = selected(options.only), Answers(best, scratch)
    with (PARTS / "speeds.jsonl").open("w") as lines:
        for threads in options.threads:
            print(f"{threads} thread(s)", file=sys.stderr)
            taken = speeds(workloads, variants, threads, best, answers, scratch, options.budget)
            for speed in taken:
                found = dataclasses.asdict(speed)
                print(json.dumps(found), file=lines, flush=True)
                yield found


def peers(best: Best) -> Mapping[str, str]:
    """What is there of them, and how they are at their best."""
    absent = dict.fromkeys(each.package for each in VARIANTS if not each.installed)
    return {"best settings": "; ".join(best.notes), "not installed": ", ".join(absent) or "none"}


def _lines(module: str) -> Iterator[dict[str, Any]]:
    """What a module prints in a process of its own, as it comes."""
    command = [sys.executable, "-m", f"benchmarks.{module}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found = json.loads(line)
            print(f"  {found['name']}", file=sys.stderr)
            yield found
    if process.returncode:
        raise SystemExit(f"benchmarks.{module} failed")


if __name__ == "__main__":
    main()
