"""How long the compiler takes in a process that has compiled nothing: prints lines of JSON.

    python -m benchmarks.cold [part of a name]

Every measurement is made in a fork of a process that has imported all modules, and nothing else.
"""

import dataclasses
import gc
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

import stepwell as sw
from benchmarks.interleaved import ROUNDS
from benchmarks.workloads import ten_ops
from examples import digits
from examples.resnet50 import resnet50
from stepwell import numpy as snp

Compile = Callable[[], object]


def programs() -> Mapping[str, Compile]:
    """What is compiled, from Python functions and weights to code in memory."""
    square = sw.spec("f32[1024, 1024]")
    images, labels = np.zeros((64, 8, 8, 1), np.float32), np.zeros(64, np.int64)
    model, net = digits.network(seed=0), resnet50(seed=0)
    state = digits.OPTIMIZER.init(model)

    return {
        "10 ops": lambda: sw.compile(lambda x, y: ten_ops(snp, x, y), square, square),
        "digits": lambda: sw.compile(lambda x: model(x), sw.spec("f32[B: 1.., 8, 8, 1]")),
        "digits, a step of training": lambda: digits.train_step(model, state, images, labels),
        "ResNet-50": lambda: sw.compile(lambda x: net(x), sw.spec("f32[1, 224, 224, 3]")),
    }


@dataclass(frozen=True)
class Cold:
    """Medians in seconds: of the first program of a process, and of the same one once more."""

    name: str
    first: float
    again: float
    runs: int


def measured(chosen: Mapping[str, Compile]) -> list[Cold]:
    """All programs, in turn."""
    gc.collect()
    gc.freeze()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in chosen}
    for _ in range(ROUNDS):
        for name, compile in chosen.items():
            taken[name].append(_in_a_fork(compile))
    return [
        Cold(name, *map(statistics.median, zip(*pairs, strict=True)), runs=len(pairs))
        for name, pairs in taken.items()
    ]


def _in_a_fork(compile: Compile) -> tuple[float, float]:
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    child = fork.Process(target=_time, args=(compile, there))
    child.start()
    found: tuple[float, float] = here.recv()
    child.join()
    return found


def _time(compile: Compile, answer: Connection) -> None:
    times = [time.perf_counter()]
    for _ in range(2):
        compile()
        times.append(time.perf_counter())
    answer.send((times[1] - times[0], times[2] - times[1]))


def main(part: str = "") -> None:
    for each in measured({name: made for name, made in programs().items() if part in name}):
        print(json.dumps(dataclasses.asdict(each)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
