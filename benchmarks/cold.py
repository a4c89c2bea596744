"""How long the compiler takes in a process that has compiled nothing: prints lines of JSON.

    python -m benchmarks.cold [part of a name]

Every measurement is made in a process of its own, which has imported all modules and made the
program's weights. (A fork of such a process would take longer than what users see: whatever it
touches is copied first.)
"""

import dataclasses
import gc
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from examples import digits
from examples.resnet50 import resnet50
from numpy.typing import NDArray

import stepwell as sw
from benchmarks.peers.stepwell import WORDS, compiled
from benchmarks.workloads import named
from benchmarks.workloads.rows import ten_ops
from stepwell.compiler.cache.folder import PLACE

ROUNDS = 5
BERT = "BERT-base, 1 x 128 tokens"

Compile = Callable[[], Callable[..., object]]
Inputs = Sequence[NDArray[Any]]
Times = tuple[float, float, float, float]
T = TypeVar("T")


Made = tuple[Compile, Inputs]
"""What is compiled, from Python functions and weights to machine code, and what it is called with
first."""


def _ten_ops() -> Made:
    square, zeros = sw.spec("f32[1024, 1024]"), np.zeros((1024, 1024), np.float32)
    return lambda: sw.compile(lambda x, y: ten_ops(WORDS, {}, x, y), square, square), [zeros, zeros]


def _digits() -> Made:
    model, images = digits.network(seed=0), np.zeros((64, 8, 8, 1), np.float32)
    return lambda: sw.compile(lambda x: model(x), sw.spec("f32[B: 1.., 8, 8, 1]")), [images]


def _training() -> Made:
    model, step = digits.network(seed=0), digits.train_step.__wrapped__
    images, labels = np.zeros((64, 8, 8, 1), np.float32), np.zeros(64, np.int64)
    inputs = [model, digits.OPTIMIZER.init(model), images, labels]

    def jitted() -> Callable[..., object]:
        made = sw.jit(step)
        made(*inputs)
        return made

    return jitted, inputs


def _residual() -> Made:
    net, image = resnet50(seed=0), np.zeros((1, 224, 224, 3), np.float32)
    return lambda: sw.compile(lambda x: net(x), sw.spec("f32[1, 224, 224, 3]")), [image]


def _bert() -> Made:
    bert = named(BERT)
    drawn, tokens = bert.drawn()
    weights = {name: sw.numpy.asarray(each) for name, each in drawn.items()}
    return lambda: compiled(bert, weights, tokens), tokens


PROGRAMS: Mapping[str, Callable[[], Made]] = {
    "10 ops": _ten_ops,
    "digits": _digits,
    "digits, a step of training and its first run": _training,
    "ResNet-50": _residual,
    BERT: _bert,
}


@dataclass(frozen=True)
class Cold:
    """Medians in seconds: of the first program of a process, of the part of it in which the
    processor was busy, of its first call, and of compiling it once more."""

    name: str
    compiling: float
    busy: float
    calling: float
    again: float
    runs: int


def measured(names: Sequence[str]) -> list[Cold]:
    """All programs, in turn."""
    taken: dict[str, list[Times]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            taken[name].append(in_a_process(_time, name))
    return [
        Cold(name, *map(statistics.median, zip(*times, strict=True)), runs=len(times))
        for name, times in taken.items()
    ]


def in_a_process(measure: Callable[..., T], *arguments: object) -> T:
    """What a function gives in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(measure, arguments)


def _time(name: str) -> Times:
    os.environ[PLACE] = "off"
    compile, inputs = PROGRAMS[name]()
    gc.collect()
    idle, times = time.process_time(), [time.perf_counter()]
    program = compile()
    times.append(time.perf_counter())
    busy = time.process_time() - idle
    program(*inputs)
    times.append(time.perf_counter())
    compile()
    times.append(time.perf_counter())
    compiling, calling, again = np.diff(times).tolist()
    return compiling, busy, calling, again


def programs_with(part: str) -> list[str]:
    """Those whose name holds this; ends the process if none does."""
    found = [name for name in PROGRAMS if part in name]
    if not found:
        sys.exit(f"no program's name holds {part!r}: there are {', '.join(PROGRAMS)}")
    return found


def main(part: str = "") -> None:
    for each in measured(programs_with(part)):
        print(json.dumps(dataclasses.asdict(each)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
