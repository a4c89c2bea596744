"""A peer: a way to run workloads, in a process whose environment has limited its threads."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy
from numpy.typing import NDArray

from benchmarks.workloads.workload import Arrays, Weights, Workload

Call = Callable[[], object]
THREADS = "STEPWELL_THREADS"
"""The environment's variable that says how many threads all peers may use."""


class UnsupportedError(Exception):
    """What this peer has no way to run, in a few words."""


class Peer(ABC):
    """Makes workloads into calls."""

    @abstractmethod
    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        """What is timed: the call alone, on inputs that are where the peer wants them.

        Raises UnsupportedError. Each call of a step of training goes on from the one before.
        """

    def arrays(self, result: Any) -> list[NDArray[Any]]:
        """The result of a call in NumPy's arrays."""
        return [numpy.asarray(each) for each in leaves(result)]

    def notes(self) -> Mapping[str, float]:
        """What there is to say about the workload that was prepared last."""
        return {}


def leaves(result: Any) -> tuple[Any, ...]:
    """A result that is one array or a tuple of them, as a tuple."""
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def threads() -> int:
    return int(os.environ[THREADS])
