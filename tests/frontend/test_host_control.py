"""Which programs for a GPU the host controls: those that wait for what the GPU has computed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stepwell as sw
import stepwell.numpy as np
from stepwell import assert_
from stepwell.cli import main
from stepwell.runtime.artifact import Artifact

Function = Callable[[Any], Any]


def halved(x: Any) -> Any:
    return sw.while_loop(lambda x: x.max() > 1, lambda x: x * 0.5, x)


def chosen(x: Any) -> Any:
    return sw.cond(x.sum() > 0, lambda x: x + 1, lambda x: x * 2, x)


def checked(x: Any) -> Any:
    assert_((x > 0).all(), "x should be positive")
    return x


def shown(x: Any) -> Any:
    sw.print("{}", x)
    return x


def running(x: Any) -> Any:
    return sw.scan(lambda total, each: (total + each, total), np.zeros(()), x)


def turned(x: Any) -> Any:
    return x[::-1] @ x


def saved(path: Path, **functions: Function) -> Path:
    entries = {name: (function, "f32[8]") for name, function in functions.items()}
    sw.compile(entries, target="sm_80").save(path)
    return path


@pytest.mark.parametrize("function", [halved, chosen, checked, shown])
def test_waits(function: Function, tmp_path: Path) -> None:
    path = saved(tmp_path / "f.well", f=function, plain=turned)
    (target,) = Artifact.open(path).manifest.targets
    assert target.device is not None
    assert target.device.host_controlled == ("f",)


@pytest.mark.parametrize("function", [running, turned])
def test_launches_what_the_sizes_say(function: Function, tmp_path: Path) -> None:
    (target,) = Artifact.open(saved(tmp_path / "f.well", f=function)).manifest.targets
    assert target.device is not None
    assert target.device.host_controlled == ()


def test_inspect_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "f.well", f=halved, plain=turned)
    assert main(["inspect", str(path)]) == 0
    assert "    controlled by the host: f\n" in capsys.readouterr().out
