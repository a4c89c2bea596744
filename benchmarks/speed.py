"""How fast the workloads run: one process for each variant, which take turns."""

import os
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from benchmarks.interleaved import Sample, samples
from benchmarks.processes import Process, Reply
from benchmarks.settings import Best, environment
from benchmarks.variants import LIMITS, OURS, VARIANTS, Variant
from benchmarks.workloads.workload import Workload

LOG = "log.txt"
"""What processes print, in the folder of what is thrown away."""
EXACT = {True: OURS, False: "numpy"}
"""Who computes the exact answers, of steps of training and of others: in f64."""


@dataclass(frozen=True)
class Speed:
    """One workload's medians and least times in seconds by variant, the medians of the limits, and
    what goes with them. `missing` says why others have none; `preparing` are seconds until a first
    call has ended; `error` is that of Stepwell's answer, as a part of the greatest element."""

    name: str
    group: str
    threads: int
    seconds: Mapping[str, float]
    least: Mapping[str, float]
    limits: Mapping[str, float]
    preparing: Mapping[str, float]
    missing: Mapping[str, str]
    error: float | None
    notes: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Exact:
    """Where an exact answer is, if there is one, and how many bytes it has in f32."""

    file: str | None
    written: int


@final
class Answers:
    """The exact answers, each of which is computed once."""

    def __init__(self, best: Best, scratch: Path) -> None:
        self._best, self._scratch = best, scratch
        self._known: dict[str, Exact] = {}

    def of(self, workload: Workload) -> Exact:
        if workload.name not in self._known:
            self._known[workload.name] = self._computed(workload)
        return self._known[workload.name]

    def _computed(self, workload: Workload) -> Exact:
        (variant,) = (each for each in VARIANTS if each.name == EXACT[bool(workload.training)])
        file = str(self._scratch / f"{len(self._known)}.npz")
        surroundings = environment(variant, os.cpu_count() or 1, self._best, self._scratch)
        with Process(variant.name, surroundings, self._scratch / LOG) as process:
            reply = process.ask(exact=workload.name, file=file)
        if "failed" in reply:
            print(f"    no exact answer: {reply['failed']}", file=sys.stderr)
            return Exact(None, 0)
        return Exact(file, reply["written"])


def speeds(
    workloads: Sequence[Workload],
    variants: Sequence[Variant],
    threads: int,
    best: Best,
    answers: Answers,
    scratch: Path,
    budget: float,
) -> Iterator[Speed]:
    """Measures all workloads with some number of threads."""
    with ExitStack() as stack:
        processes = {
            each.name: stack.enter_context(
                Process(each.name, environment(each, threads, best, scratch), scratch / LOG)
            )
            for each in variants
        }
        for workload in workloads:
            print(f"  {workload.name}", file=sys.stderr, flush=True)
            running = {each.name: processes[each.name] for each in variants if each.runs(workload)}
            yield _speed(workload, running, threads, answers.of(workload), budget)


def _speed(
    workload: Workload,
    processes: Mapping[str, Process],
    threads: int,
    exact: Exact,
    budget: float,
) -> Speed:
    replies = {
        name: process.ask(
            prepare=workload.name,
            exact=None if name in LIMITS else exact.file,
            written=exact.written,
        )
        for name, process in processes.items()
    }
    ready = {name: reply for name, reply in replies.items() if "least" in reply}
    taken = samples(
        {name: _sample(processes[name]) for name in ready},
        {name: reply["least"] for name, reply in ready.items()},
        budget,
    )
    seconds = {name: statistics.median(each) for name, each in taken.items()}
    for name in replies:
        processes[name].ask(release=True)
    return Speed(
        workload.name,
        workload.group,
        threads,
        {name: each for name, each in seconds.items() if name not in LIMITS},
        {name: min(each) for name, each in taken.items() if name not in LIMITS},
        {name: seconds[name] * ready[name]["notes"]["factor"] for name in LIMITS if name in ready},
        {name: reply["seconds"] for name, reply in ready.items() if name not in LIMITS},
        {name: _reason(reply) for name, reply in replies.items() if name not in ready},
        ready.get(OURS, {}).get("error"),
        ready.get(OURS, {}).get("notes", {}),
    )


def _sample(process: Process) -> Sample:
    """One that fails has taken forever."""
    return lambda times: process.ask(sample=times).get("seconds", float("inf"))


def _reason(reply: Reply) -> str:
    return reply.get("missing") or reply.get("failed") or "unknown"
