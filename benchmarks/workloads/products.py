"""Matrix products: of cubes, of few rows, with a vector, and with weights that never change."""

from collections.abc import Iterator
from typing import Any

from benchmarks.workloads.workload import Workload, normal

CUBES = (64, 128, 256, 512, 1024, 2048)
ROWS = (1, 8, 16, 32, 128)
WIDTH, WIDE = 768, 3072


def workloads() -> Iterator[Workload]:
    for n in CUBES:
        yield product(n, n, n)
    for rows in ROWS:
        yield product(rows, WIDTH, WIDE)
    for rows in ROWS:
        yield linear(rows, WIDTH, WIDE)
    yield product(1, 4096, 4096)
    yield Workload(
        "matrix 4096² by vector",
        "products",
        _product,
        [normal(4096, 4096), normal(4096)],
        operations=2 * 4096**2,
        error=1e-4,
    )


def product(m: int, k: int, n: int) -> Workload:
    """Both factors may differ from call to call."""
    shapes = [normal(m, k), normal(k, n)]
    operations = 2 * m * k * n
    return Workload(
        f"matmul {m}x{k}x{n}", "products", _product, shapes, operations=operations, error=1e-4
    )


def linear(m: int, k: int, n: int) -> Workload:
    """The second factor may be packed beforehand."""
    return Workload(
        f"linear {m}x{k}x{n}",
        "linear layers",
        lambda words, weights, x: x @ weights["w"],
        [normal(m, k)],
        {"w": normal(k, n)},
        operations=2 * m * k * n,
        error=1e-4,
    )


def _product(words: Any, weights: Any, x: Any, y: Any) -> Any:
    return x @ y
