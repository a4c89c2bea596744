"""The peers: each makes a workload into a call that answers in NumPy's arrays."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

import stepwell as sw
from benchmarks.workloads import Arrays, Workload
from stepwell import numpy as snp

Answer = Callable[[], NDArray[Any]]


class Peer(ABC):
    """A way to run workloads. The environment limits its threads before it is imported."""

    name: ClassVar[str]
    limit: ClassVar[str]
    """The environment's variable for the number of threads."""

    @abstractmethod
    def prepare(self, workload: Workload, inputs: Arrays) -> Answer:
        """What is timed: the call alone, on inputs that are where the peer wants them."""


@final
class Stepwell(Peer):
    """The compiled function, called from Python; each result is a new array."""

    name = "Stepwell"
    limit = "STEPWELL_THREADS"

    def prepare(self, workload: Workload, inputs: Arrays) -> Answer:
        program = compiled(workload)
        return lambda: np.asarray(program(*inputs))


@final
class NumPy(Peer):
    """NumPy as its wheel ships it, with OpenBLAS."""

    name = "NumPy"
    limit = "OPENBLAS_NUM_THREADS"

    def prepare(self, workload: Workload, inputs: Arrays) -> Answer:
        return lambda: workload.in_numpy(*inputs)


PEERS: tuple[Peer, ...] = (Stepwell(), NumPy())
"""The first one is compared with the others."""


def compiled(workload: Workload) -> sw.Compiled:
    """The workload's program, for its shapes."""
    specs = [sw.spec(f"f32[{','.join(map(str, shape))}]") for shape in workload.shapes]
    return sw.compile(lambda *arrays: workload.function(snp, *arrays), *specs)


def kernels(workload: Workload) -> int:
    """How many kernels the workload's program has."""
    return compiled(workload).ir("loop").count("loop.kernel @")
