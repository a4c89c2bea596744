"""The container: a zip that any tool can list, in which no byte can change without notice."""

import io
import struct
import zipfile

import pytest

from stepwell.runtime import container

MEMBERS = {"stepwell": b"hello\n", "empty": b"", "ünï": bytes(range(200)), "code/x.o": b"x" * 64}


def written(members=MEMBERS):
    file = io.BytesIO()
    container.write(file, members)
    return file.getvalue()


def test_members_are_read_where_they_lie():
    data = bytearray(written())
    found = container.read(memoryview(data))
    assert {name: bytes(content) for name, content in found.items()} == MEMBERS
    data[data.index(b"hello")] = ord("j")
    assert found["stepwell"] == b"jello\n"


def test_every_member_is_aligned():
    data = written()
    for content in (b"hello\n", bytes(range(200)), b"x" * 64):
        assert data.index(content) % 64 == 0


def test_other_tools_read_it():
    with zipfile.ZipFile(io.BytesIO(written())) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_large_files_have_64_bit_fields(monkeypatch):
    monkeypatch.setattr(container, "LIMIT", 150)
    data = written()
    assert b"PK\6\6" in data
    assert {name: bytes(each) for name, each in container.read(memoryview(data)).items()} == MEMBERS
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS


@pytest.mark.parametrize("limit", [container.LARGE, 150])
def test_no_byte_of_the_structure_can_change(monkeypatch, limit):
    monkeypatch.setattr(container, "LIMIT", limit)
    data = bytearray(written())
    whole = dict(container.read(memoryview(bytes(data))))
    for place in range(len(data)):
        data[place] ^= 0x55
        try:
            found = container.read(memoryview(data))
        except container.Garbled:
            pass
        else:  # the byte is a member's, whose digest is known elsewhere
            assert any(bytes(found[name]) != bytes(content) for name, content in whole.items())
        data[place] ^= 0x55


def test_no_end_of_the_file_can_be_missing():
    data = written()
    for length in range(len(data)):
        with pytest.raises(container.Garbled):
            container.read(memoryview(data)[:length])


def test_what_is_no_zip_is_refused():
    for data in (b"", b"PK\5\6", b"x" * 100, struct.pack("<I", 0x06054B50) + b"\xff" * 18):
        with pytest.raises(container.Garbled):
            container.read(memoryview(data))


def test_bytes_before_or_after_are_refused():
    for data in (b" " + written(), written() + b" "):
        with pytest.raises(container.Garbled):
            container.read(memoryview(data))


def test_a_zip_of_another_tool_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
    with pytest.raises(container.Garbled):
        container.read(memoryview(file.getvalue()))


def test_a_name_that_stands_twice_is_refused():
    data = written({"aa": b"1", "ab": b"2"}).replace(b"ab", b"aa")
    with pytest.raises(container.Garbled):
        container.read(memoryview(data))
