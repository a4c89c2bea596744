"""The container: a zip whose members are uncompressed, aligned to 64 bytes, and have fixed times.

Format: PKWARE's APPNOTE 6.3. A file's headers follow from the names, sizes and CRC-32s of its
members alone: the reader computes them anew and compares, so that a change to any byte is noticed,
in headers here and in members by whoever knows their digests.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Final, NamedTuple, final

ALIGNMENT: Final = 64

LOCAL: Final = struct.Struct("<4s5H3I2H")
CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
END: Final = struct.Struct("<4s4H2IH")
END_64: Final = struct.Struct("<4sQ2H2I4Q")
LOCATOR: Final = struct.Struct("<4sIQI")

VERSION, UTF_8, STORED, TIME, DATE = 45, 0x800, 0, 0, 0x21
UNIX_FILE: Final = 0o100644 << 16
LARGE: Final = 0xFFFF_FFFF
"""What a 32-bit field holds when the number stands in a 64-bit field elsewhere."""

LIMIT = LARGE
"""Files that reach this size have 64-bit fields."""

SIZES_64, PADDING = 1, 0xD935
"""Kinds of extra fields: 64-bit sizes, and the padding that Android's zipalign uses."""


class Member(NamedTuple):
    """What is to know of a member to write its headers."""

    name: str
    size: int
    crc: int


class Place(NamedTuple):
    """Where a member's header begins, the header, and where its data begins."""

    offset: int
    header: bytes
    start: int


@final
class Garbled(Exception):
    """Bytes that are no container, or are one no more."""


def write(file: BinaryIO, members: Mapping[str, bytes]) -> None:
    """Writes the members in their order; equal members give equal bytes."""
    listed = [Member(name, len(data), zlib.crc32(data)) for name, data in members.items()]
    places, directory = _arrange(listed)
    for place, data in zip(places, members.values(), strict=True):
        file.write(place.header)
        file.write(data)
    file.write(directory)


def read(data: memoryview) -> dict[str, memoryview]:
    """The members' bytes, which lie in `data`; Garbled if it is not what `write` writes."""
    try:
        listed = list(_listed(data))
        places, directory = _arrange(listed)
    except (struct.error, OverflowError, UnicodeDecodeError):
        raise Garbled from None
    found = {
        member.name: data[place.start : place.start + member.size]
        for member, place in zip(listed, places, strict=True)
    }
    end = places[-1].start + listed[-1].size if listed else 0
    whole = len(found) == len(listed) and bytes(data[end:]) == directory
    if not whole or any(bytes(data[offset:start]) != header for offset, header, start in places):
        raise Garbled
    return found


def _arrange(members: Sequence[Member]) -> tuple[list[Place], bytes]:
    """Where the members lie, and the directory that follows the last one."""
    places: list[Place] = []
    entries: list[bytes] = []
    offset = 0
    for member in members:
        header = _local_header(member, offset)
        places.append(Place(offset, header, offset + len(header)))
        entries.append(_central_header(member, offset))
        offset += len(header) + member.size
    return places, b"".join(entries) + _end(len(entries), sum(map(len, entries)), offset)


def _local_header(member: Member, offset: int) -> bytes:
    name = member.name.encode()
    large = offset + member.size >= LIMIT
    extra = struct.pack("<HHQQ", SIZES_64, 16, member.size, member.size) if large else b""
    padding = -(offset + LOCAL.size + len(name) + len(extra) + 4) % ALIGNMENT
    extra += struct.pack("<HH", PADDING, padding) + bytes(padding)
    size = LARGE if large else member.size
    fixed = (b"PK\3\4", VERSION, UTF_8, STORED, TIME, DATE, member.crc, size, size)
    return LOCAL.pack(*fixed, len(name), len(extra)) + name + extra


def _central_header(member: Member, offset: int) -> bytes:
    name = member.name.encode()
    large = offset + member.size >= LIMIT
    extra = b""
    size, start = member.size, offset
    if large:
        extra = struct.pack("<HHQQQ", SIZES_64, 24, size, size, start)
        size = start = LARGE
    made_by = 3 << 8 | VERSION
    fixed = (b"PK\1\2", made_by, VERSION, UTF_8, STORED, TIME, DATE, member.crc, size, size)
    return CENTRAL.pack(*fixed, len(name), len(extra), 0, 0, 0, UNIX_FILE, start) + name + extra


def _end(count: int, size: int, offset: int) -> bytes:
    """The records after a directory of `size` bytes at `offset`."""
    if offset < LIMIT:
        return END.pack(b"PK\5\6", 0, 0, count, count, size, offset, 0)
    rest = END_64.size - 12
    numbers = (0, 0, count, count, size, offset)
    return (
        END_64.pack(b"PK\6\6", rest, VERSION, VERSION, *numbers)
        + LOCATOR.pack(b"PK\6\7", 0, offset + size, 1)
        + END.pack(b"PK\5\6", 0, 0, count, count, LARGE, LARGE, 0)
    )


def _listed(data: memoryview) -> Iterator[Member]:
    """The members that the directory lists; it raises what `read` takes for Garbled."""
    *_, count, _, offset, _ = END.unpack_from(data, len(data) - END.size)
    if offset == LARGE:
        *_, end, _ = LOCATOR.unpack_from(data, len(data) - END.size - LOCATOR.size)
        *_, offset = END_64.unpack_from(data, end)
    for _ in range(count):
        *_, crc, _, size, name, extra, _, _, _, _, _ = CENTRAL.unpack_from(data, offset)
        text = offset + CENTRAL.size
        if size == LARGE:
            (size,) = struct.unpack_from("<Q", data, text + name + 4)
        yield Member(bytes(data[text : text + name]).decode(), size, crc)
        offset = text + name + extra
