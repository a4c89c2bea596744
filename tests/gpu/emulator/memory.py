"""Memory as bytes that know whether they were written: buffers, and the heap that they are in."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from emulator.errors import LaunchError
from emulator.types import Array, DType

OUTSIDE, UNWRITTEN, COMING, WRITTEN = 0b00, 0b01, 0b10, 0b11
"""What a byte is: no memory at all, never written, the target of a copy under way, written. The low
bit is set where it may be written, both where it may be read."""

WINDOW = 32
"""Each region has 2**32 addresses to itself, so that no stray index lands in another one."""

WINDOWS: Mapping[str, int] = {"shared": 1, "local": 2, "param": 3}
CALLS = 4
"""The windows of generic addresses; the one after the parameters holds those of functions."""

HEAP = 1 << 16
FIRST = 256
"""The first region of the heap, beyond all addresses of the host's, and where in its window it
begins: as aligned as a card's."""


@final
@dataclass(frozen=True)
class Place:
    """A variable in a region."""

    name: str
    start: int
    size: int


@final
class Region:
    """Consecutive bytes; with `lanes`, each thread has that many bytes of its own."""

    def __init__(
        self, name: str, size: int, *, stride: int = 0, base: int = 0, constant: bool = False
    ) -> None:
        self.name = name
        self.size = size
        self.stride = stride
        self.base = base
        self.constant = constant
        self.places: list[Place] = [Place(name, 0, size)]
        padded = -(-max(size, 1) // 16) * 16
        self.data = np.zeros(padded, np.uint8)
        self.states = np.full(padded, OUTSIDE, np.uint8)
        self.states[:size] = UNWRITTEN

    @property
    def limit(self) -> int:
        """The bytes that one thread sees."""
        return self.stride or self.size

    def rows(self, of: Array, dtype: DType, count: int) -> Array:
        """The bytes, or their states, by aligned groups of `count` elements."""
        return of.view(dtype).reshape(-1, count)

    def fill(self, content: bytes, start: int = 0) -> None:
        self.data[start : start + len(content)] = np.frombuffer(content, np.uint8)
        self.states[start : start + len(content)] = WRITTEN

    def place(self, offset: int) -> Place:
        """The variable at, or last before, an offset."""
        before = [each for each in self.places if each.start <= offset]
        return max(before, key=lambda each: each.start) if before else self.places[0]


@final
class Heap:
    """The allocations of a device; as in a card's pool, what was freed last is given out first."""

    def __init__(self) -> None:
        self.regions: dict[int, Region] = {}
        self._next = itertools.count(HEAP)
        self._freed: dict[int, list[int]] = {}
        """Numbers of regions that were freed, by their size."""

    def allocate(self, size: int, name: str = "") -> int:
        if size < 0:
            raise LaunchError(f"{size} bytes cannot be allocated")
        freed = self._freed.get(size)
        number = freed.pop() if freed else next(self._next)
        address = (number << WINDOW) + FIRST
        label = name or f"the buffer at {address:#x}"
        self.regions[number] = Region(label, size, base=FIRST)
        return address

    def free(self, address: int) -> None:
        size = self.region(address, 0).size
        del self.regions[address >> WINDOW]
        self._freed.setdefault(size, []).append(address >> WINDOW)

    def region(self, address: int, size: int) -> Region:
        """The buffer that begins at an address and has `size` bytes at least."""
        region = self.regions.get(address >> WINDOW)
        if region is None or address & ((1 << WINDOW) - 1) != FIRST:
            raise LaunchError(f"no buffer begins at {address:#x}")
        if size > region.size:
            raise LaunchError(f"{region.name} has {region.size} bytes, not {size}")
        return region


def laid_out(region: Region, places: Iterable[Place]) -> Region:
    """A region in which only the bytes of these variables are memory."""
    region.places = list(places)
    region.states[:] = OUTSIDE
    rows = region.states[: region.size].reshape(-1, max(region.limit, 1))
    for place in region.places:
        rows[:, place.start : place.start + place.size] = UNWRITTEN
    return region
