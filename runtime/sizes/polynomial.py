"""Integer polynomials over atoms in one normal form, so that equal polynomials compare equal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, final

Function: TypeAlias = Literal["floordiv", "mod", "min", "max"]


@final
@dataclass(frozen=True)
class Symbol:
    """A size that is known at run time only."""

    name: str

    def __str__(self) -> str:
        return self.name


@final
@dataclass(frozen=True)
class Call:
    """A function of polynomials that is not itself a polynomial."""

    function: Function
    arguments: tuple[Polynomial, ...]

    @cached_property
    def text(self) -> str:
        return f"{self.function}({', '.join(map(str, self.arguments))})"

    def __str__(self) -> str:
        return self.text


Atom: TypeAlias = Symbol | Call
Monomial: TypeAlias = tuple[Atom, ...]
"""Atoms in order, each as often as its power; the empty product is 1."""
Term: TypeAlias = tuple[Monomial, int]
TermOrder: TypeAlias = tuple[int, list[tuple[bool, str]]]


@final
@dataclass(frozen=True, eq=False)
class Polynomial:
    """A sum of monomials with non-zero coefficients, highest degree first, then by name."""

    terms: tuple[Term, ...]

    @cached_property
    def constant(self) -> int | None:
        """The value, when no atom occurs."""
        if not self.terms:
            return 0
        monomial, coefficient = self.terms[0]
        return None if monomial else coefficient

    @cached_property
    def _hash(self) -> int:
        return hash(self.terms if self.constant is None else self.constant)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Polynomial) and self.terms == other.terms)

    def __add__(self, other: Polynomial) -> Polynomial:
        return collect((*self.terms, *other.terms))

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + -other

    def __neg__(self) -> Polynomial:
        return Polynomial(tuple((monomial, -coefficient) for monomial, coefficient in self.terms))

    def __mul__(self, other: Polynomial) -> Polynomial:
        return collect(
            (times(left, right), a * b) for left, a in self.terms for right, b in other.terms
        )

    @cached_property
    def text(self) -> str:
        if not self.terms:
            return "0"
        joined = " ".join(f"{'-' if c < 0 else '+'} {_product(m, abs(c))}" for m, c in self.terms)
        return joined[2:] if joined.startswith("+") else f"-{joined[2:]}"

    def __str__(self) -> str:
        return self.text

    @cached_property
    def atoms(self) -> tuple[Atom, ...]:
        """Every atom of the monomials, once, in order; not those inside of calls."""
        return tuple(sorted({a for monomial, _ in self.terms for a in monomial}, key=_atom_order))

    @cached_property
    def symbols(self) -> frozenset[str]:
        return frozenset(name for atom in self.atoms for name in _names(atom))


def collect(terms: Iterable[Term]) -> Polynomial:
    """The sum of `terms`, whose monomials are in order."""
    sums: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        sums[monomial] = sums.get(monomial, 0) + coefficient
    kept = [term for term in sums.items() if term[1]]
    return Polynomial(tuple(sorted(kept, key=_term_order) if len(kept) > 1 else kept))


def constant(value: int) -> Polynomial:
    return Polynomial((((), value),) if value else ())


def atom(value: Atom) -> Polynomial:
    return Polynomial((((value,), 1),))


ZERO = constant(0)
ONE = constant(1)


def divide(dividend: Polynomial, divisor: Polynomial) -> tuple[Polynomial, Polynomial]:
    """`(quotient, remainder)` with dividend = quotient * divisor + remainder, the remainder unique.

    Division by the leading term, coefficients rounded down: a remainder's coefficient at a
    multiple of the leading monomial lies in 0 … leading coefficient - 1 (which must be positive).
    """
    (lead, leading), *_ = divisor.terms
    quotient, remainder, rest = ZERO, ZERO, dividend
    while rest.terms:
        monomial, coefficient = rest.terms[0]
        factor = over(monomial, lead)
        whole = 0 if factor is None else coefficient // leading
        step = Polynomial(((factor or (), whole),)) if whole else ZERO
        left = Polynomial(((monomial, coefficient - whole * leading),))
        left = left if coefficient != whole * leading else ZERO
        quotient, remainder = quotient + step, remainder + left
        rest = rest - step * divisor - left
    return quotient, remainder


def content(polynomials: Iterable[Polynomial]) -> Term:
    """The greatest monomial and positive coefficient that divide every term of all of them."""
    terms = [term for polynomial in polynomials for term in polynomial.terms]
    shared = Counter(terms[0][0])
    for monomial, _ in terms[1:]:
        shared &= Counter(monomial)
    return in_order(shared.elements()), math.gcd(*(coefficient for _, coefficient in terms))


def without(polynomial: Polynomial, factor: Term) -> Polynomial:
    """`polynomial` divided by a factor that divides each of its terms."""
    monomial, coefficient = factor
    return Polynomial(
        tuple((over(m, monomial) or (), c // coefficient) for m, c in polynomial.terms)
    )


def in_order(atoms: Iterable[Atom]) -> Monomial:
    return tuple(sorted(atoms, key=_atom_order))


def times(left: Monomial, right: Monomial) -> Monomial:
    if not left or not right:
        return left or right
    return in_order((*left, *right))


def over(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    """The quotient of two monomials, or None when the second does not divide the first."""
    left = Counter(monomial)
    left.subtract(divisor)
    return None if min(left.values(), default=0) < 0 else in_order(left.elements())


def replaced(polynomial: Polynomial, values: Mapping[Atom, Polynomial]) -> Polynomial:
    """`polynomial` with polynomials in the place of some of its atoms."""
    total = ZERO
    for monomial, coefficient in polynomial.terms:
        product = constant(coefficient)
        for each in monomial:
            product = product * values.get(each, atom(each))
        total = total + product
    return total


def in_text_order(polynomial: Polynomial) -> list[tuple[TermOrder, int]]:
    """A sort key: symbols before numbers."""
    return [(_term_order(term), term[1]) for term in polynomial.terms]


def _atom_order(value: Atom) -> tuple[bool, str]:
    return isinstance(value, Call), str(value)


def _term_order(term: Term) -> TermOrder:
    return -len(term[0]), [_atom_order(each) for each in term[0]]


def _product(monomial: Monomial, coefficient: int) -> str:
    factors = [str(each) for each in monomial]
    return "*".join(factors if coefficient == 1 and factors else [str(coefficient), *factors])


def _names(value: Atom) -> Iterator[str]:
    if isinstance(value, Symbol):
        yield value.name
    else:
        for argument in value.arguments:
            yield from argument.symbols
