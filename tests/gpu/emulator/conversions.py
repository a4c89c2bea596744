"""`cvt`: between integers and floats of all widths, with rounding and saturation."""

import numpy as np

from emulator.exact import ROUNDINGS, narrow
from emulator.floats import How, Lanewise, delivered, flushed, saturated
from emulator.types import TYPES, Array, Type

EXACT = 1 << 53
"""Integers up to here are exact in f64."""


def converted(how: How) -> Lanewise:
    target, source = TYPES[how["to"]], TYPES[how["of"]]
    if source.is_float and target.is_float:
        return _float_to_float(how, target)
    if source.is_float:
        return _float_to_integer(how, source, target)
    if target.is_float:
        return _integer_to_float(how, target)
    return _integer_to_integer(how, target)


def narrower(of: str) -> str:
    """The types of integers that do not hold all numbers of another one."""
    source = TYPES[of]
    every = [each for each in TYPES.values() if each.name[0] in "us" and not each.is_packed]
    return " ".join(
        each.name
        for each in every
        if (each.bits - each.is_signed < source.bits - source.is_signed)
        or (source.is_signed and not each.is_signed)
    )


def packed(how: How) -> Lanewise:
    """Two f32 to one register: the first operand to the upper half."""
    single = _float_to_float(how, TYPES[how["to"]])
    return lambda high, low: np.stack([single(low), single(high)], 1).reshape(-1)


def _integer_to_integer(how: How, target: Type) -> Lanewise:
    if "sat" not in how:
        return lambda x: x.astype(target.dtype)
    return lambda x: _clipped(x, target)


def _clipped(x: Array, target: Type) -> Array:
    info = np.iinfo(target.dtype)
    below = x < info.min if x.dtype.kind == "i" else np.zeros(x.shape, bool)
    inside = np.where(below, info.min, x.astype(target.dtype))
    return np.where(x > info.max, info.max, inside).astype(target.dtype)


def _integer_to_float(how: How, target: Type) -> Lanewise:
    rounding = how.get("rnd", "rn")

    def run(x: Array) -> Array:
        double = target.bits == 64
        result = x.astype(np.float64) if double else narrow(_odd(x), target.dtype, rounding)
        return saturated(result) if "sat" in how else result

    return run


def _odd(x: Array) -> Array:
    """Integers as f64, rounded to odd where they are too long: 41 bits are enough here."""
    if x.itemsize < 8:
        return x.astype(np.float64)
    lost, last = x.dtype.type(0x7FF), x.dtype.type(0x800)
    long = (x > EXACT) | (x < -EXACT) if x.dtype.kind == "i" else x > EXACT
    odd = (x & ~lost) | np.where(x & lost, last, x.dtype.type(0))
    return np.where(long, odd, x).astype(np.float64)


def _float_to_integer(how: How, source: Type, target: Type) -> Lanewise:
    """Saturates; NaN gives 0, or the greatest power of two where 64 bits are involved."""
    info = np.iinfo(target.dtype)
    wide = source.bits == 64 or target.bits == 64
    nan = (info.min if target.is_signed else 1 << target.bits - 1) if wide else 0
    rounding = ROUNDINGS[how["whole"][:2]]

    def run(x: Array) -> Array:
        whole = rounding(_singles_flushed(how, x).astype(np.float64))
        below, above = whole <= float(info.min), whole >= float(info.max)
        inside = np.where(below | above | np.isnan(whole), 0, whole).astype(target.dtype)
        result = np.where(below, info.min, np.where(above, info.max, inside))
        return np.where(np.isnan(whole), nan, result).astype(target.dtype)

    return run


def rounding_of(how: How) -> str:
    """To nearest even where nothing is said, as where nothing is lost."""
    return how.get("rnd") or how.get("near") or how.get("rna") or "rn"


def _float_to_float(how: How, target: Type) -> Lanewise:
    name = "tf32" if target.name == "tf32" else ""
    rounding = rounding_of(how)

    def run(x: Array) -> Array:
        wide = _singles_flushed(how, x).astype(np.float64)
        if "whole" in how:
            result = ROUNDINGS[how["whole"][:2]](wide).astype(target.dtype)
        elif target.bits == 64:
            result = wide
        else:
            result = narrow(wide, target.dtype, rounding, name)
        return delivered(how, _singles_flushed(how, result))

    return run


def _singles_flushed(how: How, x: Array) -> Array:
    """`.ftz` of a conversion is about f32 alone."""
    return flushed(x) if "ftz" in how and x.dtype == np.float32 else x
