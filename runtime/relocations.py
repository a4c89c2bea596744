"""The relocation kinds of x86-64 and aarch64 objects, as tables: what is computed, where it goes.

The value is made of T, the target's address plus the addend (or the address of a slot that holds
the target's address, for kinds with `slot`), and P, the address of the place that is patched.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, final

Value: TypeAlias = Callable[[int, int], int]
Write: TypeAlias = Callable[[memoryview, int, int], None]


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """`value(T, P)` is put into memory by `write(memory, offset, value)`, or OverflowError."""

    value: Value
    write: Write
    slot: bool = False


def absolute(target: int, place: int) -> int:
    """The target itself."""
    return target


def relative(target: int, place: int) -> int:
    """The way from the place to the target."""
    return target - place


def page(target: int, place: int) -> int:
    """The way from the place's page of 4 KiB to the target's."""
    return (target & ~0xFFF) - (place & ~0xFFF)


def in_page(target: int, place: int) -> int:
    """The target's offset in its page of 4 KiB."""
    return target & 0xFFF


def number(form: str) -> Write:
    """Writes a little-endian number of `struct`'s format `form`."""

    def write(memory: memoryview, offset: int, value: int) -> None:
        try:
            struct.pack_into(form, memory, offset, value)
        except struct.error:
            raise OverflowError(value) from None

    return write


def bits(low: int, width: int, shift: int, *, signed: bool = True) -> Write:
    """Writes `value >> shift` into `width` bits of a 32-bit instruction, from bit `low` up."""
    smallest = -1 << (width - 1) if signed else 0

    def write(memory: memoryview, offset: int, value: int) -> None:
        scaled = value >> shift
        if scaled << shift != value or not smallest <= scaled < smallest + (1 << width):
            raise OverflowError(value)
        (instruction,) = struct.unpack_from("<I", memory, offset)
        mask = (1 << width) - 1
        instruction = instruction & ~(mask << low) | (scaled & mask) << low
        struct.pack_into("<I", memory, offset, instruction)

    return write


def split_page(memory: memoryview, offset: int, value: int) -> None:
    """Writes ADRP's page count: 19 high bits from bit 5 up, 2 low bits from bit 29 up."""
    bits(5, 19, 14)(memory, offset, value & ~0x3FFF)
    bits(29, 2, 12, signed=False)(memory, offset, value & 0x3FFF)


X86_64: Final = {
    1: Kind(absolute, number("<Q")),  # R_X86_64_64
    2: Kind(relative, number("<i")),  # R_X86_64_PC32
    4: Kind(relative, number("<i")),  # R_X86_64_PLT32
    9: Kind(relative, number("<i"), slot=True),  # R_X86_64_GOTPCREL
    10: Kind(absolute, number("<I")),  # R_X86_64_32
    11: Kind(absolute, number("<i")),  # R_X86_64_32S
    24: Kind(relative, number("<q")),  # R_X86_64_PC64
    41: Kind(relative, number("<i"), slot=True),  # R_X86_64_GOTPCRELX
    42: Kind(relative, number("<i"), slot=True),  # R_X86_64_REX_GOTPCRELX
}

AARCH64: Final = {
    257: Kind(absolute, number("<Q")),  # R_AARCH64_ABS64
    260: Kind(relative, number("<q")),  # R_AARCH64_PREL64
    261: Kind(relative, number("<i")),  # R_AARCH64_PREL32
    275: Kind(page, split_page),  # R_AARCH64_ADR_PREL_PG_HI21
    277: Kind(in_page, bits(10, 12, 0, signed=False)),  # R_AARCH64_ADD_ABS_LO12_NC
    278: Kind(in_page, bits(10, 12, 0, signed=False)),  # R_AARCH64_LDST8_ABS_LO12_NC
    280: Kind(relative, bits(5, 19, 2)),  # R_AARCH64_CONDBR19
    282: Kind(relative, bits(0, 26, 2)),  # R_AARCH64_JUMP26
    283: Kind(relative, bits(0, 26, 2)),  # R_AARCH64_CALL26
    284: Kind(in_page, bits(10, 12, 1, signed=False)),  # R_AARCH64_LDST16_ABS_LO12_NC
    285: Kind(in_page, bits(10, 12, 2, signed=False)),  # R_AARCH64_LDST32_ABS_LO12_NC
    286: Kind(in_page, bits(10, 12, 3, signed=False)),  # R_AARCH64_LDST64_ABS_LO12_NC
    299: Kind(in_page, bits(10, 12, 4, signed=False)),  # R_AARCH64_LDST128_ABS_LO12_NC
    311: Kind(page, split_page, slot=True),  # R_AARCH64_ADR_GOT_PAGE
    312: Kind(in_page, bits(10, 12, 3, signed=False), slot=True),  # R_AARCH64_LD64_GOT_LO12_NC
}
