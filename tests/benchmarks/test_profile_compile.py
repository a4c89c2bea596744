"""What the profile of compiling measures is there, and measured once."""

import pytest
from benchmarks.profile_compile import main, parts


def test_parts_are_there_and_measured_once() -> None:
    found = list(parts())
    titles = [title for title, _, _ in found]
    assert len(set(titles)) == len(titles)
    assert len({(owner, name) for _, owner, name in found}) == len(found)
    assert all(callable(getattr(owner, name)) for _, owner, name in found)
    assert "simple: pack-weights" in titles


def test_a_name_that_is_none_gets_the_names() -> None:
    with pytest.raises(SystemExit, match="no program's name holds 'nothing': there are "):
        main("nothing")
