"""What numerics that are `fast` are for: convolutions with small kernels, and long arithmetic.

Peers have nothing to choose. Numba's programs have fast arithmetic in any case, and libraries for
convolutions take Winograd's filters where they think that it pays.
"""

import dataclasses
from collections.abc import Iterator

from benchmarks.workloads import loops, networks
from benchmarks.workloads.workload import Workload


def workloads() -> Iterator[Workload]:
    for layer in dict.fromkeys(networks.layers(224)):
        if layer.size == 3 and layer.stride == 1:
            yield relaxed(networks.convolution(layer))
    yield relaxed(loops.bodies(loops.BODIES))
    yield relaxed(loops.options(loops.OPTIONS))


def relaxed(workload: Workload) -> Workload:
    """The workload, where its results need not have the bits that its ops define."""
    name = f"{workload.name}, fast"
    return dataclasses.replace(workload, name=name, group="fast", numerics="fast")
