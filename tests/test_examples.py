"""The examples run: what they check is checked inside them."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import under_test

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, *arguments: str | Path) -> str:
    command = [sys.executable, EXAMPLES / name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_transformer_block_is_symbolic_in_batch_and_length(tmp_path: Path) -> None:
    printed = run("transformer.py", tmp_path / "block.well")
    assert printed.count("as NumPy") == 3
    assert (tmp_path / "block.well").is_file()


def test_digits_are_learned_shipped_and_classified(tmp_path: Path) -> None:
    printed = run("digits.py", tmp_path)
    assert "loaded in" in printed
    levels = {path.name for path in (tmp_path / "levels").rglob("*.mlir")}
    assert {"00-tensor.mlir", "07-llvm.mlir"} <= levels


@pytest.mark.device
def test_a_network_is_trained_on_a_gpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(EXAMPLES / "gpu.py"))
    device = under_test.CHOICE.name
    example["main"](device, str(tmp_path / "rings.well"), steps=12, count=32, width=8)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(f"after 12 steps on {device}")
    assert second.endswith(f"the CPU and {device} give the same bits")


def test_a_program_finds_the_emulated_device_where_it_is_started_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys\nimport stepwell as sw\nprint(sw.device_put(1.5, sys.argv[1]))")
    monkeypatch.setattr("sys.argv", ["emulator", str(program), under_test.EMULATED])
    runpy.run_module("emulator", run_name="__main__")
    assert "1.5" in capsys.readouterr().out


@pytest.mark.slow
def test_resnet50_agrees_with_numpy() -> None:
    assert "greatest error" in run("resnet50.py", "32")
