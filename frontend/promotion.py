"""The dtype of a result, by the array API standard and NEP 50: values never count, only dtypes.

A Python number is weak: it takes the dtype of the arrays it meets, unless its kind is higher.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from stepwell.compiler.dialects.nd import FLOATS
from stepwell.places import user_line
from stepwell.runtime.dtypes import BY_NAME, BY_NUMPY
from stepwell.runtime.errors import CompileError

KINDS = {"bool": 0, "i8": 1, "u8": 1, "i32": 1, "i64": 1} | dict.fromkeys(FLOATS, 2)
DEFAULTS = {bool: "bool", int: "i64", float: "f32"}
"""The dtype of a Python number among Python numbers, or above the kind of its arrays."""
EXACT = {"bool": "bool", "i64": "i64", "f32": "f64"}
"""The dtype that holds a Python number as it is, by its default one."""
SETTLED = {exact: default for default, exact in EXACT.items()}

_LADDER = ("bool", "u8", "i8", "i32", "i64")
_WIDTH = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64}


def promote(dtypes: Sequence[str], weak: Sequence[type] = ()) -> str:
    """The common dtype of arrays of these dtypes and of Python numbers of these types."""
    number = max((DEFAULTS[kind] for kind in weak), key=KINDS.__getitem__, default="bool")
    if not dtypes:
        return number
    common = _join_all(dtypes)
    return number if KINDS[number] > KINDS[common] else common


def _join_all(dtypes: Sequence[str]) -> str:
    common = dtypes[0]
    for other in dtypes[1:]:
        common = _join(common, other)
    return common


def _join(a: str, b: str) -> str:
    if a == b:
        return a
    kinds = KINDS[a], KINDS[b]
    if kinds == (2, 2):
        return _wider(a, b)
    if 2 in kinds:
        if 1 in kinds:
            raise CompileError(
                "SW0104",
                f"{a} and {b} have no common dtype: integers and floats do not mix by themselves",
                hint="convert one with .astype(…)",
                where=user_line(),
            )
        return a if kinds[0] == 2 else b
    # Of NumPy's int16, which would hold both bytes, there is none here.
    return "i32" if {a, b} == {"i8", "u8"} else max(a, b, key=_LADDER.index)


def _wider(a: str, b: str) -> str:
    if _WIDTH[a] == _WIDTH[b]:
        return "f32"
    return a if _WIDTH[a] > _WIDTH[b] else b


def dtype_name(dtype: object) -> str:
    """The name of a dtype given as a name, a Python type or NumPy's."""
    if isinstance(dtype, str) and dtype in BY_NAME:
        return BY_NAME[dtype].name
    if isinstance(dtype, type) and dtype in DEFAULTS:
        return DEFAULTS[dtype]
    try:
        return BY_NUMPY[np.dtype(cast(Any, dtype))].name
    except (TypeError, KeyError) as error:
        raise CompileError(
            "SW0105",
            f"{dtype!r} is no dtype here",
            hint=f"the dtypes are {', '.join(BY_NAME)}",
            where=user_line(),
        ) from error


def integer_limits(dtype: str) -> np.iinfo[Any]:
    """The least and the greatest number of an integer dtype: `.min` and `.max`."""
    return np.iinfo(cast(Any, BY_NAME[dtype].numpy))
