"""The limit of memory is measured on memory that there is."""

import os
from pathlib import Path

import numpy as np
import pytest
from benchmarks.limits import Memory
from benchmarks.workloads.workload import Workload

READ = 64 << 20


def resident() -> int:
    """Bytes of this process that have pages of their own."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_read_was_written(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """Pages that nobody wrote are one page of zeros, which comes from the first cache."""
    monkeypatch.setenv("STEPWELL_THREADS", str(threads))
    memory = Memory()
    before = resident()
    unwritten = np.empty(READ // 4, np.float32)
    call = memory.prepare(Workload("reading", "rows", max, (), written=64), {}, (unwritten,))
    assert resident() - before > 0.9 * READ
    call()
