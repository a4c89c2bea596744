"""The report: tables in Markdown, from what was measured."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.goals import GOALS, missed, of_goal
from benchmarks.ratios import LEAST, Found, fastest, geometric_mean, of_the_limit, ratio
from benchmarks.variants import OURS, VARIANTS

Row = Sequence[str]

SPEED = """Written by `make bench`. Each variant has a process of its own, and one runs at a time:
the others are stopped. They take turns; the times are medians of 3 to 15 rounds, of calls from
Python, and in bold that of the fastest peer. `*` marks a peer at its best settings. Every answer
was compared with f64. The ratio is to the fastest peer: above 1 Stepwell is faster. Beside it is
that of the least times, which differs where something else ran on the machine. The limit is what
the multiply-adds that the workload needs in f32 take, or reading its inputs and weights and
writing its answer, whichever is longer, measured in turn with the others with code that does
nothing else. The error is the greatest one of Stepwell's answer, as a part of the greatest
element."""
PREPARING = """From NumPy's arrays and a Python function to the end of the first call, with the
fewest threads, in a process that has prepared all workloads above. Those of `torch.compile*` find
what `torch.compile` has compiled, where that has run the same."""
COLD = """From Python functions to machine code, in a process that has imported all modules and
compiled nothing: how long it takes, how long the processor was busy with it, the first call, for
which a process loads the code and compiles its thread pool, and compiling the program once more."""
IMPORTS = """How long a process takes that imports the package and does nothing else, beyond one
that imports nothing: medians."""


def report(
    environment: Mapping[str, str],
    speeds: Sequence[Found],
    compiles: Sequence[Found],
    imports: Mapping[str, float],
    plot: str | None,
) -> str:
    """All of a page. `plot` is a file beside it."""
    parts = ["# Speed on a CPU", SPEED, "\n".join(f"* {k}: {v}" for k, v in environment.items())]
    parts += [f"![Ratios to the fastest peer]({plot})"] if plot else []
    for count in sorted({each["threads"] for each in speeds}):
        found = [each for each in speeds if each["threads"] == count]
        parts.append(f"## {count} thread{'s' if count > 1 else ''}")
        parts += [speed_table(found), group_table(found), goal_table(found)]
    parts += ["## Preparing", PREPARING, preparing_table(speeds)] if speeds else []
    parts += ["## Compiling", COLD, cold_table(compiles)] if compiles else []
    parts += ["## Importing", IMPORTS, import_table(imports)] if imports else []
    return "\n\n".join([*parts, *reasons(speeds)]) + "\n"


# The tables.


def names(speeds: Iterable[Found]) -> list[str]:
    """The variants that ran anything, in their order."""
    found = {name for each in speeds for name in each["seconds"]}
    return [each.name for each in VARIANTS if each.name in found]


def speed_table(speeds: Sequence[Found]) -> str:
    """One row for each workload."""
    peers = [name for name in names(speeds) if name != OURS]
    head = ["workload", OURS, "ratio", "least", "of the limit", *peers, "error", "kernels"]
    return table(head, [_speed_row(each, peers) for each in speeds])


def _speed_row(speed: Found, peers: Sequence[str]) -> Row:
    taken, best = speed["seconds"], fastest(speed)
    bold = best[0] if best else None
    cells = [_bold(_time(taken.get(name)), name == bold) for name in peers]
    error = speed["error"]
    return [
        speed["name"],
        _time(taken.get(OURS)),
        _number(ratio(speed), ".2f"),
        _number(ratio(speed, LEAST), ".2f"),
        _number(of_the_limit(speed), ".0%"),
        *cells,
        _number(error, ".0e"),
        str(speed["notes"].get("kernels", "")),
    ]


def group_table(speeds: Sequence[Found]) -> str:
    """The ratios of each group of workloads together."""
    rows: list[Row] = []
    for group in dict.fromkeys(each["group"] for each in speeds):
        ratios = [r for each in speeds if each["group"] == group if (r := ratio(each)) is not None]
        if ratios:
            worst, mean = min(ratios), geometric_mean(ratios)
            ahead = sum(each >= 1 for each in ratios)
            rows.append([group, f"{mean:.2f}", f"{worst:.2f}", f"{ahead} of {len(ratios)}"])
    return table(["workloads", "geometric mean of the ratios", "least", "not behind"], rows)


def goal_table(speeds: Sequence[Found]) -> str:
    """What was to be reached, and below what was not."""
    rows: list[Row] = []
    lines: list[str] = []
    for goal in GOALS:
        found = of_goal(goal, speeds)
        if not found:
            continue
        misses = [text for each in found if (text := missed(goal, each))]
        mean = geometric_mean([r for each in found if (r := ratio(each)) is not None])
        reached = f"{len(found) - len(misses)} of {len(found)}"
        rows.append([goal.work, goal.text, f"{mean:.2f}", reached])
        lines += [f"* {goal.work} missed: {'; '.join(misses)}"] if misses else []
    goals = table(["goals", "to reach", "mean", "reached"], rows)
    return "\n\n".join([goals, "\n".join(lines)]) if lines else goals


def preparing_table(speeds: Sequence[Found]) -> str:
    """One row for each workload, of the fewest threads."""
    least = min(each["threads"] for each in speeds)
    rows = [each for each in speeds if each["threads"] == least]
    columns = names(rows)
    return table(
        ["workload", *columns],
        [
            [each["name"], *(_time(each["preparing"].get(name)) for name in columns)]
            for each in rows
        ],
    )


def cold_table(compiles: Iterable[Found]) -> str:
    """One row for each program."""
    head = ["program", "compiling", "of which busy", "first call", "again", "runs"]
    rows = [
        [
            each["name"],
            *(duration(each[key]) for key in ("compiling", "busy", "calling", "again")),
            str(each["runs"]),
        ]
        for each in compiles
    ]
    return table(head, rows)


def import_table(imports: Mapping[str, float]) -> str:
    return table(["package", "time"], [[name, duration(each)] for name, each in imports.items()])


def reasons(speeds: Sequence[Found]) -> list[str]:
    """Why cells are empty: failures, by workload. That a peer has no words for it goes unsaid."""
    found: dict[str, list[str]] = {}
    for each in speeds:
        for name, reason in each["missing"].items():
            if ":" in reason or name == OURS:
                found.setdefault(f"{name}: {reason}", []).append(each["name"])
    if not found:
        return []
    lines = [f"* {why} ({', '.join(dict.fromkeys(where))})" for why, where in found.items()]
    return ["## What failed", "\n".join(lines)]


# Text.


def duration(seconds: float) -> str:
    """Three digits, in the unit that fits."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _time(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)


def _number(number: float | None, form: str) -> str:
    return "" if number is None else format(number, form)


def _bold(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted else text


def table(head: Row, rows: Iterable[Row]) -> str:
    """In columns of one width; all but the first are aligned to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def text(line: Row) -> str:
        first, *others = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        right = (cell.strip().rjust(len(cell)) for cell in others)
        return f"| {' | '.join([first, *right])} |"

    rule = (
        f"|{'|'.join(['-' * (widths[0] + 2), *('-' * (width + 1) + ':' for width in widths[1:])])}|"
    )
    return "\n".join([text(head), rule, *map(text, lines[1:])])
