"""Machine code: objects are loaded, run and freed, and what cannot be loaded is refused."""

import ctypes
import gc
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from stepwell.runtime import code, elf, relocations, system
from stepwell.runtime.errors import LoadError

VARIETY = """
@table = internal constant [4 x float] [float 1.0, float 2.0, float 3.0, float 4.0], align 16
@pointers = internal constant [2 x ptr] [ptr @bump, ptr @table]
@count = internal global i64 40, align 8
@zero = internal global [1000 x i64] zeroinitializer, align 64
define void @bump(i64 %by) noinline nounwind {
  %v = load i64, ptr @count
  %w = add i64 %v, %by
  store i64 %w, ptr @count
  ret void
}
define ptr @where() nounwind { ret ptr @bump }
define internal float @look(i64 %i) noinline nounwind {
  %j = and i64 %i, 3
  %q = getelementptr float, ptr @table, i64 %j
  %v = load float, ptr %q
  ret float %v
}
define i64 @run(ptr %x) nounwind {
  %f = load volatile ptr, ptr @pointers
  call void %f(i64 2)
  %v = load volatile i64, ptr @count
  %z = load volatile i64, ptr @zero
  %r = call float @look(i64 %v)
  store float %r, ptr %x
  %s = add i64 %v, %z
  ret i64 %s
}
"""
EMPTY = "define void @f() nounwind { ret void }"


def access():
    """The access of every mapping of this process, by its first address."""
    for row in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(end, 16) for end in row.split()[0].split("-"))
        yield range(first, last), row.split()[1][:3]


def access_of(address):
    return next(rights for pages, rights in access() if address in pages)


def refusal(data, name="x.o"):
    with pytest.raises(LoadError) as caught:
        code.load(data, name)
    return str(caught.value)


def test_code_constants_and_variables_work_together(make):
    loaded = code.load(make.object(VARIETY), "x.o")
    run = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(loaded.address("run"))
    x = np.zeros(1, np.float32)
    assert [run(x.ctypes.data), x[0], run(x.ctypes.data), x[0]] == [42, 3, 44, 1]


def test_the_address_of_a_function_comes_through_a_slot(make):
    loaded = code.load(make.object(VARIETY), "x.o")
    where = ctypes.CFUNCTYPE(ctypes.c_void_p)(loaded.address("where"))
    assert where() == loaded.address("bump")


def test_global_symbols_only_are_known(make):
    loaded = code.load(make.object(VARIETY), "x.o")
    assert set(loaded.symbols) == {"bump", "where", "run"}
    with pytest.raises(LoadError) as caught:
        loaded.address("walk")
    assert str(caught.value) == "SW0311: x.o does not define walk"


def test_numbers_are_read_where_they_are(make):
    loaded = code.load(make.object("@n = constant [2 x i64] [i64 7, i64 -1]\n"), "x.o")
    assert loaded.numbers("n", 2) == (7, -1)
    with pytest.raises(LoadError) as caught:
        loaded.numbers("n", 4096)
    assert str(caught.value) == "SW0310: x.o is not code that can be loaded: n is not in it"


def test_nothing_is_writable_and_executable(make):
    source = elf.parse(make.object(VARIETY), "x.o", system.architecture())
    layout = code.arrange(source)
    memory = code.load(make.object(VARIETY), "x.o").memory
    rights = [access_of(memory.address + segment.start) for segment in layout.segments]
    assert rights == ["r-x", "r--", "rw-"]


def test_memory_is_freed_with_the_last_reference(make):
    def executable():
        gc.collect()
        return {pages.start for pages, rights in access() if rights == "r-x"}

    before = executable()
    loaded = code.load(make.object(VARIETY), "x.o")
    assert executable() > before
    del loaded
    assert executable() == before


def test_two_loads_share_no_variables(make):
    data = make.object(VARIETY)
    x = np.zeros(1, np.float32)
    for _ in range(2):
        loaded = code.load(data, "x.o")
        run = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(loaded.address("run"))
        assert run(x.ctypes.data) == 42


def test_all_undefined_symbols_are_named(make):
    text = """
    declare float @expf(float)
    declare ptr @memcpy(ptr, ptr, i64)
    define float @f(float %x) nounwind {
      %y = call float @expf(float %x)
      %p = call ptr @memcpy(ptr null, ptr null, i64 0)
      ret float %y
    }"""
    assert refusal(make.object(text)) == (
        "SW0310: x.o is not code that can be loaded: it does not define expf, memcpy"
    )


@pytest.mark.skipif(system.architecture() != "x86_64", reason="an object for the other machine")
def test_code_for_another_processor_is_refused(make):
    assert refusal(make.object(EMPTY, "aarch64-linux-gnu")) == (
        "SW0310: x.o is not code that can be loaded: it is for ELF machine 183, not for x86_64"
    )


def test_processors_without_a_loader_are_named(make, monkeypatch):
    monkeypatch.setattr(system, "architecture", lambda: "riscv64")
    assert refusal(make.object(EMPTY)) == (
        "SW0310: x.o is not code that can be loaded: there is no loader for riscv64 processors"
    )


def test_what_is_not_an_object_is_refused():
    reason = "SW0310: x.o is not code that can be loaded: "
    assert refusal(b"") == reason + "it is not a little-endian 64-bit ELF file"
    assert refusal(b"x" * 99) == reason + "it is not a little-endian 64-bit ELF file"
    program = Path(sys.executable).resolve().read_bytes()
    assert refusal(program) == reason + "it is not a relocatable object"


def test_thread_local_variables_are_refused(make):
    text = """
    @t = thread_local(localexec) global i64 1
    define ptr @f() { ret ptr @t }"""
    assert refusal(make.object(text)) == (
        "SW0310: x.o is not code that can be loaded: it has thread-local variables"
    )


def test_sections_with_a_meaning_of_their_own_are_refused(make):
    data = bytearray(make.object(VARIETY))
    source = elf.parse(data, "x.o", system.architecture())
    number = next(i for i, section in enumerate(source.sections) if section.loaded)
    (table,) = struct.unpack_from("<Q", data, 40)
    struct.pack_into("<I", data, table + 64 * number + 4, 14)  # SHT_INIT_ARRAY
    assert refusal(data) == (
        "SW0310: x.o is not code that can be loaded: it has a section of kind 0xe"
    )


def relocated(make, kind):
    """An object whose first relocation is of another kind."""
    data = bytearray(make.object(VARIETY))
    source = elf.parse(data, "x.o", system.architecture())
    table = next(
        s for s in source.sections if s.kind == elf.RELA and source.sections[s.info].loaded
    )
    struct.pack_into("<I", data, table.offset + 8, kind)
    return bytes(data)


def test_unknown_relocations_are_refused(make):
    assert refusal(relocated(make, 77)) == (
        "SW0310: x.o is not code that can be loaded: it has a relocation of kind 77"
    )


@pytest.mark.skipif(system.architecture() != "x86_64", reason="a relocation of x86-64")
def test_targets_out_of_reach_are_refused(make):
    assert refusal(relocated(make, 10)) == (
        "SW0310: x.o is not code that can be loaded: a relocation of kind 10 is out of reach"
    )


def test_huge_objects_are_refused(make):
    text = "@a = global [3000000000 x i8] zeroinitializer"
    assert refusal(make.object(text)) == (
        "SW0310: x.o is not code that can be loaded: it fills more than 2 GiB"
    )


def test_damaged_objects_are_refused_and_never_crash(make):
    data = make.object(VARIETY)
    for length in range(0, len(data), 7):
        assert refusal(data[:length]).startswith("SW0310: x.o is not code that can be loaded: ")
    (table,) = struct.unpack_from("<Q", data, 40)
    for place in (*range(16, 64), *range(table, len(data))):
        changed = bytearray(data)
        changed[place] ^= 0xFF
        try:
            code.load(changed, "x.o")
        except LoadError:
            pass


def test_a_system_that_forbids_executable_memory_is_named(make, monkeypatch):
    def refuse(*_):
        ctypes.set_errno(13)
        return -1

    monkeypatch.setattr(system, "_mprotect", refuse)
    assert refusal(make.object(EMPTY)) == (
        "SW0315: this system refuses executable memory (mprotect: Permission denied)"
    )


def instruction(kind, word, target, place):
    """The AArch64 instruction `word` at address `place`, patched for a target."""
    memory = bytearray(struct.pack("<I", word))
    patch = relocations.AARCH64[kind]
    patch.write(memoryview(memory), 0, patch.value(target, place))
    return struct.unpack("<I", memory)[0]


@pytest.mark.parametrize(
    ("kind", "word", "target", "expected"),
    [
        (283, 0x94000000, 0x11000, 0x94000400),  # bl +0x1000
        (282, 0x14000000, 0xFFFC, 0x17FFFFFF),  # b -4
        (280, 0x54000001, 0x10010, 0x54000081),  # b.ne +16
        (275, 0x90000000, 0x13ABC, 0xF0000000),  # adrp x0, +3 pages
        (275, 0x90000000, 0xCABC, 0x90FFFFE0),  # adrp x0, -4 pages
        (277, 0x91000000, 0x13ABC, 0x912AF000),  # add x0, x0, #0xabc
        (278, 0x39400000, 0x13ABC, 0x396AF000),  # ldrb w0, [x0, #0xabc]
        (284, 0x79400000, 0x13ABC, 0x79557800),  # ldrh w0, [x0, #0xabc]
        (285, 0xB9400000, 0x13ABC, 0xB94ABC00),  # ldr w0, [x0, #0xabc]
        (286, 0xF9400000, 0x13AB8, 0xF9455C00),  # ldr x0, [x0, #0xab8]
        (299, 0x3DC00000, 0x13AB0, 0x3DC2AC00),  # ldr q0, [x0, #0xab0]
    ],
)
def test_aarch64_instructions_are_patched(kind, word, target, expected):
    assert f"{instruction(kind, word, target, 0x10000):08x}" == f"{expected:08x}"


def test_aarch64_targets_out_of_reach_are_refused():
    for kind, word, target in [(283, 0x94000000, 1 << 28), (286, 0xF9400000, 0x13ABC)]:
        with pytest.raises(OverflowError):
            instruction(kind, word, target, 0x10000)


@pytest.mark.parametrize("relocation", ["pic", "static"])
def test_aarch64_objects_are_linked(make, relocation):
    data = make.object(VARIETY, "aarch64-linux-gnu", relocation)
    source = elf.parse(data, "x.o", "aarch64")
    layout = code.arrange(source)
    image = bytearray(layout.size)
    symbols = code.link(source, layout, memoryview(image), 0x10_0000)
    assert set(symbols) == {"bump", "where", "run"}
    assert all(0x10_0000 <= address < 0x10_0000 + len(image) for address in symbols.values())
