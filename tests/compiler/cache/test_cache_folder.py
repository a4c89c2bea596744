"""The cache's folder: what is in it is whole, bounded, and nobody else's."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stepwell.compiler.cache.entry import Entry
from stepwell.compiler.cache.folder import Folder, default_place, header_of
from stepwell.compiler.cache.key import Key, differences, nearest
from stepwell.runtime.errors import CompileError

LARGE = 1 << 30


def key(**fields: str) -> Key:
    return Key("image", {"signature": "f", **fields})


def code_of(entry: Entry | None) -> bytes | None:
    return entry and entry.code


def test_what_was_written_is_read(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "not" / "there", LARGE)
    assert folder.read(key()) is None
    assert folder.files() == []
    folder.write(key(), {"copies": ["ü\n"]}, b"code\n")
    entry = folder.read(key())
    assert entry is not None
    assert entry.code == b"code\n"
    assert entry.header.data["copies"].texts() == ("ü\n",)
    assert folder.read(key(numerics="fast")) is None
    assert folder.read(Key("support", key().fields)) is None
    (file,) = folder.files()
    assert header_of(file.path) == entry.header
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_an_entry_that_is_not_whole_is_none_and_is_written_anew(tmp_path: Path) -> None:
    folder = Folder(tmp_path, LARGE)
    folder.write(key(), {}, b"code")
    (file,) = folder.files()
    content = file.path.read_bytes()
    damaged = [content[:n] for n in (0, 10, 60, len(content) // 2, len(content) - 1)]
    damaged += [content + b"x", content.replace(b"code", b"kode"), content.replace(b"f", b"g")]
    for each in damaged:
        file.path.write_bytes(each)
        assert folder.read(key()) is None
    folder.write(key(), {}, b"code")
    assert file.path.read_bytes()[-4:] == b"code"
    assert folder.read(key()) is not None


def test_a_whole_entry_by_the_name_of_another_is_none(tmp_path: Path) -> None:
    folder = Folder(tmp_path, LARGE)
    folder.write(key(), {}, b"code")
    (file,) = folder.files()
    file.path.rename(tmp_path / f"{key(lines='1').digest}.image")
    assert folder.read(key(lines="1")) is None


def test_those_that_were_not_used_for_longest_go_first(tmp_path: Path) -> None:
    keys = [key(operations=str(number)) for number in range(4)]
    Folder(tmp_path, LARGE).write(keys[0], {}, bytes(1000))
    (first,) = Folder(tmp_path, LARGE).files()
    folder = Folder(tmp_path, 3 * first.size)
    for each in keys[1:3]:
        time.sleep(0.01)
        folder.write(each, {}, bytes(1000))
    time.sleep(0.01)
    assert folder.read(keys[0]) is not None
    time.sleep(0.01)
    folder.write(keys[3], {}, bytes(1000))
    there = [each for each in keys if folder.read(each)]
    assert there == [keys[0], keys[2], keys[3]]
    folder.write(keys[1], {}, bytes(5000))
    assert folder.files() == [], "what alone is too large drives out all, and does not stay"


def test_only_the_cache_s_own_files_go(tmp_path: Path) -> None:
    mine = tmp_path / "letter.image"
    mine.write_text("dear")
    folder = Folder(tmp_path, 0)
    folder.write(key(), {}, b"code")
    Folder(tmp_path, LARGE).write(key(), {}, b"code")
    assert [each.path.name for each in folder.clear()] == [f"{key().digest}.image"]
    assert list(tmp_path.iterdir()) == [mine]


def test_what_a_process_left_unfinished_goes_after_an_hour(tmp_path: Path) -> None:
    old, new = (tmp_path / f".{key().digest}.{n * 16}" for n in "01")
    for each in (old, new):
        each.write_bytes(b"half")
    os.utime(old, (time.time() - 4000,) * 2)
    Folder(tmp_path, LARGE).write(key(), {}, b"code")
    assert (old.exists(), new.exists()) == (False, True)


def test_where_nothing_can_be_written_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    folder = Folder(tmp_path / "file", LARGE)
    folder.write(key(), {}, b"code")
    assert folder.read(key()) is None
    assert folder.clear() == []


def test_many_write_and_read_at_once(tmp_path: Path) -> None:
    folder, content = Folder(tmp_path, LARGE), bytes(200_000)

    def work(number: int) -> None:
        folder.write(key(lines=str(number % 3)), {}, content)
        assert code_of(folder.read(key(lines=str(number % 3)))) == content

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(60)))
    assert len(list(tmp_path.iterdir())) == 3


WRITE = """
import sys
from pathlib import Path
from stepwell.compiler.cache.folder import Folder
from stepwell.compiler.cache.key import Key
for number in range(100):
    folder, key = Folder(Path(sys.argv[1]), 250_000), Key("image", {"number": str(number % 7)})
    folder.write(key, {}, bytes(50_000))
    entry = folder.read(key)
    assert entry is None or entry.code == bytes(50_000)
"""


def test_processes_write_read_and_evict_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(tmp_path)]
    for process in [subprocess.Popen(command) for _ in range(3)]:
        assert process.wait() == 0
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert sum(sizes) <= 250_000


def test_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> Folder | None:
        return Folder.from_environment()

    assert found() is None, "the tests do without"
    monkeypatch.delenv("STEPWELL_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert found() == Folder(tmp_path / ".cache" / "stepwell", 1 << 30)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_place() == tmp_path / "xdg" / "stepwell"
    monkeypatch.setenv("STEPWELL_CACHE", "~/mine")
    monkeypatch.setenv("STEPWELL_CACHE_LIMIT", "20M")
    assert found() == Folder(tmp_path / "mine", 20 << 20)
    monkeypatch.setenv("STEPWELL_CACHE_LIMIT", "1000")
    assert found() == Folder(tmp_path / "mine", 1000)
    monkeypatch.setenv("STEPWELL_CACHE_LIMIT", "much")
    with pytest.raises(CompileError) as error:
        found()
    assert (
        str(error.value) == "SW0260: STEPWELL_CACHE_LIMIT: expected a size such as 512M, got 'much'"
    )


def test_the_nearest_key_differs_in_the_fewest_fields() -> None:
    one = key(operations="1", lines="1", llvm="22")
    assert differences(one, key(operations="1", lines="2")) == ["lines", "llvm"]
    near, far = key(operations="1", lines="2", llvm="22"), key(operations="2", lines="2")
    assert nearest(one, [far, near, Key("support", one.fields)]) is near
    assert nearest(one, [Key("support", one.fields)]) is None
