"""What brings peers to their best, by the machine."""

import shutil
from pathlib import Path

import pytest
from benchmarks import settings
from benchmarks.variants import VARIANTS


def machine(monkeypatch: pytest.MonkeyPatch, vendor: str, flags: str, core: str) -> None:
    monkeypatch.setattr(settings, "processor", lambda: {"vendor_id": vendor, "flags": flags})
    monkeypatch.setattr(settings, "openblas_core", lambda: core)


def test_nothing_is_forced_where_it_makes_no_difference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, "GenuineIntel", "avx2 avx512f", "SkylakeX")
    assert settings.best_settings(tmp_path).variables == settings.MEMORY
    machine(monkeypatch, "AuthenticAMD", "avx2", "Zen")
    assert settings.best_settings(tmp_path).variables == settings.MEMORY


def test_avx512_is_forced_on_amd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, "AuthenticAMD", "avx2 avx512f", "Haswell")
    best = settings.best_settings(tmp_path)
    assert best.variables["OPENBLAS_CORETYPE"] == "SkylakeX"
    forced = "LD_PRELOAD" in best.variables
    assert forced == (shutil.which("cc") is not None)
    assert not forced or Path(best.variables["LD_PRELOAD"]).exists()


def test_only_the_best_variants_get_them(tmp_path: Path) -> None:
    best = settings.Best({"GLIBC_TUNABLES": "x"}, ())
    by_name = {each.name: settings.environment(each, 2, best, tmp_path) for each in VARIANTS}
    assert by_name["torch*"]["GLIBC_TUNABLES"] == "x"
    assert "GLIBC_TUNABLES" not in by_name["torch"]
    assert {each["OMP_NUM_THREADS"] for each in by_name.values()} == {"2"}
