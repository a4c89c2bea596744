"""What is compared: times, peers' times, and times that no program could do without."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.variants import OURS

Found = Mapping[str, Any]
"""What is known of a measurement, as JSON has it."""
MEDIANS, LEAST = "seconds", "least"
"""Of the rounds: where nothing else runs on the machine they are alike."""


def fastest(speed: Found, of: str = MEDIANS) -> tuple[str, float] | None:
    """The peer that took the least time."""
    peers = {name: taken for name, taken in speed[of].items() if name != OURS}
    if not peers:
        return None
    name = min(peers, key=lambda name: peers[name])
    return name, peers[name]


def ratio(speed: Found, of: str = MEDIANS) -> float | None:
    """How many times as long as Stepwell the fastest peer takes."""
    best, ours = fastest(speed, of), speed[of].get(OURS)
    return best[1] / ours if best and ours else None


def of_the_limit(speed: Found) -> float | None:
    """The part of Stepwell's time that no program could do without."""
    ours = speed["seconds"].get(OURS)
    return max(speed["limits"].values()) / ours if ours and speed["limits"] else None


def geometric_mean(numbers: Sequence[float]) -> float:
    return statistics.geometric_mean(numbers)
