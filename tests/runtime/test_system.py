"""The system: the processor's features under LLVM's names, and pages with one access."""

import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

from stepwell.runtime import system

HUGE = Path("/sys/kernel/mm/transparent_hugepage")

XEON = """processor\t: 0
flags\t\t: fpu pni ssse3 sse4_1 sse4_2 abm bmi1 avx2 avx512f avx512_vnni avx512_bf16 avx_vnni
bugs\t\t: spectre_v1

processor\t: 1
flags\t\t: fpu
"""
ALTRA = """processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd aes crc32 atomics fphp asimdhp asimddp
"""


@pytest.fixture
def features(monkeypatch, tmp_path):
    """The features that a processor with some /proc/cpuinfo has."""

    def features(text, architecture):
        path = tmp_path / "cpuinfo"
        path.write_text(text)
        monkeypatch.setattr(system, "CPUINFO", path)
        monkeypatch.setattr(system, "architecture", lambda: architecture)
        system.cpu_features.cache_clear()
        return system.cpu_features()

    yield features
    system.cpu_features.cache_clear()


def test_features_have_llvms_names(features):
    assert features(XEON, "x86_64") == {
        *("fpu", "sse3", "ssse3", "sse4.1", "sse4.2", "lzcnt", "bmi", "avx2"),
        *("avx512f", "avx512vnni", "avx512bf16", "avxvnni"),
    }
    assert features(ALTRA, "aarch64") == {
        *("fp-armv8", "neon", "aes", "crc", "lse", "fphp", "fullfp16", "dotprod"),
    }
    assert features("model name: unknown\n", "x86_64") == frozenset()


def test_features_agree_with_llvm_about_this_processor():
    known = {name for name, present in llvm.get_host_cpu_features().items() if present}
    unknown = {name for name, present in llvm.get_host_cpu_features().items() if not present}
    found = system.cpu_features()
    assert not found & unknown
    relevant = {name for name in known if name.startswith(("avx512", "sse", "fma", "bmi", "neon"))}
    assert relevant <= found


def test_memory_is_zeroed_aligned_and_as_large_as_asked_for():
    for size in (0, 1, 4096, 3 * system.HUGE_PAGE + 1):
        memory = system.Memory(size)
        assert memory.address % 64 == 0
        assert memory.size >= size
        assert len(memory.view) == memory.size
        assert not np.frombuffer(memory.view, np.uint8).any()


def test_addresses_are_those_of_the_process():
    labs, absolute = system.addresses(["labs", "abs"])
    assert labs != absolute
    assert system.addresses([]) == []


FORK = """
import os, threading, time
from stepwell.runtime import system

lock, taken, released = system.fork_safe_lock(), threading.Event(), []

def hold():
    with lock:
        taken.set()
        time.sleep(0.2)
        released.append(True)

threading.Thread(target=hold).start()
taken.wait()
child = os.fork()
with lock:
    if child == 0:
        os._exit(0 if released else 1)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_fork_waits_for_a_lock():
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)


@pytest.mark.skipif(not HUGE.exists(), reason="this system has no transparent huge pages")
@pytest.mark.parametrize(("size", "asked"), [(system.HUGE_PAGE, True), (system.PAGE, False)])
def test_large_memory_asks_for_huge_pages(size, asked):
    memory = system.Memory(size)
    mapped, flags = None, {}
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split()
        if first == "VmFlags:":
            flags[mapped] = rest
        elif not first.endswith(":"):
            mapped = range(*(int(each, 16) for each in first.split("-")))
    (found,) = (flags[each] for each in flags if memory.address in each)
    assert ("hg" in found) == asked
