"""What is done to rows, to columns and to each element of large arrays."""

from collections.abc import Iterator
from typing import Any

from benchmarks.workloads.workload import Program, Workload, normal


def workloads() -> Iterator[Workload]:
    yield rows("softmax 4096x1024", lambda words, w, x: words.softmax(x), 4096, 1024)
    yield Workload(
        "layer norm 4096x768",
        "rows",
        lambda words, w, x: words.layer_norm(x, w["scale"], w["bias"]),
        [normal(4096, 768)],
        {"scale": normal(768), "bias": normal(768)},
    )
    yield rows("logsumexp 4096x1024", lambda words, w, x: words.logsumexp(x), 4096, 1024)
    yield rows("sum of 4096² by columns", lambda words, w, x: words.sum(x, 0), 4096, 4096)
    yield rows("sum of 4096² by rows", lambda words, w, x: words.sum(x, 1), 4096, 4096)
    yield Workload(
        "gelu(x w + b) of 16 M",
        "rows",
        lambda words, w, x: words.gelu(x * w["w"] + w["b"]),
        [normal(4096, 4096)],
        {"w": normal(4096), "b": normal(4096)},
    )
    yield Workload("10 ops of 1 M", "rows", ten_ops, [normal(1 << 20), normal(1 << 20)])
    yield Workload(
        "add of 16 M", "rows", lambda words, w, x, y: x + y, [normal(1 << 24), normal(1 << 24)]
    )
    yield rows(
        "transpose of 2048², + 1", lambda words, w, x: words.transpose(x, (1, 0)) + 1, 2048, 2048
    )


def rows(name: str, program: Program, *shape: int) -> Workload:
    return Workload(name, "rows", program, [normal(*shape)])


def ten_ops(words: Any, weights: Any, x: Any, y: Any) -> Any:
    """Ten elementwise ops."""
    z = words.exp(-(x * x)) + y
    return words.sqrt(z * z + 1) - words.tanh(x) * y
