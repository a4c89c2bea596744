"""Instructions on floats; the test rounds what they give, and flushes and saturates as told."""

from collections.abc import Mapping
from fractions import Fraction
from math import copysign, inf, isfinite, isinf, isnan, isqrt, nan

import mpmath
from mpmath.libmp import to_rational

from oracles.formats import FORMATS, Number, exact, power
from oracles.whole import How, Oracle


def total(how: How, a: Number, b: float) -> Number:
    """a + b, of which a may be exact already."""
    if isinstance(a, Fraction) and isfinite(b):
        found = a + Fraction(b)
        return found or (-0.0 if how.get("rnd") == "rm" else 0.0)
    if isinstance(a, Fraction):
        return b
    if a == 0 and b == 0:
        negative = [copysign(1, float(x)) < 0 for x in (a, b)]
        return -0.0 if (any if how.get("rnd") == "rm" else all)(negative) else 0.0
    return exact(a + b)


def product(how: How, a: float, b: float) -> Number:
    if isfinite(a) and isfinite(b) and a and b:
        return Fraction(a) * Fraction(b)
    return a * b


def quotient(how: How, a: float, b: float) -> Number:
    if isnan(a) or isnan(b) or (isinf(a) and isinf(b)) or (a == 0 and b == 0):
        return nan
    sign = copysign(1, a) * copysign(1, b)
    if isinf(a) or b == 0:
        return sign * inf
    if a == 0 or isinf(b):
        return sign * 0.0
    return Fraction(a) / Fraction(b)


def division(how: How, a: float, b: float) -> Number:
    if how.get("how") == "approx" and isfinite(b) and abs(b) >= 2.0**126 and not isnan(a):
        return nan if isinf(a) else copysign(0.0, a) * copysign(1, b)
    return quotient(how, a, b)


def root(how: How, a: float) -> Number:
    """Between two neighbours of some 100 bits where it is not exact."""
    if a <= 0 or not isfinite(a):
        return nan if a < 0 else a
    scaled = Fraction(a) * power(2 * (700 if a < 1 else 60))
    below = isqrt(int(scaled))
    half = Fraction(1, 2) if below * below != scaled else 0
    return (below + half) / power(700 if a < 1 else 60)


def less(how: How, a: float, b: float) -> Number:
    if isnan(a) or isnan(b):
        return nan if "nan" in how else exact(b if isnan(a) else a)
    return exact(min(a, b, key=lambda x: (x, copysign(1, x))))


def greater(how: How, a: float, b: float) -> Number:
    if isnan(a) or isnan(b):
        return nan if "nan" in how else exact(b if isnan(a) else a)
    return exact(max(a, b, key=lambda x: (x, copysign(1, x))))


def kind(how: How, a: float) -> bool:
    tiny = FORMATS[how["type"]].tiny
    return {
        "finite": isfinite(a),
        "infinite": isinf(a),
        "number": not isnan(a),
        "notanumber": isnan(a),
        "normal": isfinite(a) and abs(a) >= tiny,
        "subnormal": 0 < abs(a) < tiny,
    }[how["property"]]


def smooth(name: str) -> Oracle:
    """A function of mpmath, in 200 bits."""

    def oracle(how: How, a: float) -> Number:
        if isnan(a):
            return nan
        with mpmath.workprec(200):
            return _smooth(name, a)

    return oracle


def _smooth(name: str, a: float) -> Number:
    if name in ("sin", "cos"):
        return nan if isinf(a) else _number(getattr(mpmath, name)(a), a)
    if name == "tanh":
        return copysign(1.0, a) if isinf(a) or abs(a) > 400 else _number(mpmath.tanh(a), a)
    if name == "exp2":
        if isinf(a) or abs(a) > 2000:
            return inf if a > 0 else 0.0
        return _number(mpmath.mpf(2) ** a, 1.0)
    if a < 0:
        return nan
    if name == "rsqrt":
        return 0.0 if isinf(a) else _number(1 / mpmath.sqrt(a), 1.0) if a else copysign(inf, a)
    return -inf if a == 0 else inf if isinf(a) else _number(mpmath.log(a, 2), 1.0)


def _number(x: mpmath.mpf, sign: float) -> Number:
    return Fraction(*to_rational(x._mpf_)) if x else copysign(0.0, sign)


ORACLES: Mapping[str, Oracle] = {
    "add": lambda how, a, b: total(how, exact(a), b),
    "sub": lambda how, a, b: total(how, exact(a), -b),
    "mul": product,
    "fma": lambda how, a, b, c: total(how, product(how, a, b), c),
    "div": division,
    "rcp": lambda how, a: quotient(how, 1.0, a),
    "sqrt": root,
    "neg": lambda how, a: exact(-a),
    "abs": lambda how, a: exact(abs(a)),
    "copysign": lambda how, a, b: exact(copysign(b, a)),
    "min": less,
    "max": greater,
    "testp": kind,
    "rsqrt": smooth("rsqrt"),
    "sin": smooth("sin"),
    "cos": smooth("cos"),
    "lg2": smooth("log2"),
    "ex2": smooth("exp2"),
    "tanh": smooth("tanh"),
}
"""By the first word of a form."""
