"""Errors as a user sees them, compared word for word."""

import re
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from stepwell.runtime.errors import LONGEST, StepwellError


def message(function: Callable[[], Any]) -> str:
    """What a user sees, who wrote the file of `function`; the numbers of its lines are left out."""
    with pytest.raises(StepwellError) as caught:
        function()
    text = str(caught.value)
    assert len(text.splitlines()) <= LONGEST
    where = caught.value.where
    assert where is not None
    assert where.file == function.__code__.co_filename
    return re.sub(
        r"from line \d+", "from line N", text.replace(f"{where.file}:{where.line}", "model.py:N")
    )


def expect(function: Callable[[], Any], wanted: str) -> None:
    """The function fails with these words."""
    assert message(function) == textwrap.dedent(wanted).strip("\n").rstrip()
