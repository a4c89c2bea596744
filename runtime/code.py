"""Machine code in memory: an object's sections placed, patched, and made executable.

Instructions, constants and variables lie on pages of their own: none is writable and executable.
"""

import ctypes
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, final

from stepwell.runtime import elf, system
from stepwell.runtime.errors import LoadError

LARGEST: Final = 2**31 - 1
"""Bytes that an object may fill: a 32-bit displacement reaches all of it."""


class Segment(NamedTuple):
    """Whole pages of the image that have one access."""

    start: int
    stop: int
    access: int


@final
@dataclass(frozen=True)
class Layout:
    """Places in bytes from the image's start: of sections, and of the slots of symbols' addresses.

    Position-independent code reads the address of a symbol that might be elsewhere from a slot
    (ELF's "global offset table").
    """

    sections: dict[int, int]
    slots: dict[int, int]
    segments: list[Segment]

    @property
    def size(self) -> int:
        """Bytes of the whole image."""
        return self.segments[-1].stop


@final
@dataclass(frozen=True)
class Code:
    """Loaded code: addresses of its global symbols, valid as long as this object is referenced."""

    name: str
    symbols: Mapping[str, int]
    memory: system.Memory

    def address(self, symbol: str) -> int:
        """Where a symbol lies; LoadError SW0311 if the code does not define it."""
        if symbol not in self.symbols:
            raise LoadError("SW0311", f"{self.name} does not define {symbol}")
        return self.symbols[symbol]

    def numbers(self, symbol: str, count: int) -> tuple[int, ...]:
        """The 64-bit integers at a symbol (LoadError SW0310, SW0311)."""
        start = self.address(symbol) - self.memory.address
        if not 0 <= start <= self.memory.size - 8 * count:
            raise elf.refusal(self.name, f"{symbol} is not in it")
        return struct.unpack_from(f"<{count}q", self.memory.view, start)


def load(data: bytes | memoryview, name: str) -> Code:
    """Loads a relocatable ELF object for this processor; `name` stands for it in errors."""
    try:
        source = elf.parse(data, name, system.architecture())
        layout = arrange(source)
        memory = system.Memory(layout.size)
        symbols = link(source, layout, memory.view, memory.address)
    except elf.DAMAGE:
        raise elf.refusal(name, "its tables are damaged") from None
    for start, stop, access in layout.segments:
        memory.protect(start, stop, access)
    return Code(name, symbols, memory)


def names(address: int) -> list[str]:
    """The texts at an address: each is ended by a NUL, and the last one is empty."""
    found: list[str] = []
    while text := ctypes.string_at(address):
        found.append(text.decode())
        address += len(text) + 1
    return found


def arrange(source: elf.Object) -> Layout:
    """Places the loaded sections: instructions, then constants and slots, then variables."""
    places: dict[int, int] = {}
    slots: dict[int, int] = {}
    segments: list[Segment] = []
    end = 0
    for access in (system.EXECUTE, system.READ, system.WRITE):
        start = end
        for index, section in enumerate(source.sections):
            if section.loaded and _access(section) == access:
                places[index] = _up(end, section.align)
                end = places[index] + section.size
        if access == system.READ:
            read = {each.symbol for each in source.relocations if source.kinds[each.kind].slot}
            for symbol in sorted(read):
                slots[symbol] = _up(end, 8)
                end = slots[symbol] + 8
        end = _up(end, system.PAGE)
        segments.append(Segment(start, end, access))
    if end > LARGEST:
        raise elf.refusal(source.name, "it fills more than 2 GiB")
    return Layout(places, slots, segments)


def link(source: elf.Object, layout: Layout, image: memoryview, base: int) -> dict[str, int]:
    """Fills `image`, which will run at address `base`; answers the global symbols' addresses."""
    for index, place in layout.sections.items():
        section = source.sections[index]
        if section.kind != elf.NOBITS:
            image[place : place + section.size] = elf.content(source.data, section)
    addresses = [_address(symbol, layout, base) for symbol in source.symbols]
    for symbol, slot in layout.slots.items():
        struct.pack_into("<Q", image, slot, addresses[symbol])
    for section, offset, kind, symbol, addend in source.relocations:
        place = layout.sections[section] + offset
        patch = source.kinds[kind]
        target = base + layout.slots[symbol] if patch.slot else addresses[symbol]
        try:
            patch.write(image, place, patch.value(target + addend, base + place))
        except OverflowError:
            raise elf.refusal(source.name, f"a relocation of kind {kind} is out of reach") from None
    named = zip(source.symbols, addresses, strict=True)
    return {symbol.name: address for symbol, address in named if symbol.binding != elf.LOCAL}


def _address(symbol: elf.Symbol, layout: Layout, base: int) -> int:
    """The address of a symbol; 0 for names of files and of sections that are not loaded."""
    if symbol.section == elf.ABSOLUTE:
        return symbol.value
    place = layout.sections.get(symbol.section)
    return 0 if place is None else base + place + symbol.value


def _access(section: elf.Section) -> int:
    if section.flags & elf.EXECUTE:
        return system.EXECUTE
    return system.WRITE if section.flags & elf.WRITE else system.READ


def _up(offset: int, align: int) -> int:
    """The next multiple of `align`, a power of two up to a page, from `offset` on."""
    if align > system.PAGE:
        raise ValueError(align)
    return -(-offset // max(align, 1)) * max(align, 1)
