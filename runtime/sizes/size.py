"""`Size`: a length that may depend on sizes known at run time only, canonical on construction."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, lru_cache, reduce
from numbers import Integral
from types import MappingProxyType
from typing import Any, Literal, SupportsIndex, TypeAlias, TypeVar, final

from stepwell.runtime.errors import StepwellError
from stepwell.runtime.sizes import folding, polynomial, text
from stepwell.runtime.sizes.bounds import bounds
from stepwell.runtime.sizes.intervals import Ranges
from stepwell.runtime.sizes.polynomial import Atom, Polynomial, Symbol

Operator: TypeAlias = Literal["add", "mul", "floordiv", "mod", "min", "max"]
T = TypeVar("T")


def _infix(
    function: Callable[[Polynomial, Polynomial], Polynomial], whole: Callable[[int, int], int]
) -> Callable[[Size, int | Size], Size]:
    """Python's operator that is these functions of polynomials and of integers."""

    def method(self: Size, other: int | Size) -> Size:
        if not _is_size(other):
            return NotImplemented
        second = Size.of(other)
        if self.static is not None and second.static is not None:
            with suppress(ZeroDivisionError):
                return _constant(whole(self.static, second.static))
        return Size(function(self.polynomial, second.polynomial))

    return method


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Size:
    """An integer polynomial over symbols and floordiv, mod, min and max of sizes.

    Symbols stand for values of 0 or more. Division rounds down; a division by zero has no value,
    and neither has a size that contains one, except that a rule may have taken it out: B*S // S
    is B. Two sizes that are equal as polynomials are equal, and a static size equals its int.
    """

    polynomial: Polynomial
    static: int | None = field(init=False)
    """The value, when it depends on no symbol."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "static", self.polynomial.constant)

    @staticmethod
    def of(value: SupportsIndex | str | Size) -> Size:
        """A size from an int, from the name of a symbol, or itself."""
        if isinstance(value, Size):
            return value
        if isinstance(value, str):
            return _symbol(value)
        return _constant(operator.index(value))

    @staticmethod
    def parse(source: str) -> Size:
        """Read what `str` writes, and `//`, `%` and parentheses besides.

        Raises `SizeSyntaxError`, a ValueError that knows the offset of the first wrong character.
        """
        return Size(text.parse(source))

    def __str__(self) -> str:
        return self.polynomial.text

    def __repr__(self) -> str:
        return f"Size.parse({str(self)!r})"

    def __reduce__(self) -> tuple[Callable[[str], Size], tuple[str]]:
        return Size.parse, (str(self),)

    def __hash__(self) -> int:
        return hash(self.polynomial)

    def __index__(self) -> int:
        """What `int` and `range` ask for. Raises StepwellError when it depends on a symbol."""
        if self.static is None:
            raise StepwellError(
                "SW0116",
                f"Python asks for the value of the size {self}, known only when the program runs",
                hint="use the size as it is in shapes and arithmetic, and scan for loops over it",
            )
        return self.static

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Size):
            return self is other or self.polynomial == other.polynomial
        if isinstance(other, int):
            return self.static == other
        return NotImplemented

    __add__ = __radd__ = _infix(Polynomial.__add__, operator.add)
    __sub__ = _infix(Polynomial.__sub__, operator.sub)
    __mul__ = __rmul__ = _infix(Polynomial.__mul__, operator.mul)
    __floordiv__ = _infix(folding.floordiv, lambda x, y: x // y)
    """Raises ValueError when the divisor is the constant 0."""
    __mod__ = _infix(folding.mod, operator.mod)
    """Raises ValueError when the divisor is the constant 0."""

    __rsub__ = _infix(lambda x, y: y - x, lambda x, y: y - x)
    __rfloordiv__ = _infix(lambda x, y: folding.floordiv(y, x), lambda x, y: y // x)
    __rmod__ = _infix(lambda x, y: folding.mod(y, x), lambda x, y: y % x)

    def __neg__(self) -> Size:
        return Size(-self.polynomial)

    def __pow__(self, other: float) -> Size:
        if not isinstance(other, int) or other < 0:
            raise _no_size(f"{self} ** {other}")
        return reduce(Size.__mul__, [self] * other, Size.of(1))

    def __truediv__(self, other: object) -> Size:
        if not isinstance(other, int | float | Size):
            return NotImplemented
        raise _no_size(f"{self} / {other}")

    def __rtruediv__(self, other: float) -> Size:
        raise _no_size(f"{other} / {self}")

    def __le__(self, other: int | Size) -> bool:
        """Raises StepwellError where the known ranges of the symbols do not decide it."""
        return _at_most(self, other, f"{self} <= {other}") if _is_size(other) else NotImplemented

    def __lt__(self, other: int | Size) -> bool:
        return _at_most(self + 1, other, f"{self} < {other}") if _is_size(other) else NotImplemented

    def __ge__(self, other: int | Size) -> bool:
        return _at_most(other, self, f"{self} >= {other}") if _is_size(other) else NotImplemented

    def __gt__(self, other: int | Size) -> bool:
        return _at_most(other, self - 1, f"{self} > {other}") if _is_size(other) else NotImplemented

    @property
    def symbols(self) -> frozenset[str]:
        return self.polynomial.symbols

    def evaluate(self, values: Mapping[str, int]) -> int:
        """The value for given symbols.

        Raises ValueError when a symbol is missing from `values` or a divisor is zero.
        """
        if self.static is not None:
            return self.static
        try:
            return self.build(int, values.__getitem__, lambda f, x, y: _ON_INTEGERS[f](x, y))
        except KeyError as error:
            raise ValueError(f"the size {self} needs a value for {error.args[0]}") from None
        except ZeroDivisionError:
            given = ", ".join(f"{name} = {values[name]}" for name in sorted(self.symbols))
            raise ValueError(f"the size {self} divides by zero for {given}") from None

    def substitute(self, values: Mapping[str, Size]) -> Size:
        """The size with sizes in the place of symbols, all at once; others stay."""
        return self.build(Size.of, lambda name: values.get(name) or Size.of(name), combine)

    def bounds(self, ranges: Ranges) -> tuple[int | None, int | None]:
        """Least and greatest value when symbols lie in `ranges`; None is no known limit."""
        low, high = bounds(self.polynomial, ranges)
        return low if isinstance(low, int) else None, high if isinstance(high, int) else None

    def build(
        self,
        constant: Callable[[int], T],
        symbol: Callable[[str], T],
        apply: Callable[[Operator, T, T], T],
    ) -> T:
        """The size computed in another algebra: integers, instructions of a program, text."""

        def whole(value: Polynomial) -> T:
            terms = [product(monomial, c) for monomial, c in value.terms]
            return reduce(lambda x, y: apply("add", x, y), terms) if terms else constant(0)

        def product(monomial: tuple[Atom, ...], coefficient: int) -> T:
            factors = [single(each) for each in monomial]
            if coefficient != 1 or not factors:
                factors.append(constant(coefficient))
            return reduce(lambda x, y: apply("mul", x, y), factors)

        def single(value: Atom) -> T:
            if isinstance(value, Symbol):
                return symbol(value.name)
            function = value.function
            return reduce(lambda x, y: apply(function, x, y), map(whole, value.arguments))

        return whole(self.polynomial)


KNOWN: ContextVar[Ranges] = ContextVar("known", default=MappingProxyType({}))
"""The ranges of symbols that decide comparisons by Python's operators in this scope."""


def _is_size(value: object) -> bool:
    """Whether Python's operators take a value for a size: an Array has operators of its own."""
    if isinstance(value, float):
        raise _no_size(str(value))
    return isinstance(value, Size | Integral)


def _no_size(text: str) -> StepwellError:
    return StepwellError(
        "SW0153",
        f"a size is an integer, and {text} is none",
        hint="divide with //, or make the size an array: stepwell.numpy.asarray(x.shape[0])",
    )


def _at_most(one: int | Size, other: int | Size, text: str) -> bool:
    difference = Size.of(one) - other
    low, high = bounds(difference.polynomial, KNOWN.get())
    if high <= 0 or low > 0:
        return high <= 0
    raise StepwellError(
        "SW0116",
        f"Python asks whether {text}, known only when the program runs",
        hint="give the symbol a range that decides it, as in f32[B: 4..]; or use cond",
    )


def smallest(first: int | Size, *others: int | Size) -> Size:
    """The least of some sizes."""
    return Size(folding.extremum("min", [Size.of(each).polynomial for each in (first, *others)]))


def largest(first: int | Size, *others: int | Size) -> Size:
    """The greatest of some sizes."""
    return Size(folding.extremum("max", [Size.of(each).polynomial for each in (first, *others)]))


_INFIX: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "mul": operator.mul,
    "floordiv": lambda a, b: a // b,
    "mod": operator.mod,
}
_ON_INTEGERS: dict[str, Callable[[int, int], int]] = {**_INFIX, "min": min, "max": max}
ON_SIZES: dict[str, Callable[[Size, Size], Size]] = {**_INFIX, "min": smallest, "max": largest}
"""The operators by name."""


def combine(function: Operator, left: Size, right: Size) -> Size:
    """One operation on sizes, in normal form. Raises ValueError for a division by the size 0."""
    return ON_SIZES[function](left, right)


@cache
def _symbol(name: str) -> Size:
    if not text.is_symbol(name):
        raise ValueError(f"{name!r} cannot be the name of a size: letters, digits and _ can")
    return Size(polynomial.atom(Symbol(name)))


@lru_cache(maxsize=4096)
def _constant(value: int) -> Size:
    return Size(polynomial.constant(value))
