"""`make bench-gpu` from end to end, on the emulated card and tiny arrays; and its tables."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
from benchmarks.gpu import __main__ as command
from benchmarks.gpu import report
from benchmarks.gpu.speed import Bench, Speed
from benchmarks.gpu.work import FULL, TINY, works

import under_test

EVERY = list(works(TINY))


def test_all_of_it_runs_and_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--device", under_test.EMULATED, "--tiny", "--budget", "0"]
    command.main([*given, "--into", str(tmp_path)])
    (page,) = tmp_path.iterdir()
    assert page.name.endswith("-gpu.md")
    text = page.read_text()
    assert text == capsys.readouterr().out.removesuffix("\n")
    assert "* card: cuda-emulated" in text
    rows = [line for line in text.splitlines() if any(each.name in line for each in EVERY)]
    assert len(rows) == len(EVERY)
    # PyTorch has no emulated card; all else was measured.
    assert [line.count("not measured") for line in rows] == [1] * 6 + [3] * 2 + [1]


def test_without_a_card_one_sentence_says_so() -> None:
    with pytest.raises(SystemExit, match="there is no device tpu"):
        command.main(["--device", "tpu"])


def test_what_fails_is_said_and_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(EVERY[0], exact=lambda x: x)
    monkeypatch.setattr(command, "works", lambda sizes: [wrong])
    given = ["--device", under_test.EMULATED, "--tiny", "--into", str(tmp_path)]
    with pytest.raises(SystemExit, match="1 of 1 works failed"):
        command.main(given)
    (page,) = tmp_path.iterdir()
    assert "2 x + 1: ArithmeticError: the answer is wrong by" in page.read_text()


def test_memory_is_given_back() -> None:
    bench = Bench(under_test.card(), 0)
    before = under_test.allocations()
    assert not bench.speed(EVERY[2]).failed
    assert under_test.allocations() == before


def test_pytorch_takes_its_turns() -> None:
    bench = Bench(under_test.card(), 0)
    cuda = SimpleNamespace(synchronize=lambda: None)
    bench.torch = SimpleNamespace(from_dlpack=numpy.asarray, cuda=cuda)
    assert bench.speed(EVERY[2]).seconds.keys() == {"Stepwell", "copy", "torch"}


def test_a_part_of_it(tmp_path: Path) -> None:
    given = ["--device", under_test.EMULATED, "--tiny", "--only", "sum of all", "--budget", "0"]
    command.main([*given, "--into", str(tmp_path)])
    (page,) = tmp_path.iterdir()
    assert "sum of all" in page.read_text()
    assert "softmax" not in page.read_text()


def test_memory_that_is_moved_is_a_gigabyte() -> None:
    sizes = {each.name: each for each in works(FULL)}
    for each in sizes.values():
        if each.group == "memory":
            elements = sum(int(numpy.prod(shape)) for shape in each.shapes)
            assert each.bytes == 1 << 30
            assert elements * 4 <= each.bytes <= elements * 8
    assert sizes["f32 4096³"].operations == 2 * 4096**3


ROW = """\
| work    |  GB | Stepwell | GB/s | of a copy |  torch |        error |
|---------|----:|---------:|-----:|----------:|-------:|-------------:|
| softmax | 1.1 |     1 ms | 1074 |       50% | 0.8 ms | not measured |"""


def test_the_table_of_memory() -> None:
    (work,) = (each for each in works(FULL) if each.name == "softmax")
    speed = Speed(work, {"Stepwell": 1e-3, "copy": 5e-4, "torch": 8e-4})
    assert report.memory_table([speed]).replace("800 µs", "0.8 ms") == ROW


def test_the_table_of_products() -> None:
    (work,) = (each for each in works(FULL) if each.name == "bf16 4096³")
    speed = Speed(work, {"Stepwell": 4e-4, "torch": 2e-4}, 2e-3)
    last = report.product_table([speed]).splitlines()[-1].split("|")[1:-1]
    assert [each.strip() for each in last] == [
        "bf16 4096³",
        "400 µs",
        "343.6",
        "50%",
        "200 µs",
        "687.2",
        "2e-03",
    ]
