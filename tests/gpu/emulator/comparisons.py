"""Comparisons: `setp`, which gives predicates, `set`, which gives numbers, and who uses them."""

from collections.abc import Callable, Mapping

import numpy as np

from emulator.floats import How, Lanewise, flushed
from emulator.types import TYPES, Array

ORDERED: Mapping[str, Callable[[Array, Array], Array]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
UNSIGNED = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
UNORDERED = {f"{name}u": name for name in ORDERED}
INTEGER_TESTS = (*ORDERED, *UNSIGNED)
FLOAT_TESTS = (*ORDERED, *UNORDERED, "num", "nan")
COMBINED: Mapping[str, Callable[[Array, Array], Array]] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}


def predicate(how: How) -> Callable[..., tuple[Array, Array]]:
    """`setp`: whether it holds, and whether not; of a packed type, of the low and the high half."""
    test, type = _test(how), TYPES[how["type"]]

    def run(a: Array, b: Array, *other: Array) -> tuple[Array, Array]:
        result = test(a, b)
        one, two = (result[0::2], result[1::2]) if type.is_packed else (result, ~result)
        if not other:
            return one, two
        combine = COMBINED[how["join"]]
        return combine(one, other[0]), combine(two, other[0])

    return run


def number(how: How) -> Lanewise:
    """`set`: all bits, or 1.0, where it holds."""
    test = predicate(how)
    yes = np.float32(1) if how["to"] == "f32" else np.uint32(0xFFFFFFFF)

    def run(*operands: Array) -> Array:
        return np.where(test(*operands)[0], yes, yes.dtype.type(0))

    return run


def selected(a: Array, b: Array, condition: Array) -> Array:
    """`selp`."""
    return np.where(condition, a, b)


def selected_by_sign(how: How) -> Lanewise:
    """`slct`: a where c is not below 0."""

    def run(a: Array, b: Array, c: Array) -> Array:
        return np.where((flushed(c) if "ftz" in how else c) >= 0, a, b)

    return run


def _test(how: How) -> Callable[[Array, Array], Array]:
    name = how["test"]
    test = _named(name, TYPES[how["type"]].is_float)
    if "ftz" not in how:
        return test
    return lambda a, b: test(flushed(a), flushed(b))


def _named(name: str, floats: bool) -> Callable[[Array, Array], Array]:
    if name == "num":
        return lambda a, b: ~(np.isnan(a) | np.isnan(b))
    if name == "nan":
        return lambda a, b: np.isnan(a) | np.isnan(b)
    test = ORDERED[UNSIGNED.get(name) or UNORDERED.get(name) or name]
    if not floats:
        return test
    if name in UNORDERED:
        return lambda a, b: test(a, b) | np.isnan(a) | np.isnan(b)
    return lambda a, b: test(a, b) & ~(np.isnan(a) | np.isnan(b))
