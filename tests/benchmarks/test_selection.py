"""What a run of the benchmarks chooses."""

import pytest
from benchmarks.variants import LIMITS, OURS, VARIANTS, chosen
from benchmarks.workloads import named, selected, workloads


def test_names_are_unique() -> None:
    names = [each.name for each in workloads()]
    assert len(set(names)) == len(names)
    assert named(names[3]).name == names[3]


def test_workloads_are_chosen_by_parts_of_names_and_by_groups() -> None:
    assert [each.name for each in selected(["softmax"])] == ["softmax 4096x1024"]
    assert {each.group for each in selected(["training", "softmax"])} == {"training", "rows"}
    assert selected([]) == workloads() or len(selected([])) == len(workloads())
    with pytest.raises(ValueError, match="no workload 'softmin'"):
        selected(["softmin"])


def test_peers_are_chosen_by_how_their_names_begin() -> None:
    always = {OURS, *LIMITS}
    assert {each.name for each in chosen(["jax"])} - always == {"jax", "jax*"}
    assert chosen([]) == list(VARIANTS)
    with pytest.raises(ValueError, match="no peer 'tensorflow'"):
        chosen(["tensorflow"])


def test_a_peer_that_is_named_runs_everything() -> None:
    convolution = selected(["conv 3x3 64→64"])[0]
    (compiled,) = (each for each in VARIANTS if each.name == "torch.compile")
    assert not compiled.runs(convolution)
    assert all(each.runs(convolution) for each in chosen(["torch"]))
