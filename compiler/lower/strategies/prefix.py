"""The strategy `prefix`: scans in vectors across columns, or as the chains of rows side by side."""

from dataclasses import dataclass
from typing import ClassVar, Self, final

from stepwell.compiler.dialects.loop.nests import KernelOp, ScanOp
from stepwell.compiler.lower.analysis import Analysis
from stepwell.compiler.lower.costs import best_lanes
from stepwell.compiler.lower.strategies.base import Refusal, Strategy
from stepwell.compiler.lower.strategies.map import VECTORS, expand_tiled, tiling_of
from stepwell.compiler.lower.tiling import Tiling
from stepwell.compiler.machines.machine import Machine

CHAINS = 8
"""Rows side by side, since each of their chains waits for its own last sum."""

BLOCK = 64
"""Vectors in the blocks of all the rows side by side, which should stay in the first cache."""


@final
@dataclass(frozen=True)
class Prefix(Strategy):
    """Cumulative ops: as many chains at once as the shape allows, rows shared among threads.

    `bytes` is the width of a vector. Where memory is contiguous across the chains, a tile has
    `vectors` of them, a chain in each lane. Where it is so along the scan, `rows` chains go side by
    side, and what else there is to compute is so in blocks of `vectors` for each row. A task takes
    about `task` microseconds; 0 leaves all to one thread.
    """

    name: ClassVar[str] = "prefix"
    IN_PLACE: ClassVar[bool] = True
    bytes: int = 64
    vectors: int = VECTORS
    rows: int = CHAINS
    task: int = 20

    @classmethod
    def fits(cls, kernel: KernelOp, machine: Machine) -> Refusal | None:
        if any(isinstance(op, ScanOp) for op in kernel.walk()):
            return None
        return Refusal("there are no prefixes")

    @classmethod
    def choose(cls, kernel: KernelOp, machine: Machine) -> Self:
        plan = cls(machine.vector_bytes, machine.vector_registers // 4)
        nests = [nest for nest in map(Analysis, kernel.nests) if nest.scans]
        tilings = [plan.tiling(nest) for nest in nests]
        if any(tiling.lanes is not None for tiling in tilings):
            return plan
        rows = max(tiling.height for tiling in tilings)
        return cls(machine.vector_bytes, BLOCK // rows, rows)

    def expand(self, kernel: KernelOp) -> None:
        expand_tiled(kernel, self.tiling, self.task)

    def tiling(self, nest: Analysis) -> Tiling:
        """The tiles of a nest; without prefixes, those that `map` gives it."""
        axes = nest.axes()
        in_rows = nest.scans and best_lanes(nest, axes, self.bytes) is None
        vectors = self.vectors if nest.scans else VECTORS
        return tiling_of(nest, axes, self.bytes, vectors, self.rows if in_rows else 1)
