"""How fast the workloads run with some number of threads: a program that prints lines of JSON.

STEPWELL_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.speed [part of a name]
"""

import dataclasses
import json
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.interleaved import Call, medians
from benchmarks.peak import Peak
from benchmarks.peers import PEERS, kernels
from benchmarks.workloads import Workload, workloads
from stepwell.runtime import pool

PEAK = "peak"


@dataclass(frozen=True)
class Speed:
    """One workload's times, in seconds by peer, and what tells whether they are good."""

    name: str
    threads: int
    seconds: dict[str, float]
    operations: int
    bytes: int
    """Of the inputs and the answer, each counted once."""
    peak: float
    """Operations of multiply-adds in a second, measured in turn with the workload."""
    error: float
    """The greatest one of Stepwell's answer, as a part of the greatest element."""
    kernels: int


def speed(workload: Workload, peak: Peak) -> Speed:
    """Measures a workload. Raises ArithmeticError if a peer's answer is wrong."""
    inputs = workload.inputs()
    calls: dict[str, Call] = {peer.name: peer.prepare(workload, inputs) for peer in PEERS}
    exact = workload.in_numpy(*(each.astype(np.float64) for each in inputs))
    errors = [_checked(workload, peer.name, calls[peer.name](), exact) for peer in PEERS]
    seconds = medians({**calls, PEAK: peak.run})
    return Speed(
        workload.name,
        pool.threads(),
        {peer.name: seconds[peer.name] for peer in PEERS},
        workload.operations,
        sum(each.nbytes for each in inputs) + exact.nbytes // 2,
        peak.operations / seconds[PEAK],
        errors[0],
        kernels(workload),
    )


def _checked(workload: Workload, peer: str, answer: Any, exact: NDArray[Any]) -> float:
    assert answer.shape == exact.shape
    error = float(np.abs(answer - exact).max() / np.abs(exact).max())
    if not error <= workload.error:
        raise ArithmeticError(f"{workload.name}: {peer}'s answer is wrong by {error:.1e}")
    return error


def main(part: str = "") -> None:
    peak = Peak(pool.threads())
    for workload in workloads():
        if part in workload.name:
            print(json.dumps(dataclasses.asdict(speed(workload, peak))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
