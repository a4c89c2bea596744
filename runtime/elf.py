"""Relocatable ELF objects as tables: sections, symbols and relocations, checked to be complete.

Formats: System V ABI, "Object Files"; its x86-64 supplement, table 4.9; "ELF for the Arm 64-bit
Architecture", section 5.7. An object brings everything it needs: undefined symbols are refused.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, final

from stepwell.runtime.errors import LoadError
from stepwell.runtime.relocations import AARCH64, X86_64, Kind

MACHINES: Final = {"x86_64": (62, X86_64), "aarch64": (183, AARCH64)}

PROGBITS, SYMTAB, RELA, NOTE, NOBITS, REL, X86_UNWIND = 1, 2, 4, 7, 8, 9, 0x7000_0001
WRITE, ALLOCATE, EXECUTE, THREAD_LOCAL = 0x1, 0x2, 0x4, 0x400
DAMAGE: Final = (struct.error, IndexError, KeyError, OverflowError, StopIteration, ValueError)
"""What reading tables that point nowhere raises."""

LOCAL, UNDEFINED, ABSOLUTE, COMMON = 0, 0, 0xFFF1, 0xFFF2


class Section(NamedTuple):
    """A section header, field by field; offset and size are bytes in the file."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int

    @property
    def loaded(self) -> bool:
        """Whether the running program needs the section, as it does not need debug information."""
        return bool(self.flags & ALLOCATE)


class Symbol(NamedTuple):
    """A named place: `value` bytes into section number `section`."""

    name: str
    binding: int
    section: int
    value: int


class Relocation(NamedTuple):
    """A place to patch: `offset` bytes into section number `section`."""

    section: int
    offset: int
    kind: int
    symbol: int
    addend: int


@final
@dataclass(frozen=True)
class Object:
    """A parsed object; `name` stands for it in errors, `kinds` are its processor's relocations."""

    name: str
    data: memoryview
    kinds: Mapping[int, Kind]
    sections: list[Section]
    symbols: list[Symbol]
    relocations: list[Relocation]


def parse(data: bytes | memoryview, name: str, architecture: str) -> Object:
    """Reads an object for `architecture`; `name` stands for it in errors.

    Damaged tables raise one of `DAMAGE`.
    """
    view = memoryview(data)
    if architecture not in MACHINES:
        raise refusal(name, f"there is no loader for {architecture} processors")
    number, kinds = MACHINES[architecture]
    if len(view) < 64 or bytes(view[:7]) != b"\x7fELF\2\1\1":
        raise refusal(name, "it is not a little-endian 64-bit ELF file")
    kind, machine = struct.unpack_from("<HH", view, 16)
    if kind != 1:
        raise refusal(name, "it is not a relocatable object")
    if machine != number:
        raise refusal(name, f"it is for ELF machine {machine}, not for {architecture}")
    sections = _sections(view)
    symbols = _symbols(view, sections)
    source = Object(name, view, kinds, sections, symbols, _relocations(view, sections))
    _check(source)
    return source


def _sections(view: memoryview) -> list[Section]:
    (table,) = struct.unpack_from("<Q", view, 40)
    size, count = struct.unpack_from("<HH", view, 58)
    starts = range(table, table + size * count, size)
    return [Section(*struct.unpack_from("<IIQQQQIIQQ", view, start)) for start in starts]


def _symbols(view: memoryview, sections: list[Section]) -> list[Symbol]:
    table = next(section for section in sections if section.kind == SYMTAB)
    strings = bytes(content(view, sections[table.link]))
    rows = struct.iter_unpack("<IBBHQQ", content(view, table))
    return [
        Symbol(strings[name : strings.index(0, name)].decode(), info >> 4, section, value)
        for name, info, _, section, value, _ in rows
    ]


def _relocations(view: memoryview, sections: list[Section]) -> list[Relocation]:
    return [
        Relocation(section.info, offset, info & 0xFFFF_FFFF, info >> 32, addend)
        for section in sections
        if section.kind == RELA and sections[section.info].loaded
        for offset, info, addend in struct.iter_unpack("<QQq", content(view, section))
    ]


def _check(source: Object) -> None:
    """Refuses what this loader does not know, and what the object does not bring itself."""
    for section in source.sections:
        foreign = section.loaded and section.kind not in (PROGBITS, NOTE, NOBITS, X86_UNWIND)
        if foreign or section.kind == REL:
            raise refusal(source.name, f"it has a section of kind {section.kind:#x}")
        if section.flags & THREAD_LOCAL:
            raise refusal(source.name, "it has thread-local variables")
    unknown = {r.kind for r in source.relocations} - source.kinds.keys()
    if unknown:
        raise refusal(source.name, f"it has a relocation of kind {min(unknown)}")
    undefined = sorted(s.name for s in source.symbols[1:] if s.section in (UNDEFINED, COMMON))
    if undefined:
        raise refusal(source.name, f"it does not define {', '.join(undefined)}")


def content(view: memoryview, section: Section) -> memoryview:
    """The bytes of a section that has some in the file."""
    end = section.offset + section.size
    if end > len(view):
        raise IndexError(end)
    return view[section.offset : end]


def refusal(name: str, reason: str) -> LoadError:
    """The error that says why the object `name` cannot be loaded."""
    return LoadError("SW0310", f"{name} is not code that can be loaded: {reason}")
