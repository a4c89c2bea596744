"""What the compiler knows of a machine: instruction set, vector registers and caches, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from stepwell.compiler.machines.dots import Dot


@final
@dataclass(frozen=True)
class Machine:
    """A kind of processor for which code is made. Two equal ones get the same bytes.

    `cpu` and `features` are LLVM's names; `features` lists everything that code may use beyond the
    architecture's baseline, so that a loader can refuse a processor that lacks some of it. Sizes
    are in bytes, for one core except `l3`.
    """

    name: str
    architecture: str
    cpu: str
    features: tuple[str, ...]
    vector_bytes: int
    vector_registers: int
    l1: int
    l2: int
    l3: int
    l1_ways: int
    """Places that a line of memory has in the first cache: lines a multiple of `l1 // l1_ways`
    bytes apart share theirs."""
    multiply_adds: int = 2
    """Of whole vectors, that begin in a cycle."""
    streams: int = 4
    """Rows of memory beyond the second cache that are best read side by side."""
    quotient: int = 30
    root: int = 36
    """Thirds of a cycle for which a quotient and a root of a vector of f32 keep the divider; these
    are a Xeon's."""

    @property
    def is_gpu(self) -> bool:
        """Whether kernels run in grids, launched by a program on a CPU."""
        return self.architecture == "nvptx64"

    @property
    def reads_on(self) -> bool:
        """Whether a core brings what follows along a row of memory by itself, as fast as it can: to
        ask for that takes time from it. What lies in rows further apart is then asked for into the
        second cache, since in the first it would take the places of what is read now."""
        return self.streams == 1

    def lanes(self, element_bytes: int) -> int:
        """How many elements a vector register holds."""
        return self.vector_bytes // element_bytes

    def has(self, dot: Dot, bytes: int | None = None) -> bool:
        """Whether there is this instruction, for vectors as wide as the registers, or for tiles of
        so many bytes."""
        wide = (bytes or self.vector_bytes) in dot.intrinsics
        return wide and bool({*self.features} & {*dot.features})

    def runs_on(self, features: Sequence[str]) -> bool:
        """Whether a processor with these features can run the code."""
        return set(self.features) <= set(features)
