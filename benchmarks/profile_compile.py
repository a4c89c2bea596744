"""Where the time of compiling goes: prints a table of stages and passes, in milliseconds.

    python -m benchmarks.profile_compile [part of a program's name]

Every column is the median of some rounds, each in a process that has imported all modules and
compiled nothing: `cold` without the cache on disk, `warm` from it. What a part calls of another
counts for that one only.
"""

import functools
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from tempfile import TemporaryDirectory

from llvmlite import binding

from benchmarks.cold import PROGRAMS, in_a_process, programs_with
from stepwell import compiled, compiling, targets
from stepwell.compiler import pipeline
from stepwell.compiler.cache import lookup
from stepwell.compiler.cache.folder import PLACE, Folder
from stepwell.compiler.machines.x86 import X86_64_V3
from stepwell.compiler.targets import cpu
from stepwell.compiler.tuning.plans import NONE
from stepwell.runtime import elf

ROUNDS = 5
REST, TOTAL, BUSY = "the rest, such as the collector", "in all", "of which busy"
Times = Mapping[str, float]


def parts() -> Iterator[tuple[str, object, str]]:
    """What is measured: its title, and the attribute that is called for it."""
    yield "this machine", targets, "host"
    yield "trace", compiling, "trace_function"
    yield "structure", lookup, "structure_of"
    yield "key, with the compiler's hash", lookup, "image_key"
    yield "read the entry", Folder, "read"
    yield "image of the entry", lookup, "restored"
    yield "copy of the functions", compiled, "module_of"
    for stage, passes in pipeline.STAGES:
        for kind in dict.fromkeys(map(type, passes(X86_64_V3.name, NONE))):
            yield f"{stage}: {kind.name}", kind, "apply"
    yield "LLVM IR as text", pipeline, "module_text"
    yield "LLVM: checked before", cpu, "refuse_what_is_fatal"
    yield "LLVM: parse", binding, "parse_assembly"
    yield "LLVM: verify", binding.ModuleRef, "verify"
    yield "LLVM: passes", type(binding.create_new_module_pass_manager()), "run"
    yield "LLVM: code", binding.TargetMachine, "emit_object"
    yield "the object is loadable", elf, "parse"


class Clock:
    """The time spent in each part, without that in parts within it."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {title: 0.0 for title, _, _ in parts()}
        self._within = [0.0]
        for title, owner, name in parts():
            setattr(owner, name, self._timed(title, getattr(owner, name)))

    def _timed(self, title: str, function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def call(*arguments: object, **named: object) -> object:
            self._within.append(0.0)
            began = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                taken = time.perf_counter() - began
                self.spent[title] += taken - self._within.pop()
                self._within[-1] += taken

        return call


def measured(name: str, cache: str) -> Times:
    """The times of one compilation, the first of this process."""
    os.environ[PLACE] = cache
    clock, (compile, _) = Clock(), PROGRAMS[name]()
    gc.collect()
    idle, began = time.process_time(), time.perf_counter()
    compile()
    taken, busy = time.perf_counter() - began, time.process_time() - idle
    rest = taken - sum(clock.spent.values())
    return {**clock.spent, REST: rest, TOTAL: taken, BUSY: busy}


def columns(names: Sequence[str], folder: str) -> dict[str, Times]:
    """The medians of each program, cold and warm, which are measured in turn."""
    taken: dict[str, list[Times]] = {}
    for number in range(1 + ROUNDS):
        for name in names:
            for title, cache in ((f"{name}, cold", "off"), (f"{name}, warm", folder)):
                found = in_a_process(measured, name, cache)
                if number:  # the first time fills the cache
                    taken.setdefault(title, []).append(found)
    return {
        title: {part: statistics.median(each[part] for each in times) for part in times[0]}
        for title, times in taken.items()
    }


def table(found: Mapping[str, Times]) -> Iterator[str]:
    """The lines of the table, without the parts that take no time anywhere."""
    titles = list(found)
    for number, title in enumerate(titles, 1):
        yield f"[{number}] {title}"
    yield _row("ms", [f"[{number}]" for number, _ in enumerate(titles, 1)])
    for part in found[titles[0]]:
        times = [found[title][part] * 1e3 for title in titles]
        if max(times) >= 0.05:
            yield _row(part, [f"{each:.1f}" if each >= 0.05 else "" for each in times])


def _row(title: str, cells: Sequence[str]) -> str:
    return f"{title:<32}" + "".join(f"{cell:>9}" for cell in cells)


def main(part: str = "") -> None:
    names = programs_with(part)
    with TemporaryDirectory() as folder:
        print("\n".join(table(columns(names, folder))))


if __name__ == "__main__":
    main(*sys.argv[1:])
