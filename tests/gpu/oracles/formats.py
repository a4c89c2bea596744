"""Floats of any format as exact fractions, rounded by the definition."""

from dataclasses import dataclass
from fractions import Fraction
from math import inf, isfinite, isnan
from typing import TypeAlias, final

Number: TypeAlias = "Fraction | float"
"""A fraction, or what is none: a zero with its sign, an infinity, NaN."""


@final
@dataclass(frozen=True)
class Format:
    """Bits after the first of a significand, and the least and greatest exponent."""

    digits: int
    least: int
    greatest: int

    @property
    def largest(self) -> Fraction:
        return (2 - Fraction(1, 1 << self.digits)) * power(self.greatest)

    @property
    def tiny(self) -> Fraction:
        return power(self.least)


FORMATS = {
    "f16": Format(10, -14, 15),
    "bf16": Format(7, -126, 127),
    "tf32": Format(10, -126, 127),
    "f32": Format(23, -126, 127),
    "f64": Format(52, -1022, 1023),
}


def power(exponent: int) -> Fraction:
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def exact(x: float) -> Number:
    return Fraction(x) if isfinite(x) and x != 0 else x


def integral(x: Fraction, rounding: str, negative: bool) -> int:
    """A magnitude as an integer."""
    floor, rest = divmod(x, 1)
    floor = int(floor)
    if rounding == "rn":
        return floor + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1))
    if rounding == "rna":
        return floor + (rest >= Fraction(1, 2))
    away = (rounding == "rp" and not negative) or (rounding == "rm" and negative)
    return floor + (away and rest > 0)


def rounded(x: Number, format: Format, rounding: str = "rn") -> float:
    """The number of the format that x is rounded to."""
    if not isinstance(x, Fraction):
        return x
    negative, size = x < 0, abs(x)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if power(exponent) > size:
        exponent -= 1
    unit = power(max(exponent, format.least) - format.digits)
    result: Number = integral(size / unit, rounding, negative) * unit
    if result > format.largest:
        down = rounding == "rz" or rounding == ("rp" if negative else "rm")
        result = format.largest if down else inf
    return -float(result) if negative else float(result)


def flushed(x: float, format: Format) -> float:
    if isnan(x) or abs(x) >= format.tiny or x == 0:
        return x
    return -0.0 if x < 0 else 0.0
