"""The page of a card's speed: tables in Markdown, which say what was not measured."""

from collections.abc import Mapping, Sequence

from benchmarks.gpu.speed import COPY, LAUNCHED, OURS, TORCH, Speed
from benchmarks.report import duration, table

HEAD = """Written by `make bench-gpu`. Stepwell, PyTorch and copies by the driver take turns in one
process, on random data in the card's memory; the times are medians of wall time from a call in
Python until the device has finished, of 3 to 15 rounds with as many calls as take 4 ms at least.
Every answer was compared with f64; the error is the greatest one, as a part of the greatest
element."""
MEMORY = """Bytes that the work reads and writes at least, by its time, and as a part of what a copy
moves at the same time. The goal is 80 %."""
PRODUCTS = """Multiplications and additions by time, and as a part of what cuBLAS reaches under
PyTorch, without tf32. The goal is 50 %."""
SMALL = """One program of many small kernels, as a graph and launch by launch."""
NONE = "not measured"


def report(about: Mapping[str, str], speeds: Sequence[Speed]) -> str:
    """All of a page."""
    parts = ["# Speed on a GPU", HEAD, "\n".join(f"* {k}: {v}" for k, v in about.items())]
    parts += ["## Memory", MEMORY, memory_table(speeds)]
    parts += ["## Products", PRODUCTS, product_table(speeds)]
    parts += ["## Small kernels", SMALL, small_table(speeds)]
    return (
        "\n\n".join([*parts, *(f"{each.work.name}: {each.failed}." for each in failed(speeds))])
        + "\n"
    )


def failed(speeds: Sequence[Speed]) -> list[Speed]:
    return [each for each in speeds if each.failed]


def memory_table(speeds: Sequence[Speed]) -> str:
    head = ["work", "GB", OURS, "GB/s", "of a copy", TORCH, "error"]
    rows = [
        [
            each.work.name,
            f"{each.work.bytes / 1e9:.2g}",
            _time(each, OURS),
            _rate(each, OURS, each.work.bytes / 1e9),
            _part(each, COPY),
            _time(each, TORCH),
            _error(each),
        ]
        for each in speeds
        if each.work.group == "memory"
    ]
    return table(head, rows)


def product_table(speeds: Sequence[Speed]) -> str:
    head = ["work", OURS, "TFLOP/s", "of cuBLAS", TORCH, f"{TORCH} TFLOP/s", "error"]
    rows = [
        [
            each.work.name,
            _time(each, OURS),
            _rate(each, OURS, each.work.operations / 1e12),
            _part(each, TORCH),
            _time(each, TORCH),
            _rate(each, TORCH, each.work.operations / 1e12),
            _error(each),
        ]
        for each in speeds
        if each.work.group == "products"
    ]
    return table(head, rows)


def small_table(speeds: Sequence[Speed]) -> str:
    head = ["work", OURS, LAUNCHED, TORCH, "error"]
    rows = [
        [each.work.name, *(_time(each, name) for name in (OURS, LAUNCHED, TORCH)), _error(each)]
        for each in speeds
        if each.work.group == "small kernels"
    ]
    return table(head, rows)


def _time(speed: Speed, name: str) -> str:
    return duration(speed.seconds[name]) if name in speed.seconds else NONE


def _rate(speed: Speed, name: str, amount: float) -> str:
    return f"{amount / speed.seconds[name]:.4g}" if name in speed.seconds else NONE


def _part(speed: Speed, of: str) -> str:
    """The time of another as a part of Stepwell's."""
    taken = speed.seconds
    return f"{taken[of] / taken[OURS]:.0%}" if of in taken and OURS in taken else NONE


def _error(speed: Speed) -> str:
    return NONE if speed.error is None else f"{speed.error:.0e}"
