"""Accesses of threads to memory: where an address leads, and whether it may."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn, final

import numpy as np

from emulator.errors import AccessError
from emulator.grid_races import GridRaces
from emulator.memory import COMING, HEAP, OUTSIDE, UNWRITTEN, WINDOW, WINDOWS, WRITTEN, Region
from emulator.races import Interval, Kind
from emulator.syntax import Instruction
from emulator.threads import Threads
from emulator.types import UNSIGNED, Array, DType

LOW = (1 << WINDOW) - 1
STATES = {
    (state, size): UNSIGNED[8 * size].type(int.from_bytes(bytes([state]) * size))
    for state in (UNWRITTEN, WRITTEN)
    for size in (1, 2, 4, 8)
}
"""Elements of so many bytes that all have one state."""


@final
@dataclass(frozen=True)
class Span:
    """`size` bytes in one region for each of some threads, by their offsets."""

    instruction: Instruction
    region: Region
    threads: Array
    offsets: Array
    size: int

    def of(self, chosen: Array) -> "Span":
        """Of some of its threads, by their places among them."""
        return replace(self, threads=self.threads[chosen], offsets=self.offsets[chosen])


@final
class Memory:
    """All memory that the threads of a block see."""

    def __init__(
        self, threads: Threads, windows: Mapping[int, Region], heap: Mapping[int, Region]
    ) -> None:
        self.threads = threads
        self.windows = windows
        self.heap = heap
        self.interval = Interval(threads)
        self.races = GridRaces(threads)

    def barrier(self) -> None:
        """What stands before a barrier of all threads is in order with what stands behind it."""
        self.races.add(self.interval.finish())

    def spans(
        self,
        instruction: Instruction,
        addresses: Array,
        threads: Array,
        size: int,
        space: str = "",
        alignment: int = 0,
    ) -> Iterator[Span]:
        """The regions that the addresses of some threads lie in; checks that they may be used."""
        space = space.partition("::")[0]
        if space in WINDOWS:
            addresses = addresses + np.uint64(WINDOWS[space] << WINDOW)
        numbers = addresses >> np.uint64(WINDOW)
        for number in [int(numbers[0])] if (numbers == numbers[0]).all() else np.unique(numbers):
            here = numbers == number
            region = self.windows.get(int(number)) or self.heap.get(int(number))
            if region is None or (space in ("global", "const") and number < HEAP):
                place = int(np.flatnonzero(here)[0])
                thread, address = int(threads[place]), int(addresses[place])
                raise AccessError(
                    f"{instruction}: {self.threads.name(thread)} uses the address {address:#x}, "
                    f"where there is no {space + ' ' if space else ''}memory"
                )
            offsets = (addresses[here] & np.uint64(LOW)).astype(np.int64) - region.base
            found = Span(instruction, region, threads[here], offsets, size)
            self._check(found, (alignment or size) - 1)
            yield self._own(found) if region.stride else found

    def _own(self, span: Span) -> Span:
        """Of memory that each thread has for itself."""
        return replace(span, offsets=span.offsets + span.threads * span.region.stride)

    def _check(self, span: Span, low: int) -> None:
        offsets, size = span.offsets, span.size
        if np.count_nonzero(offsets & low):
            place = int(np.flatnonzero(offsets & low)[0])
            self._refuse(span, place, f"which is not a multiple of {low + 1}")
        outside = (offsets < 0) | (offsets + size > span.region.limit)
        if np.count_nonzero(outside):
            self._refuse(span, int(np.flatnonzero(outside)[0]), "which is outside")

    def _refuse(self, span: Span, place: int, why: str) -> NoReturn:
        region, offset = span.region, int(span.offsets[place])
        if region.stride and offset >= region.stride:
            offset -= int(span.threads[place]) * region.stride
        variable = region.place(offset)
        raise AccessError(
            f"{span.instruction}: {self.threads.name(int(span.threads[place]))} uses {span.size} "
            f"bytes at byte {offset - variable.start} of {variable.name}, {why}: it has "
            f"{variable.size} bytes"
        )

    def read(self, span: Span, dtype: DType, count: int, kind: Kind) -> Array:
        """Rows of `count` elements for each thread."""
        region = span.region
        rows = span.offsets // span.size
        states = region.rows(region.states, dtype, count)[rows]
        if not (states == STATES[WRITTEN, dtype.itemsize]).all():
            self._refuse_state(span, WRITTEN)
        self.note(span, kind)
        return region.rows(region.data, dtype, count)[rows]

    def write(self, span: Span, values: Array, kind: Kind) -> None:
        """Rows of elements, one for each thread."""
        region = span.region
        if region.constant:
            self._refuse(span, 0, "which is constant")
        rows, (_, count), size = span.offsets // span.size, values.shape, values.dtype.itemsize
        states = region.rows(region.states, values.dtype, count)
        usable = STATES[UNWRITTEN, size]
        if not (states[rows] & usable == usable).all():
            self._refuse_state(span, UNWRITTEN)
        states[rows] = STATES[WRITTEN, size]
        region.rows(region.data, values.dtype, count)[rows] = values
        self.note(span, kind)

    def expect(self, span: Span) -> None:
        """A copy is under way to these bytes: nobody may use them until it is waited for."""
        if not (span.region.states[_bytes(span)] & UNWRITTEN).all():
            self._refuse_state(span, UNWRITTEN)
        span.region.states[_bytes(span)] = COMING
        self.note(span, Kind.WRITE)

    def arrive(self, span: Span) -> None:
        """A copy to these bytes is about to be written."""
        span.region.states[_bytes(span)] |= UNWRITTEN

    def note(self, span: Span, kind: Kind) -> None:
        """Remembers an access for the search for races."""
        region = span.region
        if not region.stride and not region.constant:
            self.interval.note(
                region, span.instruction, kind, span.threads, span.offsets, span.size
            )

    def _refuse_state(self, span: Span, needed: int) -> NoReturn:
        """Names the first byte that lacks a bit of the state that is needed."""
        states = span.region.states[_bytes(span)]
        place, part = np.argwhere(states & needed != needed)[0]
        reason = {
            OUTSIDE: "which is outside",
            UNWRITTEN: f"of which byte {part} was never written",
            COMING: "to which a copy is still under way",
        }
        self._refuse(span, int(place), reason[int(states[place, part])])


def _bytes(span: Span) -> Array:
    return span.offsets[:, None] + np.arange(span.size)
