"""The report: tables in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Sequence[str]
Found = Mapping[str, Any]
"""What one line of a program's output says."""

SPEED = """Written by `make bench`. Medians of at least 20 interleaved runs on random data, called
from Python; every answer was compared with f64. The ratio is to the best peer. The peak is that of
multiply-adds in f32 with as many threads, measured in turn with the workload; bytes are those of
the inputs and the answer. The error is the greatest one, as a part of the greatest element."""
COLD = """From Python functions to machine code, in a process that has imported all modules and
compiled nothing: how long it takes, how long the processor was busy with it, the first call, for
which a process loads the code and compiles its thread pool, and compiling the program once more."""


def report(
    environment: Mapping[str, str], speeds: Sequence[Found], compiles: Sequence[Found]
) -> str:
    """All of a page, from what `speed` and `cold` printed."""
    parts = ["# Speed on a CPU", SPEED, "\n".join(f"* {k}: {v}" for k, v in environment.items())]
    for count in sorted({each["threads"] for each in speeds}):
        parts.append(f"## {count} thread{'s' if count > 1 else ''}")
        parts.append(speed_table([each for each in speeds if each["threads"] == count]))
    parts += ["## Compiling", COLD, cold_table(compiles)]
    return "\n\n".join(parts) + "\n"


def speed_table(speeds: Sequence[Found]) -> str:
    """One row for each workload."""
    peers = list(speeds[0]["seconds"])
    head = ["workload", *peers, "ratio", "rate", "of the peak", "error", "kernels"]
    return table(head, [_speed_row(each) for each in speeds])


def _speed_row(speed: Found) -> Row:
    ours, *others = speed["seconds"].values()
    rate, share = f"{speed['bytes'] / ours / 1e9:.1f} GB/s", ""
    if speed["operations"]:
        operations = speed["operations"] / ours
        rate, share = f"{operations / 1e9:.0f} GF/s", f"{operations / speed['peak']:.0%}"
    return [
        speed["name"],
        *map(duration, (ours, *others)),
        f"{min(others) / ours:.2f}",
        rate,
        share,
        f"{speed['error']:.0e}",
        str(speed["kernels"]),
    ]


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


def duration(seconds: float) -> str:
    """Three digits, in the unit that fits."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


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
