"""The pool: one for the process, made by the machine code that the first model brings."""

import os
import subprocess
import sys
import textwrap

import pytest

from stepwell.runtime import pool, set_threads, system, threads
from stepwell.runtime.artifact import write
from stepwell.runtime.entry import SizeRange
from stepwell.runtime.errors import CallError, LoadError
from stepwell.runtime.manifest import Manifest
from stepwell.runtime.sizes import Size


@pytest.fixture(autouse=True)
def _no_pool_yet(monkeypatch):
    """Whatever other tests have compiled and set before."""
    monkeypatch.setattr(pool, "_process", type(pool._process)())


# A pool without threads: it does a loop in two ranges, and counts loops and threads where
# `labs` of its table's second function says that the table is right.
POOL = """
@stepwell_pool_imports = constant [13 x i8] c"getpid\\00labs\\00\\00"
@state = internal global [2 x i64] zeroinitializer, align 8
define ptr @stepwell_pool_create(ptr %table, i32 %threads) nounwind {
  %lp = getelementptr ptr, ptr %table, i64 1
  %labs = load ptr, ptr %lp
  %n = sext i32 %threads to i64
  %minus = sub i64 0, %n
  %count = call i64 %labs(i64 %minus)
  store i64 %count, ptr @state
  ret ptr @state
}
define void @stepwell_pool_resize(ptr %pool, i32 %threads) nounwind {
  %n = sext i32 %threads to i64
  store i64 %n, ptr %pool
  ret void
}
define void @stepwell_parallel_for(ptr %pool, ptr %task, ptr %args, i64 %n) nounwind {
  %half = sdiv i64 %n, 2
  call void %task(ptr %args, i64 %half, i64 %n)
  call void %task(ptr %args, i64 0, i64 %half)
  %cp = getelementptr i64, ptr %pool, i64 1
  %c = load i64, ptr %cp
  %c1 = add i64 %c, 1
  store i64 %c1, ptr %cp
  ret void
}
"""


def count_file(make, programs, path, with_pool):
    """A model count(x: u8[N]) -> i64[N] that is 0, 1, 2, … by a parallel loop."""
    entry = make.entry("count", {"x": "u8[N]"}, {"y": "i64[N]"}, sizes=[SizeRange("N")])
    name = "code/t.pool.o" if with_pool else None
    target = make.target("t", workspace={"count": Size.of(0)}, pool=name)
    members = {"code/t.o": make.object(programs["count"])}
    if with_pool:
        members["code/t.pool.o"] = make.object(POOL)
    write(path, Manifest("stepwell test", {"count": entry}, (target,)), members)
    return path


def run(script, *arguments, **environment):
    """What a script prints in a process of its own, which has no pool yet."""
    start = """
        import ctypes, os, sys
        import numpy as np
        from stepwell.runtime import load, pool, set_threads, threads
        def state():
            return list((ctypes.c_int64 * 2).from_address(pool.parallel_for()[1]))
        def right(n):
            return np.array_equal(load(sys.argv[1])(np.zeros(n, np.uint8)), np.arange(n))
    """
    text = textwrap.dedent(start) + textwrap.dedent(script)
    command = [sys.executable, "-c", text, *map(str, arguments)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loops_run_without_a_pool(make, programs, tmp_path):
    path = count_file(make, programs, tmp_path / "m.well", with_pool=False)
    assert run("print(right(0), right(1), right(1000), pool.parallel_for()[1])", path) == (
        "True True True 0\n"
    )


def test_the_first_pool_serves_all_models(make, programs, tmp_path):
    path = count_file(make, programs, tmp_path / "m.well", with_pool=True)
    other = count_file(make, programs, tmp_path / "n.well", with_pool=False)
    script = """
        print(right(1000), state())
        sys.argv[1] = sys.argv[2]
        print(right(10), state())
        set_threads(5)
        print(threads(), state())
    """
    found = run(script, path, other, STEPWELL_THREADS="3")
    assert found == "True [3, 1]\nTrue [3, 2]\n5 [5, 2]\n"


def test_threads_that_were_set_before_are_used(make, programs, tmp_path):
    path = count_file(make, programs, tmp_path / "m.well", with_pool=True)
    assert run("set_threads(7); print(right(10), state())", path) == "True [7, 1]\n"


def test_a_pool_outlives_its_model_and_a_fork(make, programs, tmp_path):
    path = count_file(make, programs, tmp_path / "m.well", with_pool=True)
    script = """
        import gc
        from stepwell.runtime.pool import _process
        with load(sys.argv[1]) as model:
            model(np.zeros(4, np.uint8))
        del model
        gc.collect()
        _process.lock.acquire()  # another thread of the parent might hold it
        child = os.fork()
        if child == 0:
            set_threads(2)
            os._exit(0 if right(100) and state() == [2, 2] else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert run(script, path) == "0\n"


def test_a_pool_that_lacks_a_function_is_refused(make, programs):
    with pytest.raises(LoadError) as caught:
        pool.provide(make.object(programs["count"]), "m.well: code/t.pool.o")
    assert str(caught.value) == (
        "SW0311: m.well: code/t.pool.o does not define stepwell_pool_imports"
    )


@pytest.mark.parametrize("count", [0, -1, 1025])
def test_a_wrong_number_of_threads_is_refused(count):
    with pytest.raises(CallError) as caught:
        set_threads(count)
    assert str(caught.value) == f"SW0415: set_threads: expected 1 to 1024 threads, got {count}"


@pytest.mark.parametrize("text", ["", "two", "0", "-1", "1025", "1.5"])
def test_a_wrong_environment_variable_is_refused(monkeypatch, text):
    monkeypatch.setenv("STEPWELL_THREADS", text)
    with pytest.raises(CallError) as caught:
        threads()
    assert str(caught.value) == f"SW0415: STEPWELL_THREADS: expected 1 to 1024 threads, got {text}"


def test_the_default_is_what_the_process_may_use(monkeypatch, tmp_path):
    monkeypatch.delenv("STEPWELL_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)))
    monkeypatch.setattr(system, "QUOTA", tmp_path / "cpu.max")
    assert threads() == 12
    for text, expected in [("max 100000\n", 12), ("250000 100000\n", 3), ("10000 100000\n", 1)]:
        system.QUOTA.write_text(text)
        assert threads() == expected
