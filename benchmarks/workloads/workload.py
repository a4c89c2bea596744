"""A workload: a program over the words that every peer has, and the arrays that it gets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

import numpy
from numpy.typing import NDArray

Arrays = Sequence[NDArray[Any]]
Weights = Mapping[str, NDArray[Any]]
Draw = Callable[[numpy.random.Generator], NDArray[Any]]
Program = Callable[..., Any]
"""`program(words, weights, *inputs)`: an array, or a tuple of them. `words` are a peer's."""


@dataclass(frozen=True)
class Training:
    """The program gives the loss of its weights; what is timed is a step that lessens it."""

    optimizer: Literal["sgd", "adam"]
    rate: float


@dataclass(frozen=True)
class Workload:
    """What is timed is one run of the program, on inputs that differ from call to call.

    `weights` do not differ, so peers may fold and pack them. `operations`, multiplications and
    additions of floats, are counted where they limit the speed. The greatest error of an answer may
    be `error` of the greatest element of the exact one; with `outliers`, the mean error may be.
    `loops`: it has loops of many steps, which no peer should unroll. `numerics` are Stepwell's.
    """

    name: str
    group: str
    program: Program
    inputs: Sequence[Draw]
    weights: Mapping[str, Draw] = field(default_factory=dict[str, Draw])
    operations: int = 0
    error: float = 1e-5
    outliers: bool = False
    loops: bool = False
    training: Training | None = None
    numerics: Literal["strict", "fast"] = "strict"
    written: int = 0
    """Bytes of the answer, where it has been computed."""

    def drawn(self) -> tuple[Weights, Arrays]:
        """The weights and the inputs: the same ones in each process."""
        random = numpy.random.default_rng(0)
        weights = {name: draw(random) for name, draw in self.weights.items()}
        return weights, [draw(random) for draw in self.inputs]


PERIOD = 1048573
"""A prime, so that no two rows are alike."""


def normal(*shape: int, deviation: float = 1.0) -> Draw:
    """Normal numbers in f32, which repeat themselves in large arrays: drawing takes long."""

    def draw(random: numpy.random.Generator) -> NDArray[Any]:
        count = min(PERIOD, prod(shape))
        drawn = random.standard_normal(count, dtype=numpy.float32) * numpy.float32(deviation)
        return numpy.resize(drawn, shape)

    return draw


def uniform(low: float, high: float, *shape: int) -> Draw:
    """Numbers between two in f32."""
    scale, least = numpy.float32(high - low), numpy.float32(low)
    return lambda random: least + scale * random.random(shape, dtype=numpy.float32)


def integers(end: int, *shape: int) -> Draw:
    """Integers from 0 to below `end` in i64."""
    return lambda random: random.integers(0, end, shape)


def bytes_of(dtype: Literal["i1", "u1"], *shape: int) -> Draw:
    """Bytes of any value, with signs or from 0 on."""
    limits = numpy.iinfo(dtype)
    return lambda random: random.integers(limits.min, limits.max + 1, shape, dtype)


def given(array: NDArray[Any]) -> Draw:
    """This array."""
    return lambda random: array
