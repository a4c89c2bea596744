"""The plot: a bar for each workload, from 1 to the ratio to the fastest peer."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot, ticker

from benchmarks.ratios import Found, ratio

COLORS = {1: ("#9ecae1", "#f4b183"), 2: ("#2b6ca3", "#c0504d")}
"""By threads: ahead of the peers, and behind."""


def draw(speeds: Sequence[Found], file: Path) -> None:
    """Writes a picture in the format that the file's name ends with."""
    mpl.use("agg")
    labels = list(dict.fromkeys(each["name"] for each in speeds))
    threads = sorted({each["threads"] for each in speeds})
    figure, axes = pyplot.subplots(figsize=(9, 1.6 + 0.2 * len(labels)), layout="constrained")
    height = 0.8 / len(threads)
    for number, count in enumerate(threads):
        for each in speeds:
            found = ratio(each)
            if each["threads"] != count or found is None:
                continue
            ahead, behind = COLORS.get(count, COLORS[2])
            place = labels.index(each["name"]) + (number - (len(threads) - 1) / 2) * height
            color = ahead if found >= 1 else behind
            axes.barh(place, found - 1, height, left=1, color=color)
    for count in threads:
        ahead, behind = COLORS.get(count, COLORS[2])
        name = f"{count} thread{'s' if count > 1 else ''}"
        axes.barh(0, 0, color=ahead, label=f"{name}, ahead")
        axes.barh(0, 0, color=behind, label=f"{name}, behind")
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.axvline(1, color="black", linewidth=0.8)
    axes.grid(axis="x", which="both", linewidth=0.3)
    axes.set_axisbelow(True)
    axes.set_xlabel("time of the fastest peer / time of Stepwell")
    figure.legend(fontsize=7, loc="outside upper right", ncols=2 * len(threads))
    figure.savefig(file, dpi=130)
    pyplot.close(figure)
