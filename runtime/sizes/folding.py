"""The normal forms of floordiv, mod, min and max of polynomials.

A size that divides by zero has no value, so a rule may assume that divisors are not zero:
floordiv(B*S, S) is B, also where S is 0. Symbols are never negative, and the rules use that too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias, TypeGuard

from stepwell.runtime.sizes.bounds import is_never_negative
from stepwell.runtime.sizes.intervals import of_atom
from stepwell.runtime.sizes.polynomial import (
    ONE,
    ZERO,
    Atom,
    Call,
    Polynomial,
    Term,
    atom,
    collect,
    constant,
    content,
    divide,
    in_text_order,
    over,
    replaced,
    without,
)

Extremum: TypeAlias = Literal["min", "max"]

_NOTHING_SHARED: Term = ((), 1)


def floordiv(dividend: Polynomial, divisor: Polynomial) -> Polynomial:
    """dividend / divisor, rounded down. Raises ValueError when the divisor is the constant 0."""
    _refuse_zero(dividend, divisor, "floordiv")
    if divisor.terms[0][1] < 0:
        dividend, divisor = -dividend, -divisor
    quotient, rest = divide(dividend, divisor)
    known = _known_quotient(rest, divisor)
    if known is not None:
        return quotient + known
    shared = content((rest, divisor))
    if shared != _NOTHING_SHARED:
        return quotient + floordiv(without(rest, shared), without(divisor, shared))
    inner = _nested_division(rest, divisor)
    return quotient + (floordiv(*inner) if inner else atom(Call("floordiv", (rest, divisor))))


def mod(dividend: Polynomial, divisor: Polynomial) -> Polynomial:
    """dividend - divisor * floordiv(dividend, divisor): a remainder with the divisor's sign."""
    _refuse_zero(dividend, divisor, "mod")
    if divisor.terms[0][1] < 0:
        return -mod(-dividend, -divisor)
    _, rest = divide(_without_mods(dividend, divisor), divisor)
    known = _known_quotient(rest, divisor)
    if known is not None:
        return rest - known * divisor
    shared = content((rest, divisor))
    if shared != _NOTHING_SHARED:
        return Polynomial((shared,)) * mod(without(rest, shared), without(divisor, shared))
    return atom(Call("mod", (rest, divisor)))


def extremum(function: Extremum, arguments: Iterable[Polynomial]) -> Polynomial:
    """The least or greatest of `arguments`: flat, sorted, without those that never count.

    What the arguments share stands outside: max(B - 1, 0) is max(B, 1) - 1, so that taking one
    element off twice is taking two off: max(max(B, 1) - 2, 0) is max(B, 2) - 2.
    """
    flat = {each for argument in arguments for each in _alternatives(function, argument)}
    kept = _undominated(function, sorted(flat, key=in_text_order))
    if len(kept) == 1:
        return kept[0]
    shared = _shared(kept)
    rests = [each - shared for each in kept]
    factor = _positive_content(rests)
    rests = sorted((without(each, factor) for each in rests), key=in_text_order)
    return shared + Polynomial((factor,)) * atom(Call(function, tuple(rests)))


def _refuse_zero(dividend: Polynomial, divisor: Polynomial, function: str) -> None:
    if divisor == ZERO:
        raise ValueError(f"{function}({dividend}, 0) divides by zero")


def _known_quotient(dividend: Polynomial, divisor: Polynomial) -> Polynomial | None:
    """The quotient where it is the same for all values of the symbols: -1 for floordiv(-1, B)."""
    if not dividend.terms:
        return ZERO
    if is_never_negative(divisor - dividend - ONE) and is_never_negative(dividend):
        return ZERO
    low, high = of_atom(Call("floordiv", (dividend, divisor)), {})
    return constant(int(low)) if low == high else None


def _nested_division(
    dividend: Polynomial, divisor: Polynomial
) -> tuple[Polynomial, Polynomial] | None:
    """floordiv(floordiv(x, y) + c, d) is floordiv(x + c*y, y*d) for integers c and d > 0."""
    monomial, coefficient = dividend.terms[0]
    rest = dividend - Polynomial(((monomial, coefficient),))
    if divisor.constant is None or rest.constant is None or coefficient != 1 or len(monomial) != 1:
        return None
    inner = monomial[0]
    if not isinstance(inner, Call) or inner.function != "floordiv":
        return None
    x, y = inner.arguments
    return x + rest * y, y * divisor


def _without_mods(dividend: Polynomial, divisor: Polynomial) -> Polynomial:
    """mod(mod(x, y), d) is mod(x, d) when d divides y."""
    values: dict[Atom, Polynomial] = {}
    for each in dividend.atoms:
        if isinstance(each, Call) and each.function == "mod":
            x, y = each.arguments
            if divide(y, divisor)[1] == ZERO:
                values[each] = x
    return replaced(dividend, values) if values else dividend


def _alternatives(function: Extremum, argument: Polynomial) -> list[Polynomial]:
    """The arguments of which `argument` is the extremum, where it holds that one and no other."""
    hits = [(term, each) for term in argument.terms for each in term[0] if _is_extremum(each)]
    if len(hits) != 1:
        return [argument]
    (monomial, coefficient), inner = hits[0]
    factor = Polynomial(((over(monomial, (inner,)) or (), coefficient),))
    if inner.function != function or not is_never_negative(factor):
        return [argument]
    rest = argument - factor * atom(inner)
    return [y for x in inner.arguments for y in _alternatives(function, rest + factor * x)]


def _undominated(function: Extremum, arguments: Sequence[Polynomial]) -> list[Polynomial]:
    """`arguments` without those that another one makes needless."""
    kept: list[Polynomial] = []
    for each in arguments:
        if any(_dominates(function, other, each) for other in kept):
            continue
        kept = [other for other in kept if not _dominates(function, each, other)] + [each]
    return kept


def _dominates(function: Extremum, one: Polynomial, other: Polynomial) -> bool:
    return is_never_negative(other - one if function == "min" else one - other)


def _shared(polynomials: Sequence[Polynomial]) -> Polynomial:
    """Each monomial with the least coefficient that it has in any of `polynomials`.

    Those with a min or max stay where they are, for `_alternatives` to see.
    """
    tables = [dict(polynomial.terms) for polynomial in polynomials]
    monomials = {
        monomial for table in tables for monomial in table if not any(map(_is_extremum, monomial))
    }
    return collect((each, min(table.get(each, 0) for table in tables)) for each in monomials)


def _is_extremum(value: Atom) -> TypeGuard[Call]:
    return isinstance(value, Call) and value.function in ("min", "max")


def _positive_content(polynomials: Sequence[Polynomial]) -> Term:
    monomial, coefficient = content(polynomials)
    known = (each for each in monomial if is_never_negative(atom(each)))
    return tuple(each for each in known if not _is_extremum(each)), coefficient
