"""When the calls of a sample are timed."""

from typing import final

import pytest
from benchmarks import worker
from benchmarks.peers.peer import Call, Peer
from benchmarks.workloads.workload import Arrays, Weights, Workload

NOTHING = Workload("nothing", "calls", max, ())


@final
class Clock(Peer):
    """A workload whose calls take so many seconds each, and the only clock there is."""

    def __init__(self, seconds: float) -> None:
        self.now, self.calls = 0.0, 0
        self._seconds = seconds

    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        return self._call

    def _call(self) -> None:
        self.now += self._seconds
        self.calls += 1


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize(("seconds", "before"), [(0.001, 10), (0.02, 1), (0.06, 0)])
def test_calls_settle_before_a_sample(
    monkeypatch: pytest.MonkeyPatch, threads: str, seconds: float, before: int
) -> None:
    """For 10 ms, with any number of threads, unless one call takes longer than caches matter."""
    monkeypatch.setenv("STEPWELL_THREADS", threads)
    clock = Clock(seconds)
    monkeypatch.setattr(worker.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(worker, "named", lambda name: NOTHING)
    made = worker.Worker(clock)
    made.answer({"prepare": NOTHING.name, "exact": None, "written": 0})
    calls = clock.calls
    assert made.answer({"sample": 3})["seconds"] == pytest.approx(seconds)
    assert clock.calls - calls == pytest.approx(before + 3, abs=1)
    assert clock.calls - calls >= before + 3
