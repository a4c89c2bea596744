"""Every row of the table against Python's integers and fractions, thread by thread."""

import math
import re
import zlib
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import lanewise
import under_test
from emulator.floats import NANS
from emulator.rows import Kind, Row
from emulator.syntax import Instruction
from emulator.table import TABLE
from emulator.types import UNSIGNED, Array, Type
from oracles import mixed, real, whole
from oracles.formats import FORMATS, Format, exact, flushed, rounded

MOST = 60
"""Mnemonics of one row that are tried; of a row with more, every modifier is among them."""
CONSTANTS = 8
"""How many are tried of an operand that is one."""
BITWISE = ("neg", "abs", "copysign", "mov", "selp", "slct")
"""What leaves the bits of a NaN as they are, up to the sign."""
APPROXIMATE = re.compile(r"\.approx|div\.full")
NEAR = {2: (2.0**-8, 2.0**-14), 4: (2.0**-20, 2.0**-126)}
"""How near the approximations of a card are, by the bytes of a number; the emulator's are exact."""
LANEWISE = [row for row in TABLE.rows if row.kind is Kind.LANES]
ADDRESSES = ("cvta{.to}.space.type", "isspacep.space")
"""Tested with the memory that they are about."""


def oracle_of(row: Row, types: list[Type]) -> whole.Oracle:
    """A KeyError says that a row has none."""
    if any(each.is_float for each in types) and row.name in real.ORACLES:
        return real.ORACLES[row.name]
    return mixed.ORACLES.get(row.name) or whole.ORACLES[row.form]


def has(processor: str) -> bool:
    """Whether what the tests run on has what this processor has."""
    return under_test.is_emulated() or under_test.card().runs(processor)


def mnemonics(row: Row) -> list[str]:
    every = [each for each in row.mnemonics() if has(lanewise.processor(each))]
    if len(every) <= MOST:
        return every
    random = np.random.default_rng(zlib.crc32(row.form.encode()))
    chosen = [every[each] for each in random.permutation(len(every))[:MOST]]
    for _, choices, _ in row.parts():
        for part in choices:
            if not any(f".{part}" in f"{each}." for each in chosen):
                chosen.append(next(each for each in every if f".{part}." in f"{each}."))
    return chosen


@pytest.mark.device
@pytest.mark.parametrize("row", [row for row in LANEWISE if row.form not in ADDRESSES], ids=str)
def test_instructions_give_what_the_manual_says(row: Row) -> None:
    random = np.random.default_rng(zlib.crc32(row.form.encode()))
    fixed = lanewise.constants(row)
    for mnemonic in mnemonics(row) * (CONSTANTS if fixed else 1):
        found, how = TABLE.find(Instruction(0, mnemonic, mnemonic, ()))
        results, sources = lanewise.types_of(found, how)
        given = [lanewise.values(each, random) for each in sources]
        near(found, given)
        for place in fixed:
            given[place][:] = random.integers(256)
        actual = lanewise.run(mnemonic, results, sources, given, fixed)
        wanted = expected(found, how, results, sources, given)
        for one, two, type in zip(actual, wanted, results, strict=True):
            same = alike(found, one, two, type)
            if type.is_float and APPROXIMATE.search(mnemonic) and not under_test.is_emulated():
                same |= np.isclose(one, two, *NEAR[one.itemsize], equal_nan=True)
            where = np.flatnonzero(~same)
            assert same.all(), (
                f"{mnemonic}: {[each[where[0]] for each in given if where[0] < each.size]} gives "
                f"{one[where[0]]}, not {two[where[0]]}"
            )


def near(row: Row, given: list[Array]) -> None:
    """Where sums cancel, and where a third operand is close to a product."""
    if row.name in ("add", "sub", "fma", "setp", "set", "min", "max") and len(given) > 1:
        last = given[2] if row.name == "fma" else given[1]
        if last.dtype == given[0].dtype:
            with np.errstate(all="ignore"):
                product = given[0] * given[1] if row.name == "fma" else given[0]
                last[::5] = -product[::5] if row.name in ("add", "fma") else product[::5]


def alike(row: Row, one: Array, two: Array, type: Type) -> Array:
    same = one.view(UNSIGNED[8 * one.itemsize]) == two.view(UNSIGNED[8 * two.itemsize])
    if type.is_float and (row.name in BITWISE or type.bits == 64):
        return same | (np.isnan(one) & np.isnan(two))
    return same


def expected(
    row: Row, how: whole.How, results: list[Type], sources: list[Type], given: list[Array]
) -> list[Array]:
    oracle = oracle_of(row, sources)
    columns = [_operands(row, how, each) for each in given]
    if row.name == "setp" and sources[0].is_packed:
        return _halves(how, oracle, columns)
    if row.signature.sources == ("of", "of"):
        pairs = zip(*columns, strict=True)
        columns = [[half for high, low in pairs for half in (low, high)]]
    rows = [oracle(how, *each) for each in zip(*columns, strict=True)]
    several = [each if isinstance(each, tuple) else (each,) for each in rows]
    return [
        _encoded(row, how, list(each), type)
        for each, type in zip(zip(*several, strict=True), results, strict=False)
    ]


def _halves(how: whole.How, oracle: whole.Oracle, columns: list[list[Any]]) -> list[Array]:
    """A packed comparison tells of the low half, and of the high one."""
    (a, b), joined = columns[:2], columns[2:]
    low = zip(a[0::2], b[0::2], *joined, strict=True)
    high = zip(a[1::2], b[1::2], *joined, strict=True)
    return [np.array([oracle(how, *each)[0] for each in half]) for half in (low, high)]


def _operands(row: Row, how: whole.How, array: Array) -> list[Any]:
    found = lanewise.scalars(array)
    if not _flushes(row, how, array.dtype):
        return found
    return [flushed(each, _format(array.dtype)) for each in found]


def _flushes(row: Row, how: whole.How, dtype: Any) -> bool:
    """A conversion flushes f32 alone, and `slct` no more than what it looks at."""
    if "ftz" not in how or row.name == "slct" or dtype.kind in "biu":
        return False
    return row.name != "cvt" or dtype == np.float32


def _format(dtype: Any) -> Format:
    return FORMATS[dtype.name.replace("bfloat", "bf").replace("float", "f")]


def _encoded(row: Row, how: whole.How, found: list[Any], type: Type) -> Array:
    if type.name == "pred":
        return np.array(found, np.bool_)
    if not type.is_float:
        return _wrapped(found, type)
    format = FORMATS[type.name.removesuffix("x2")]
    rounding = how.get("rnd") or how.get("near") or how.get("rna") or "rn"
    flushes = _flushes(row, how, type.dtype)
    numbers = [rounded(_exact(each), format, rounding) for each in found]
    finished = [_finished(how, flushed(x, format) if flushes else x) for x in numbers]
    with np.errstate(invalid="ignore"):
        array = np.array(finished, np.float64).astype(type.dtype)
    bits = array.view(UNSIGNED[8 * array.itemsize])
    nan = bits.dtype.type(NANS[array.dtype.name])
    return np.where(np.isnan(array), nan, bits).view(array.dtype)


def _exact(x: Any) -> Any:
    return exact(x) if isinstance(x, float) else Fraction(x) if x else 0.0 if x == 0 else x


def _finished(how: whole.How, x: float) -> float:
    if "sat" in how:
        x = 0.0 if math.isnan(x) or x <= 0 else min(x, 1.0)
    if "relu" in how:
        x = x if math.isnan(x) or x > 0 else 0.0
    return x


def _wrapped(found: list[Any], type: Type) -> Array:
    bits = 8 * type.dtype.itemsize
    patterns = [int(each) % (1 << bits) for each in found]
    return np.array(patterns, UNSIGNED[bits]).view(type.dtype)
