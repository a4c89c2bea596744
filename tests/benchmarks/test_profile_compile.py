"""What the profile of compiling measures is there, and measured once."""

from benchmarks.profile_compile import parts


def test_parts_are_there_and_measured_once() -> None:
    found = list(parts())
    titles = [title for title, _, _ in found]
    assert len(set(titles)) == len(titles)
    assert len({(owner, name) for _, owner, name in found}) == len(found)
    assert all(callable(getattr(owner, name)) for _, owner, name in found)
    assert "simple: pack-weights" in titles
