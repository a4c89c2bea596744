"""What the assembler may give kernels stands in files, and is raised there with a reason."""

from pathlib import Path

import pytest

from assembler import KERNELS, OPS, Budgets, Taken, within_budget

RAISED = "add = [20, 0, 18, 0]  # wide\nmul = [8, 0, 8, 0]\n"


@pytest.fixture
def budgets(tmp_path: Path) -> Budgets:
    path = tmp_path / "budgets.toml"
    path.write_text(f"# Of ops.\n{RAISED}")
    return Budgets(path)


@pytest.mark.parametrize(
    "taken", [Taken(33, 2048, 0), Taken(32, 2049, 0), Taken(32, 2048, 4)], ids=str
)
def test_a_budget_is_kept_in_all_it_names(taken: Taken) -> None:
    assert within_budget("matmul", Taken(32, 2048, 0))
    assert not within_budget("matmul", taken)


def test_what_is_written_is_allowed_with_its_reason(budgets: Budgets) -> None:
    taken = {"mul": Taken(9, 0, 0), "add": Taken(17, 0, 0), "abs": Taken(7, 0, 0)}
    assert not any(budgets.allows(name, each) for name, each in taken.items() if name != "add")
    for name, each in taken.items():
        budgets.write(name, each, "two vectors")
        assert budgets.allows(name, each)
    rows = "abs = [7, 0, 7, 0]\nadd = [17, 0, 17, 0]  # wide\nmul = [9, 0, 8, 0]  # two vectors\n"
    assert budgets.path.read_text() == f"# Of ops.\n{rows}"
    assert not budgets.unexplained()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("add = [20, 0, 18, 0]", ["add"]),
        ("add = [17, 0, 18, 0]  # wide", ["add"]),
        ("add = [18, 4, 18, 0]", ["add"]),
        ("add = [20, 0, 18, 0]  # wide", []),
        ("add = [18, 0, 18, 0]", []),
    ],
)
def test_who_raises_a_number_says_why(line: str, names: list[str], budgets: Budgets) -> None:
    budgets.path.write_text(f"{line}\n")
    assert budgets.unexplained() == names


def test_all_budgets_that_were_raised_have_a_reason() -> None:
    assert not [*KERNELS.unexplained(), *OPS.unexplained()]
