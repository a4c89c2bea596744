"""Errors: a code, one sentence, the user's line with a caret, at most fifteen lines."""

import pickle

import pytest

from stepwell.runtime.errors import CallError, CompileError, LoadError, SourceLine, StepwellError


def test_an_error_shows_the_users_line(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("def f(x, b):\n    y = x + b\n    return y\n")
    error = CompileError(
        "SW0102",
        "add: the shapes f32[3,4] and f32[5] do not broadcast together",
        details=["x: f32[3,4]      b: f32[5]"],
        hint="reshape `b`",
        where=SourceLine(str(path), 2, 8, 13),
    )
    assert str(error).splitlines() == [
        "SW0102: add: the shapes f32[3,4] and f32[5] do not broadcast together",
        f"  --> {path}:2",
        "   |     y = x + b",
        "   |         ^^^^^",
        "  x: f32[3,4]      b: f32[5]",
        "  help: reshape `b`",
    ]


def test_a_line_that_cannot_be_read_is_named_only():
    error = StepwellError("SW0101", "no", where=SourceLine("/nowhere/model.py", 7, 0, 3))
    assert str(error) == "SW0101: no\n  --> /nowhere/model.py:7"


def test_a_caret_stays_on_the_line(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("y = (x +\n     b)\n")
    error = StepwellError("SW0101", "no", where=SourceLine(str(path), 1, 4, 99))
    assert str(error).splitlines()[-2:] == ["   |     y = (x +", "   |         ^^^^"]


def test_an_error_has_fifteen_lines_at_most(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("x\n")
    where = SourceLine(str(path), 1, 0, 1)
    details = [f"detail {i}\nmore" for i in range(20)]
    lines = str(
        StepwellError("SW0101", "no", details=details, hint="yes", where=where)
    ).splitlines()
    assert len(lines) == 15
    assert lines[-3:] == ["  detail 4", "  …", "  help: yes"]


@pytest.mark.parametrize("kind", [CompileError, LoadError, CallError])
def test_errors_pass_between_processes(kind):
    where = SourceLine("model.py", 1, 2, 3)
    error = kind("SW0301", "no", details=["a"], hint="b", where=where)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert copy.where == where
