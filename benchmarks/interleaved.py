"""Interleaved measurement: candidates take turns, so that what disturbs one disturbs them all."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping

ROUNDS = 20
SAMPLE = 1e-3
"""Seconds that a sample lasts at least; a call that is shorter is repeated within it."""
BUDGET = 0.5
"""Seconds in which a candidate may have more rounds, if it is quick."""

Call = Callable[[], object]


def medians(candidates: Mapping[str, Call]) -> dict[str, float]:
    """Seconds of one call of each candidate: the median of at least 20 rounds."""
    return {name: statistics.median(taken) for name, taken in samples(candidates).items()}


def samples(candidates: Mapping[str, Call]) -> dict[str, list[float]]:
    """Seconds of one call of each candidate, round by round."""
    repeats = {name: _repeats(call) for name, call in candidates.items()}
    found: dict[str, list[float]] = {name: [] for name in candidates}
    end = time.perf_counter() + BUDGET * len(candidates)
    gc.disable()
    while len(next(iter(found.values()))) < ROUNDS or time.perf_counter() < end:
        for name, call in candidates.items():
            found[name].append(_sample(call, repeats[name]))
    gc.enable()
    return found


def _repeats(call: Call) -> int:
    """How often a sample calls, found when the call is warm."""
    call()
    once = min(_sample(call, 1) for _ in range(3))
    return max(1, round(SAMPLE / once))


def _sample(call: Call, repeats: int) -> float:
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - begin) / repeats
