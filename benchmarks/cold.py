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
from examples import digits
from examples.resnet50 import resnet50

import stepwell as sw
from benchmarks.interleaved import ROUNDS
from benchmarks.workloads import ten_ops
from stepwell import numpy as snp

Compile = Callable[[], object]
Times = tuple[float, float, float]


def programs() -> Mapping[str, Compile]:
    """What is compiled, from Python functions and weights to code in memory."""
    square = sw.spec("f32[1024, 1024]")
    images, labels = np.zeros((64, 8, 8, 1), np.float32), np.zeros(64, np.int64)
    model, net = digits.network(seed=0), resnet50(seed=0)
    state = digits.OPTIMIZER.init(model)
    step = digits.train_step.__wrapped__

    return {
        "10 ops": lambda: sw.compile(lambda x, y: ten_ops(snp, x, y), square, square),
        "digits": lambda: sw.compile(lambda x: model(x), sw.spec("f32[B: 1.., 8, 8, 1]")),
        "digits, a step of training": lambda: sw.jit(step)(model, state, images, labels),
        "ResNet-50": lambda: sw.compile(lambda x: net(x), sw.spec("f32[1, 224, 224, 3]")),
    }


@dataclass(frozen=True)
class Cold:
    """Medians in seconds: of the first program of a process, and of the same one once more.

    `processor` is the part of the first in which the process did not wait for a processor.
    """

    name: str
    first: float
    processor: float
    again: float
    runs: int


def measured(chosen: Mapping[str, Compile]) -> list[Cold]:
    """All programs, in turn."""
    gc.collect()
    gc.freeze()
    taken: dict[str, list[Times]] = {name: [] for name in chosen}
    for _ in range(ROUNDS):
        for name, compile in chosen.items():
            taken[name].append(_in_a_fork(compile))
    return [
        Cold(name, *map(statistics.median, zip(*pairs, strict=True)), runs=len(pairs))
        for name, pairs in taken.items()
    ]


def _in_a_fork(compile: Compile) -> Times:
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    child = fork.Process(target=_time, args=(compile, there))
    child.start()
    found: Times = here.recv()
    child.join()
    return found


def _time(compile: Compile, answer: Connection) -> None:
    begin, busy = time.perf_counter(), time.process_time()
    compile()
    middle, first_busy = time.perf_counter(), time.process_time() - busy
    compile()
    answer.send((middle - begin, first_busy, time.perf_counter() - middle))


def main(part: str = "") -> None:
    for each in measured({name: made for name, made in programs().items() if part in name}):
        print(json.dumps(dataclasses.asdict(each)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
