"""Code for AArch64 run by QEMU: linked as our loader does it, in a program of its own."""

import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from arrays import Array
from stepwell.runtime import code, elf
from stepwell.runtime.artifact import Artifact

QEMU = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
BASE, PAGE = 0x10_0000, 0x1000
CONTEXT, ARGUMENTS, SIZES, ENTRY, RESULTS, BYTES = range(6)

START = (
    ("ldr", 0, CONTEXT),
    ("ldr", 1, ARGUMENTS),
    ("ldr", 2, SIZES),
    ("ldr", 16, ENTRY),
    0xD63F0200,  # blr x16
    0xAA0003F3,  # mov x19, x0
    0xD2800020,  # mov x0, 1
    ("ldr", 1, RESULTS),
    ("ldr", 2, BYTES),
    0xD2800808,  # mov x8, 64 (write)
    0xD4000001,  # svc 0
    0xAA1303E0,  # mov x0, x19
    0xD2800BA8,  # mov x8, 93 (exit)
    0xD4000001,  # svc 0
)
PARALLEL_FOR = (
    0xAA0103E9,  # mov x9, x1
    0xAA0203E0,  # mov x0, x2
    0xD2800001,  # mov x1, 0
    0xAA0303E2,  # mov x2, x3
    0xD61F0120,  # br x9
)
HEADERS = 64 + 56


def emulate(
    file: Path,
    target: str,
    inputs: Sequence[Array],
    results: Sequence[Array],
    sizes: Mapping[str, int],
) -> list[Array]:
    """The results of a file's only entry point under QEMU: arrays like those that are given."""
    artifact = Artifact.open(file)
    (found,) = (each for each in artifact.manifest.targets if each.name == target)
    ((name, entry),) = artifact.manifest.entries.items()
    source = elf.parse(artifact.read(found.code), target, "aarch64")
    layout = code.arrange(source)
    image = bytearray(PAGE + layout.size)
    symbols = code.link(source, layout, memoryview(image)[PAGE:], BASE + PAGE)
    places = []
    for each in (*inputs, *results):
        image += bytes(-len(image) % 64)
        places.append(BASE + len(image))
        image += each.tobytes() if len(places) <= len(inputs) else bytes(each.nbytes)
    image += bytes(-len(image) % 64)
    first = places[len(inputs)]
    written = BASE + len(image) - first
    workspace = BASE + len(image)
    image += bytes(found.workspace[name].evaluate(sizes))
    image += bytes(-len(image) % 64)
    tables = BASE + len(image)
    stub = HEADERS + 4 * len(START) + 8 * 6
    image += struct.pack("<8Q", 1, workspace, BASE + stub, 0, 0, 0, 0, 0)
    image += struct.pack(f"<{len(places)}Q", *places)
    image += struct.pack(f"<{len(sizes)}q", *(sizes[each.name] for each in entry.sizes))
    after = tables + 64 + 8 * len(places)
    literals = tables, tables + 64, after, symbols[entry.symbol], first, written
    image[:stub] = _headers(len(image)) + _start(literals)
    image[stub : stub + 20] = struct.pack("<5I", *PARALLEL_FOR)
    program = file.with_suffix(".elf")
    program.write_bytes(image)
    program.chmod(0o755)
    assert QEMU is not None
    bytes_ = subprocess.run([QEMU, str(program)], check=True, capture_output=True).stdout
    assert len(bytes_) == written
    return [
        np.frombuffer(bytes_[place - first :][: each.nbytes], each.dtype).reshape(each.shape)
        for place, each in zip(places[len(inputs) :], results, strict=True)
    ]


def _headers(size: int) -> bytes:
    """An executable for Linux with one segment, which is all of it."""
    entry, access = BASE + HEADERS, 7
    first = struct.pack("<4sBBBB8x", b"\x7fELF", 2, 1, 1, 0)
    first += struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return first + struct.pack("<IIQQQQQQ", 1, access, 0, BASE, BASE, size, size, PAGE)


def _start(literals: Sequence[int]) -> bytes:
    """Calls the entry point, writes the results, and leaves with what the entry point gave."""
    words = []
    for number, each in enumerate(START):
        if isinstance(each, tuple):
            _, register, literal = each
            distance = len(START) + 2 * literal - number
            each = 0x58000000 | distance << 5 | register
        words.append(each)
    return struct.pack(f"<{len(words)}I6Q", *words, *literals)
