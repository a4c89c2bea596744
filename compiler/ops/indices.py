"""Indices of scalar programs: affine combinations of axes and other index values."""

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.loop.types import Affine
from stepwell.compiler.dialects.sizes import Shape
from stepwell.runtime.sizes import Size

ZERO = Size.of(0)
ONE = Size.of(1)


@dataclass(frozen=True, eq=False)
class Index:
    """`sum of coefficient * value, plus offset`. Values are axes of a nest or computed indices."""

    terms: Mapping[SSAValue, Size]
    offset: Size

    @staticmethod
    def of(value: "Index | Size | int") -> "Index":
        return value if isinstance(value, Index) else Index({}, Size.of(value))

    @staticmethod
    def axis(value: SSAValue) -> "Index":
        return Index({value: ONE}, ZERO)

    def __add__(self, other: "Index | Size | int") -> "Index":
        other = Index.of(other)
        terms = dict(self.terms)
        for value, coefficient in other.terms.items():
            terms[value] = terms.get(value, ZERO) + coefficient
        kept = {value: factor for value, factor in terms.items() if factor != ZERO}
        return Index(kept, self.offset + other.offset)

    def __sub__(self, other: "Index | Size | int") -> "Index":
        return self + Index.of(other) * -1

    def __mul__(self, factor: Size | int) -> "Index":
        size = Size.of(factor)
        if size in (ZERO, ONE):
            return Index({}, ZERO) if size == ZERO else self
        return Index({value: c * size for value, c in self.terms.items()}, self.offset * size)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for indices that are the same combination of the same values."""
        terms = sorted((id(value), coefficient) for value, coefficient in self.terms.items())
        return (*terms, self.offset)

    def affine(self, operands: list[SSAValue]) -> Affine:
        """As an attribute over numbered operands; values are appended to `operands`."""
        terms: list[tuple[Size, int]] = []
        for value, coefficient in self.terms.items():
            terms.append((coefficient, len(operands)))
            operands.append(value)
        return Affine(tuple(terms), self.offset)


def linear(at: "tuple[Index, ...]", shape: Shape) -> Index:
    """The row-major position of an index."""
    position = Index({}, ZERO)
    for index, size in zip(at, shape, strict=True):
        position = position * size + index
    return position
