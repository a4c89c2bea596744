"""Interleaved measurement: candidates take turns, so that what disturbs one disturbs them all."""

from collections.abc import Callable, Mapping

SAMPLE = 4e-3
"""Seconds that a sample lasts at least; a call that is shorter is repeated within it."""
MOST, LEAST = 15, 3
"""Rounds."""
FAR = 20
"""A candidate that takes so many times as long as the fastest has no rounds of its own ..."""
LONG = 0.1
"""... if its call takes as many seconds."""

Sample = Callable[[int], float]
"""The seconds of one call, from so many in a row."""


def samples(
    candidates: Mapping[str, Sample], least: Mapping[str, float], budget: float
) -> dict[str, list[float]]:
    """Seconds of one call of each candidate in each round; `least` has a first measure.

    All take turns in as many rounds as fit into a budget of seconds, from 3 to 15. One that is far
    behind keeps its first measure.
    """
    fastest = min(least.values(), default=0.0)
    racing = {name: call for name, call in candidates.items() if not far(least[name], fastest)}
    repeats = {name: max(1, round(SAMPLE / least[name])) for name in racing}
    found = {name: [] if name in racing else [first] for name, first in least.items()}
    for _ in range(rounds(sum(repeats[name] * least[name] for name in racing), budget)):
        for name, sample in racing.items():
            found[name].append(sample(repeats[name]))
    return found


def far(seconds: float, fastest: float) -> bool:
    return seconds > LONG and seconds > FAR * fastest


def rounds(seconds: float, budget: float) -> int:
    """How many rounds of so many seconds fit."""
    return max(LEAST, min(MOST, int(budget / max(seconds, 1e-9))))
