"""The threads of a block: where each stands, and how they fall into warps."""

from typing import TypeAlias, final

import numpy as np

from emulator.types import Array

WARP = 32
Extent: TypeAlias = tuple[int, int, int]


@final
class Threads:
    """All threads of one block after another; `block` moves over the grid."""

    def __init__(self, grid: Extent, shape: Extent) -> None:
        self.grid, self.shape = grid, shape
        self.block: Extent = (0, 0, 0)
        self.count = shape[0] * shape[1] * shape[2]
        self.index = np.arange(self.count, dtype=np.uint32)
        self.lane = self.index % WARP
        self.warp = self.index // WARP
        self.warps = -(-self.count // WARP)
        self.everyone = np.ones(self.count, np.bool_)

    @property
    def blocks(self) -> int:
        return self.grid[0] * self.grid[1] * self.grid[2]

    @property
    def number(self) -> int:
        """The number of the block in the grid."""
        x, y, z = self.block
        return x + self.grid[0] * (y + self.grid[1] * z)

    def block_at(self, number: int) -> Extent:
        """The block with a number."""
        x, y, _ = self.grid
        return number % x, number // x % y, number // (x * y)

    def coordinates(self) -> tuple[Array, Array, Array]:
        x, y, _ = self.shape
        return self.index % x, self.index // x % y, self.index // (x * y)

    def name(self, thread: int) -> str:
        return f"thread {self.position(thread)} of block {self.block}"

    def position(self, thread: int) -> Extent:
        x, y, _ = self.shape
        thread = int(thread)
        return thread % x, thread // x % y, thread // (x * y)

    def bits(self, lanes: Array) -> Array:
        """For each warp, a word with a bit for each of its lanes that is among `lanes`."""
        padded = np.zeros(self.warps * WARP, np.bool_)
        padded[: self.count] = lanes
        return np.packbits(padded, bitorder="little").view(np.uint32)

    def of_warp(self, per_warp: Array) -> Array:
        """What each thread's warp has."""
        return per_warp[self.warp]


def first(lanes: Array) -> int:
    """The first thread among `lanes`."""
    return int(np.flatnonzero(lanes)[0])
