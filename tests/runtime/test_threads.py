"""The compiler's pool under the runtime: the same answers at any number of threads, and no harm."""

import os
import subprocess
import sys

import pytest

from stepwell.compiler.targets.host import host
from stepwell.compiler.targets.support import support_object
from stepwell.runtime.artifact import write
from stepwell.runtime.entry import SizeRange
from stepwell.runtime.manifest import Manifest
from stepwell.runtime.sizes import Size

START = """
import os, sys, threading, time
import numpy as np
from stepwell.runtime import load, set_threads, threads
count = load(sys.argv[1])
x = np.zeros(100_003, np.uint8)
def right(n=x.size):
    return np.array_equal(count(x[:n]), np.arange(n))
def running():
    return len(os.listdir("/proc/self/task"))
"""


@pytest.fixture(scope="module")
def path(make, programs, tmp_path_factory):
    """A model count(x: u8[N]) -> i64[N] that is 0, 1, 2, … by a parallel loop."""
    entry = make.entry("count", {"x": "u8[N]"}, {"y": "i64[N]"}, sizes=[SizeRange("N")])
    target = make.target("t", workspace={"count": Size.of(0)}, pool="code/t.pool.o")
    members = {"code/t.o": make.object(programs["count"]), "code/t.pool.o": support_object(host())}
    path = tmp_path_factory.mktemp("threads") / "m.well"
    write(path, Manifest("stepwell test", {"count": entry}, (target,)), members)
    return path


def run(script, path):
    """What a process of its own prints, which must end without harm."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", START + script, path]
    environment = {**os.environ, "STEPWELL_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_answers_do_not_depend_on_the_number_of_threads(path):
    script = """
before = running()
for n in 1, 2, 3, 7:
    set_threads(n)
    print(right(0), right(1), right(), threads(), running() - before)
"""
    assert run(script, path) == "".join(f"True True True {n} {n - 1}\n" for n in (1, 2, 3, 7))


def test_callers_share_the_pool(path):
    script = """
wrong = []
def work(seed):
    for i in range(100):
        if not right((seed + i) * 37):
            wrong.append(seed)
callers = [threading.Thread(target=work, args=(seed,)) for seed in range(5)]
for caller in callers: caller.start()
for n in 3, 1, 2: set_threads(n)
for caller in callers: caller.join()
print(wrong)
"""
    assert run(script, path) == "[]\n"


def test_a_forked_child_starts_threads_of_its_own(path):
    script = """
right()
child = os.fork()
if child == 0:
    os._exit(0 if (right(), running()) == (True, 2) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), right())
"""
    assert run(script, path) == "0 True\n"


def test_idle_threads_use_no_processor(path):
    script = """
right()
time.sleep(0.05)
before = time.process_time()
time.sleep(0.5)
print(time.process_time() - before < 0.005)
"""
    assert run(script, path) == "True\n"
