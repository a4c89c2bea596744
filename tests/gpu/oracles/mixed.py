"""Comparisons and conversions, whose operands are integers or floats."""

from collections.abc import Mapping
from fractions import Fraction
from math import inf, isfinite, isinf, isnan
from operator import eq, ge, gt, le, lt, ne

from oracles.formats import FORMATS, Number, exact, flushed, integral
from oracles.whole import How, Oracle, bits_of

TESTS = {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge}
TESTS |= {"lo": lt, "ls": le, "hi": gt, "hs": ge}
JOINED = {"and": lambda a, b: a and b, "or": lambda a, b: a or b, "xor": lambda a, b: a != b}


def holds(test: str, a: float, b: float) -> bool:
    unordered = isnan(a) or isnan(b)
    if test in ("num", "nan"):
        return unordered == (test == "nan")
    if test in TESTS:
        return not unordered and TESTS[test](a, b)
    return unordered or TESTS[test.removesuffix("u")](a, b)


def predicate(how: How, a: float, b: float, c: bool | None = None) -> tuple[bool, bool]:
    found = holds(how["test"], a, b)
    if c is None:
        return found, not found
    join = JOINED[how["join"]]
    return join(found, c), join(not found, c)


def number(how: How, a: float, b: float) -> object:
    found = holds(how["test"], a, b)
    return exact(float(found)) if how["to"] == "f32" else -found


def convert(how: How, a: float) -> object:
    if how["to"][0] in "us":
        return to_integer(how, a, how["to"], how["of"])
    if "whole" in how:
        return to_whole(a, how["whole"][:2])
    return exact(a) if how["of"][0] not in "us" else Fraction(a) or 0.0


def to_whole(a: float, rounding: str) -> Number:
    if not isfinite(a):
        return a
    size = integral(abs(Fraction(a)), rounding, a < 0)
    return Fraction(-size if a < 0 else size) if size else a * 0.0


def to_integer(how: How, a: float, to: str, of: str) -> int:
    bits = bits_of(to)
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if to[0] == "s" else (0, (1 << bits) - 1)
    if of[0] in "us":
        return min(max(int(a), least), most) if "sat" in how else int(a)
    if isnan(a):
        return 1 << bits - 1 if bits == 64 or of == "f64" else 0
    if isinf(a):
        return most if a == inf else least
    size = integral(abs(Fraction(a)), how["whole"][:2], a < 0)
    return min(max(-size if a < 0 else size, least), most)


def select(how: How, a: float, b: float, c: float) -> float:
    """`slct`."""
    return a if (flushed(c, FORMATS["f32"]) if "ftz" in how else c) >= 0 else b


ORACLES: Mapping[str, Oracle] = {
    "setp": predicate,
    "set": number,
    "slct": select,
    "cvt": convert,
}
"""By the first word of a form."""
