"""The process of one variant: it takes lines of JSON, and answers each with another one.

* `{"prepare": workload, "exact": file, "written": bytes}`: `seconds` until the first call has
  ended, the answer's `error`, the least time of a call, and notes; or what is `missing`.
* `{"sample": times}`: the seconds of one call, of so many in a row behind some that are not timed.
* `{"release": true}`: forgets the workload.
* `{"exact": workload, "file": file}`: computes in f64, and says how many bytes it has in f32.
"""

import dataclasses
import gc
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.peer import Call, Peer, UnsupportedError
from benchmarks.variants import VARIANTS
from benchmarks.workloads import named
from benchmarks.workloads.workload import Workload

Message = Mapping[str, Any]
LOSSES = 3
"""Steps of training whose losses are checked: the later ones tell of the weights."""
SLOW = 0.05
"""Seconds of a call that caches of another process's data do not matter to."""
SETTLING = 0.01
"""Seconds of calls until a process that was stopped has its data back in the caches, and its
threads are on processors of their own again: the system may wake them all on one."""


@final
class Worker:
    """Holds the workload that was prepared last."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._call: Call | None = None
        self._slow = False

    def answer(self, message: Message) -> Message:
        if "prepare" in message:
            return self._prepare(message)
        if "sample" in message:
            return {"seconds": self._sample(message["sample"])}
        if "exact" in message:
            return self._exact(message)
        self._call = None
        gc.collect()
        return {}

    def _prepare(self, message: Message) -> Message:
        workload = dataclasses.replace(named(message["prepare"]), written=message["written"])
        weights, inputs = workload.drawn()
        begin = time.perf_counter()
        try:
            call = self._peer.prepare(workload, weights, inputs)
            result = call()
        except UnsupportedError as error:
            return {"missing": str(error)}
        seconds = time.perf_counter() - begin
        error = None
        if message["exact"] is not None:
            answers = answered(self._peer, workload, call, result)
            with np.load(message["exact"]) as exact:
                error = difference(workload, answers, list(exact.values()))
        self._call = call
        least = self._time(1)
        if least < SLOW:
            least = min(least, self._time(1))
        self._slow = least > SLOW
        return {"seconds": seconds, "error": error, "least": least, "notes": self._peer.notes()}

    def _sample(self, times: int) -> float:
        if not self._slow:
            self._settle()
        return self._time(times)

    def _settle(self) -> None:
        settled = time.perf_counter() + SETTLING
        self._time(1)
        while time.perf_counter() < settled:
            self._time(1)

    def _time(self, times: int) -> float:
        call = self._call
        assert call is not None
        begin = time.perf_counter()
        for _ in range(times):
            call()
        return (time.perf_counter() - begin) / times

    def _exact(self, message: Message) -> Message:
        workload = named(message["exact"])
        weights, inputs = workload.drawn()
        exact = exactly(self._peer, workload, weights, inputs)
        np.savez(message["file"], *exact)
        trained = sum(each.nbytes for each in weights.values()) if workload.training else 0
        return {"written": sum(each.size * 4 for each in exact) + trained}


def exactly(
    peer: Peer,
    workload: Workload,
    weights: Mapping[str, NDArray[Any]],
    inputs: Sequence[NDArray[Any]],
) -> list[NDArray[Any]]:
    """The answers of a peer that computes in the dtypes that it gets, in f64."""
    wide = {name: _in_f64(each) for name, each in weights.items()}
    call = peer.prepare(workload, wide, [_in_f64(each) for each in inputs])
    return answered(peer, workload, call, call())


def answered(peer: Peer, workload: Workload, call: Call, first: object) -> list[NDArray[Any]]:
    """What is checked: an answer, or some losses."""
    answers = peer.arrays(first)
    if workload.training:
        answers = answers[:1] + [peer.arrays(call())[0] for _ in range(LOSSES - 1)]
    return answers


def difference(
    workload: Workload, answers: Sequence[NDArray[Any]], exact: Sequence[NDArray[Any]]
) -> float:
    """The greatest error, or the mean one where there are outliers, as a part of the greatest
    element. Raises ArithmeticError where it is more than the workload allows."""
    shapes, wanted = [each.shape for each in answers], [each.shape for each in exact]
    if shapes != wanted:
        raise ArithmeticError(f"the answer has the shapes {shapes} and not {wanted}")
    measure = np.mean if workload.outliers else np.max
    pairs = zip(answers, exact, strict=True)
    error = max(float(measure(np.abs(x - y)) / np.max(np.abs(y))) for x, y in pairs)
    if not error <= workload.error:
        raise ArithmeticError(f"the answer is wrong by {error:.1e}")
    return error


def _in_f64(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float64) if array.dtype == np.float32 else array


def main(name: str) -> None:
    """What peers print is kept apart from the answers."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    (variant,) = (each for each in VARIANTS if each.name == name)
    worker = Worker(variant.load()())
    gc.disable()
    print("{}", file=answers)
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:
            text = str(error).strip() or "no message"
            answer = {"failed": f"{type(error).__name__}: {text.splitlines()[0]}"}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main(sys.argv[1])
