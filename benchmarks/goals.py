"""What is to be reached, for each kind of work: the bars that the compiler is measured by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from benchmarks.ratios import Found, of_the_limit, ratio


@final
@dataclass(frozen=True)
class Goal:
    """A ratio to the fastest peer, and perhaps a part of the hardware's limit, for workloads of a
    group or of these names."""

    work: str
    ratio: float
    group: str = ""
    names: Sequence[str] = ()
    limit: float = 0.0

    @property
    def text(self) -> str:
        return f"{self.ratio:g}" + (f", {self.limit:.0%} of the limit" if self.limit else "")


def _cubes(*sides: int) -> Sequence[str]:
    return [f"matmul {side}x{side}x{side}" for side in sides]


FAST = "fast"
"""The group whose convolutions need fewer multiply-adds than the limit counts (Winograd, 1980)."""
SMALL = [
    f"conv 3x3 {at}², fast"
    for at in ("64→64 at 56", "128→128 at 28", "256→256 at 14", "512→512 at 7")
]
FEW_ROWS = [*(f"matmul {rows}x768x3072" for rows in (1, 8, 16, 32, 128)), "matmul 1x4096x4096"]
GOALS = (
    Goal("products of 64 to 512 cubed", 1.0, names=_cubes(64, 128, 256, 512), limit=0.97),
    Goal("products of 1024 and 2048 cubed", 1.0, names=_cubes(1024, 2048), limit=0.93),
    Goal("products of few rows", 1.0, names=[*FEW_ROWS, "matrix 4096² by vector"]),
    Goal("layers of weights", 1.0, group="linear layers"),
    Goal("products of bytes", 1.0, group="products of bytes"),
    Goal("convolutions of ResNet-50", 1.0, group="convolutions"),
    Goal("convolutions of 3x3, fast", 2.5, names=SMALL),
    Goal("rows and elements", 1.0, group="rows"),
    Goal("networks", 1.0, group="networks"),
    Goal("transformers", 1.0, group="transformers"),
    Goal("steps of training", 1.2, group="training"),
    Goal("loops", 1.0, group="loops"),
)


def of_goal(goal: Goal, speeds: Sequence[Found]) -> Sequence[Found]:
    """What was measured of its work, beside a peer at least."""
    return [
        each
        for each in speeds
        if (each["group"] == goal.group or each["name"] in goal.names) and ratio(each) is not None
    ]


def missed(goal: Goal, speed: Found) -> str:
    """Of a workload that does not reach it, its name, ratio and part of the limit; "" otherwise.

    Where the limit itself is too far, as peers are nearer to it than the goal is to them, that is
    said: the ratio that a program would have that takes no longer than the limit.
    """
    found, part = ratio(speed), of_the_limit(speed)
    assert found is not None
    if found >= goal.ratio and (part is None or part >= goal.limit):
        return ""
    text = f"{speed['name']} {found:.2f}"
    if goal.limit and part is not None:
        text += f", {part:.0%}"
    if part and found / part < goal.ratio and speed["group"] != FAST:
        text += f" (at most {found / part:.2f})"
    return text
