"""Which tiles and tasks suit a matrix product: a model of what a core computes, loads and keeps."""

from collections.abc import Iterator
from dataclasses import dataclass

from stepwell.compiler.machines.machine import Machine

LATENCY = 4
"""Cycles until the result of a fused multiply-add can be used; two may begin in each."""

STREAM = 24
"""Bytes in a cycle from the second cache into the first."""

LANE_TASKS, ROW_TASKS = 16, 8
"""So many tasks let two or more threads end together: rather of lanes, whose operand each task
reads from memory but once, than of rows."""


@dataclass(frozen=True)
class Product:
    """`outer` times the product of a matrix of `m * middle` rows with one of `n` lanes, over `k`.

    A tile spans rows of one `m` only. Each row keeps `kept` elements of the left operand in the
    cache. A vector holds `width` elements of `size` bytes.
    """

    m: int
    n: int
    k: int
    middle: int
    outer: int
    kept: int
    width: int
    size: int

    def tile(self, tallest: int, machine: Machine) -> tuple[int, int]:
        """The rows and vectors of the best tile with at most so many rows."""
        widest = -(-self.n // self.width)
        shapes = tiles(min(self.m, tallest), widest, machine.vector_registers)
        return min(shapes, key=lambda shape: self.cycles(*shape, machine))

    def cycles(self, mr: int, nv: int, machine: Machine) -> float:
        """Cycles for one position of k, over all tiles; a little more for tiles that load more."""
        vectors = -(-self.n // self.width)
        cycles = sum(
            i * j * self._tile_cycles(height, column, machine)
            for i, height in ((self.m // mr, mr), (1, self.m % mr))
            for j, column in ((vectors // nv, nv), (1, vectors % nv))
            if height and column
        )
        return cycles * (1 + (mr + nv) / (mr * nv) / 20)

    def _tile_cycles(self, mr: int, nv: int, machine: Machine) -> float:
        """Two multiply-adds or two loads in a cycle, and no sum again before its last one is there;
        a panel that the first cache does not hold streams into it."""
        panel = nv * self.width * self.size
        streamed = panel if panel * self.k > machine.l1 else 0
        return max(mr * nv / 2, LATENCY, (mr + nv) / 2, streamed / STREAM)

    def task(self, mr: int, nv: int, machine: Machine) -> tuple[int, int]:
        """The rows and lanes of a task: no more rows than the second cache holds, in whole tiles
        or whole `m`, and tasks enough."""
        panel = nv * self.width
        cached = max(mr, machine.l2 // 2 // (max(1, self.kept) * self.size))
        lane_blocks = max(1, min(-(-self.n // panel), -(-LANE_TASKS // self.outer)))
        row_blocks = -(-ROW_TASKS // (lane_blocks * self.outer))
        mc = self._rows(mr, max(mr, min(cached, -(-self.m * self.middle // row_blocks))))
        tasks = -(-self.m * self.middle // mc) * self.outer
        lane_blocks = min(lane_blocks, -(-LANE_TASKS // tasks))
        return mc, -(-self.n // lane_blocks // panel) * panel

    def _rows(self, mr: int, most: int) -> int:
        if self.m > most:
            blocks = -(-self.m // most)
            return -(-self.m // blocks // mr) * mr
        blocks = -(-self.middle // max(1, most // max(1, self.m)))
        return max(1, self.m) * -(-self.middle // blocks)


def tiles(tallest: int, widest: int, registers: int) -> Iterator[tuple[int, int]]:
    """The shapes for which the registers suffice: for the sums, a row of vectors, a scalar."""
    for mr in range(1, max(1, min(tallest, 14)) + 1):
        for nv in range(1, max(1, min(widest, 8)) + 1):
            if mr * nv + nv + 1 <= registers:
                yield mr, nv
