"""How long the compiler takes in a process that has compiled nothing: prints lines of JSON.

    python -m benchmarks.cold [part of a name]

Every measurement is made in a fork of a process that has imported all modules, and nothing else.
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
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from examples import digits
from examples.resnet50 import resnet50
from numpy.typing import NDArray

import stepwell as sw
from benchmarks.peers.stepwell import WORDS, compiled
from benchmarks.workloads import named
from benchmarks.workloads.rows import ten_ops

ROUNDS = 5
BERT = "BERT-base, 1 x 128 tokens"

Compile = Callable[[], Callable[..., object]]
Inputs = Sequence[NDArray[Any]]
Times = tuple[float, float, float, float]


def programs() -> Mapping[str, tuple[Compile, Inputs]]:
    """What is compiled, from Python functions and weights to machine code, and what it is called
    with first."""
    square, zeros = sw.spec("f32[1024, 1024]"), np.zeros((1024, 1024), np.float32)
    images, labels = np.zeros((64, 8, 8, 1), np.float32), np.zeros(64, np.int64)
    model, net = digits.network(seed=0), resnet50(seed=0)
    state = digits.OPTIMIZER.init(model)
    step = digits.train_step.__wrapped__

    def ten() -> sw.Compiled:
        return sw.compile(lambda x, y: ten_ops(WORDS, {}, x, y), square, square)

    def inference() -> sw.Compiled:
        return sw.compile(lambda x: model(x), sw.spec("f32[B: 1.., 8, 8, 1]"))

    def training() -> Callable[..., object]:
        jitted = sw.jit(step)
        jitted(model, state, images, labels)
        return jitted

    def residual() -> sw.Compiled:
        return sw.compile(lambda x: net(x), sw.spec("f32[1, 224, 224, 3]"))

    bert = named(BERT)
    drawn, tokens = bert.drawn()
    weights = {name: sw.numpy.asarray(each) for name, each in drawn.items()}
    return {
        "10 ops": (ten, [zeros, zeros]),
        "digits": (inference, [images]),
        "digits, a step of training and its first run": (training, [model, state, images, labels]),
        "ResNet-50": (residual, [np.zeros((1, 224, 224, 3), np.float32)]),
        BERT: (lambda: compiled(bert, weights, tokens), tokens),
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


def measured(chosen: Mapping[str, tuple[Compile, Inputs]]) -> list[Cold]:
    """All programs, in turn."""
    gc.collect()
    gc.freeze()
    taken: dict[str, list[Times]] = {name: [] for name in chosen}
    for _ in range(ROUNDS):
        for name, (compile, inputs) in chosen.items():
            taken[name].append(_in_a_fork(compile, inputs))
    return [
        Cold(name, *map(statistics.median, zip(*times, strict=True)), runs=len(times))
        for name, times in taken.items()
    ]


def _in_a_fork(compile: Compile, inputs: Inputs) -> Times:
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    child = fork.Process(target=_time, args=(compile, inputs, there))
    child.start()
    found: Times = here.recv()
    child.join()
    return found


def _time(compile: Compile, inputs: Inputs, answer: Connection) -> None:
    os.environ["STEPWELL_CACHE"] = "off"
    idle, times = time.process_time(), [time.perf_counter()]
    program = compile()
    times.append(time.perf_counter())
    busy = time.process_time() - idle
    program(*inputs)
    times.append(time.perf_counter())
    compile()
    times.append(time.perf_counter())
    compiling, calling, again = np.diff(times).tolist()
    answer.send((compiling, busy, calling, again))


def main(part: str = "") -> None:
    for each in measured({name: made for name, made in programs().items() if part in name}):
        print(json.dumps(dataclasses.asdict(each)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
