"""Matrix products: of cubes, of few rows, with a vector, of bytes, and with weights that never
change."""

from collections.abc import Iterator
from typing import Any, Literal

from benchmarks.workloads.workload import Workload, bytes_of, normal

CUBES = (64, 128, 256, 512, 1024, 2048)
ROWS = (1, 8, 16, 32, 128)
WIDTH, WIDE = 768, 3072
Byte = Literal["i1", "u1"]
BYTES: tuple[Byte, ...] = ("u1", "i1")


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
    for dtype in BYTES:
        for n in (256, 1024):
            yield byte_product(dtype, n, n, n)
        for rows in (16, 128):
            yield byte_linear(dtype, rows, WIDTH, WIDE)


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


def byte_product(dtype: Byte, m: int, k: int, n: int) -> Workload:
    """Bytes of this kind by bytes with signs; the sums have 32 bits."""
    return Workload(
        f"bytes {dtype} by i1 {m}x{k}x{n}",
        "products of bytes",
        lambda words, weights, x, y: words.byte_product(x, y),
        [bytes_of(dtype, m, k), bytes_of("i1", k, n)],
        error=0,
    )


def byte_linear(dtype: Byte, m: int, k: int, n: int) -> Workload:
    """The second factor may be packed beforehand."""
    return Workload(
        f"linear bytes {dtype} by i1 {m}x{k}x{n}",
        "products of bytes",
        lambda words, weights, x: words.byte_product(x, weights["w"]),
        [bytes_of(dtype, m, k)],
        {"w": bytes_of("i1", k, n)},
        error=0,
    )


def _product(words: Any, weights: Any, x: Any, y: Any) -> Any:
    return x @ y
