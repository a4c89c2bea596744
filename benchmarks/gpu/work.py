"""What is measured on a card: functions in Stepwell's words and PyTorch's, and exact answers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy
from numpy.typing import NDArray

import stepwell.numpy as np
from stepwell.runtime.dtypes import BY_NAME

Group = Literal["memory", "products", "small kernels"]
CHECKED = 64
"""Rows of a result that are computed in f64."""


@final
@dataclass(frozen=True)
class Sizes:
    """What maps and rows move has `elements` of f32, in rows of `row`; products have `side` by
    `side`, small ones `small`, of which there are `steps`, one after the other."""

    elements: int
    row: int
    side: int
    small: int
    steps: int


FULL = Sizes(elements=1 << 28, row=2048, side=4096, small=64, steps=32)
"""1 GiB, and more than any card's caches."""
TINY = Sizes(elements=1 << 10, row=64, side=16, small=8, steps=3)
"""For the emulated card: to see that everything runs."""


@final
@dataclass(frozen=True)
class Work:
    """A function of arrays of these shapes, in a dtype, which moves some bytes and takes some
    operations at least. `torch` is the peer's, which gets the module first; `exact` is NumPy's, of
    the first input's first rows in f64, and may be off by the part `error` of its largest element.
    """

    name: str
    group: Group
    function: Callable[..., Any]
    torch: Callable[..., Any]
    exact: Callable[..., NDArray[Any]]
    shapes: tuple[tuple[int, ...], ...]
    dtype: str = "f32"
    bytes: int = 0
    operations: int = 0
    error: float = 1e-5
    checked: int | None = CHECKED

    def specs(self) -> list[str]:
        return [f"{self.dtype}[{', '.join(map(str, shape))}]" for shape in self.shapes]

    def inputs(self) -> list[NDArray[Any]]:
        """Random numbers of either sign, whose mean is not 0."""
        random = numpy.random.default_rng(1)
        drawn = (random.random(shape, numpy.float32) - numpy.float32(0.25) for shape in self.shapes)
        return [each.astype(BY_NAME[self.dtype].numpy, copy=False) for each in drawn]

    def difference(self, inputs: list[NDArray[Any]], answer: NDArray[Any]) -> float:
        """The greatest error of the rows that are checked, as a part of the greatest element."""
        first, *rest = inputs
        wide = [each.astype(numpy.float64) for each in (first[: self.checked], *rest)]
        wanted = self.exact(*wide)
        found = answer if answer.ndim == 0 else answer[: self.checked]
        found = found.astype(numpy.float64)
        return float(numpy.max(numpy.abs(found - wanted)) / numpy.max(numpy.abs(wanted)))


def works(sizes: Sizes) -> Iterator[Work]:
    """All of it, in the order of the report."""
    yield from _maps(sizes)
    yield from _rows(sizes)
    yield from _products(sizes)
    yield _small(sizes)


def _maps(sizes: Sizes) -> Iterator[Work]:
    half, quarter = (sizes.elements // part for part in (2, 4))
    moved = 4 * sizes.elements
    yield Work(
        "2 x + 1",
        "memory",
        lambda x: x * 2 + 1,
        lambda torch, x: torch.add(1, x, alpha=2),
        lambda x: x * 2 + 1,
        ((half,),),
        bytes=moved,
    )
    yield Work(
        "x y + z",
        "memory",
        lambda x, y, z: x * y + z,
        lambda torch, x, y, z: torch.addcmul(z, x, y),
        lambda x, y, z: x * y[:CHECKED] + z[:CHECKED],
        ((quarter,),) * 3,
        bytes=moved,
    )


def _rows(sizes: Sizes) -> Iterator[Work]:
    rows, row = sizes.elements // sizes.row, sizes.row
    moved = 4 * sizes.elements
    yield Work(
        "sums of rows",
        "memory",
        lambda x: np.sum(x, axis=1),
        lambda torch, x: x.sum(1),
        lambda x: x.sum(1),
        ((rows, row),),
        bytes=moved,
    )
    yield Work(
        "sum of all",
        "memory",
        lambda x: np.sum(x),
        lambda torch, x: x.sum(),
        lambda x: x.sum(),
        ((rows, row),),
        bytes=moved,
        checked=None,
    )
    yield Work(
        "softmax",
        "memory",
        _softmax,
        lambda torch, x: torch.softmax(x, 1),
        _exact_softmax,
        ((rows // 2, row),),
        bytes=moved,
    )
    yield Work(
        "layer norm",
        "memory",
        _norm,
        lambda torch, x, w, b: torch.nn.functional.layer_norm(x, (row,), w, b),
        _exact_norm,
        ((rows // 2, row), (row,), (row,)),
        bytes=moved,
    )


def _products(sizes: Sizes) -> Iterator[Work]:
    side = sizes.side
    for dtype, error in (("f32", 3e-5), ("bf16", 1e-2)):
        yield Work(
            f"{dtype} {side}³",
            "products",
            lambda x, y: x @ y,
            lambda torch, x, y: x @ y,
            lambda x, y: x @ y,
            ((side, side),) * 2,
            dtype=dtype,
            operations=2 * side**3,
            error=error,
        )


def _small(sizes: Sizes) -> Work:
    side, steps = sizes.small, sizes.steps

    def chain(tanh: Callable[[Any], Any], x: Any, w: Any) -> Any:
        for _ in range(steps):
            x = tanh(x @ w)
        return x

    return Work(
        f"tanh(x w) {steps} times, {side}²",
        "small kernels",
        lambda x, w: chain(np.tanh, x, w),
        lambda torch, x, w: chain(torch.tanh, x, w),
        lambda x, w: chain(numpy.tanh, x, w),
        ((side, side),) * 2,
        error=1e-3,
    )


def _softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def _exact_softmax(x: NDArray[Any]) -> NDArray[Any]:
    e = numpy.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _norm(x: Any, w: Any, b: Any) -> Any:
    centred = x - np.mean(x, axis=1, keepdims=True)
    square = np.mean(centred * centred, axis=1, keepdims=True)
    return centred / np.sqrt(square + 1e-5) * w + b


def _exact_norm(x: NDArray[Any], w: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    centred = x - x.mean(1, keepdims=True)
    return centred / numpy.sqrt((centred * centred).mean(1, keepdims=True) + 1e-5) * w + b
