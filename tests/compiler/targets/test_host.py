"""The build machine is described by what it is, and runs what is compiled for it."""

from pathlib import Path

import pytest

from stepwell.compiler.machines import MACHINES
from stepwell.compiler.targets import host as host_module
from stepwell.compiler.targets.cpu import host
from stepwell.compiler.targets.host import cache_sizes
from stepwell.runtime.errors import CompileError
from stepwell.runtime.system import cpu_features


def test_the_host_has_at_least_its_level() -> None:
    machine = host()
    level = MACHINES[machine.cpu]
    assert set(level.features) <= set(machine.features)
    assert (machine.name == level.name) == (machine.features == level.features)
    assert machine.l1 < machine.l2 <= machine.l3


def test_linux_lists_every_feature() -> None:
    assert set(host().features) <= cpu_features()


def test_caches_are_read_from_linux(tmp_path: Path) -> None:
    for index, (kind, level, size) in enumerate(
        [("Data", 1, "48K"), ("Instruction", 1, "64K"), ("Unified", 2, "2048K")]
    ):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, text in (("type", kind), ("level", level), ("size", size)):
            (folder / name).write_text(f"{text}\n")
    assert cache_sizes(tmp_path) == {1: 48 << 10, 2: 2 << 20}
    assert cache_sizes(tmp_path / "nowhere") == {}


def test_an_old_processor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    features = dict.fromkeys(MACHINES["x86-64-v3"].features, True) | {"fma": False}
    monkeypatch.setattr(host_module.binding, "get_host_cpu_features", lambda: features)
    host.cache_clear()
    try:
        with pytest.raises(CompileError, match="SW0256: this processor lacks fma"):
            host()
    finally:
        host.cache_clear()
