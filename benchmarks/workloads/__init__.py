"""What is run: each workload once, in words that each peer has in its own way."""

from collections.abc import Sequence

from benchmarks.workloads import fast, loops, networks, products, rows, training, transformers
from benchmarks.workloads.workload import Workload

PARTS = (products, rows, networks, training, loops, fast, transformers)


def workloads() -> Sequence[Workload]:
    """All of them, those of one group together; weights are drawn only when they are needed."""
    return [workload for part in PARTS for workload in part.workloads()]


def selected(parts: Sequence[str]) -> Sequence[Workload]:
    """Those with any of these in their name or group; all of them if there are none.

    Raises ValueError where one is in no name.
    """
    found = workloads()
    for part in parts:
        if not any(_has(workload, part) for workload in found):
            raise ValueError(f"there is no workload {part!r}")
    return [each for each in found if not parts or any(_has(each, part) for part in parts)]


def _has(workload: Workload, part: str) -> bool:
    return part in workload.name or part == workload.group


def named(name: str) -> Workload:
    (found,) = (workload for workload in workloads() if workload.name == name)
    return found
