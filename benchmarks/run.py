"""`make bench`: measures all of it, prints the tables, and writes them to docs/results/.

python -m benchmarks.run [part of a workload's or a program's name]
"""

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.environment import environment
from benchmarks.peers import PEERS
from benchmarks.report import report

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
THREADS = (1, 2)


def lines(module: str, part: str, limits: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """What a module prints in a process of its own, as it comes."""
    command = [sys.executable, "-m", f"benchmarks.{module}", part]
    surroundings = {**os.environ, **limits}
    with subprocess.Popen(
        command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found = json.loads(line)
            print(f"  {found['name']}", file=sys.stderr)
            yield found
    if process.returncode:
        raise SystemExit(f"benchmarks.{module} failed")


def main(part: str = "") -> None:
    surroundings = environment()
    speeds: list[dict[str, Any]] = []
    for threads in THREADS:
        print(f"{threads} thread(s)", file=sys.stderr)
        speeds += lines("speed", part, {peer.limit: str(threads) for peer in PEERS})
    print("compiling", file=sys.stderr)
    text = report(surroundings, speeds, list(lines("cold", part, {})))
    print(text)
    if not part:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{datetime.date.today()}-cpu.md").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
