"""One argument of a call: what the caller gave becomes a dense array of the right dtype, or not."""

import math
from typing import cast

import numpy as np

from stepwell.runtime.devices.array import DeviceArray
from stepwell.runtime.devices.registry import CPU, elsewhere, place_of
from stepwell.runtime.dtypes import Array
from stepwell.runtime.entry import Argument, Result
from stepwell.runtime.errors import CallError


def dense(argument: Argument, value: object) -> Array:
    """The value as an array with the argument's dtype and rank, row-major without gaps.

    An array that is so already is used as it is, another is copied; dtypes are never converted.
    Python numbers are taken for arrays without axes. CallError SW0402, SW0406, SW0420.
    """
    array = value if type(value) is np.ndarray else _converted(argument, value)
    if array.dtype != argument.type.dtype.numpy or array.ndim != len(argument.type.shape):
        raise mismatch(argument, array)
    flags = array.flags
    if flags.c_contiguous and flags.aligned:
        return array
    return np.require(array, requirements=("C", "A"))


def mismatch(
    argument: Argument | Result, found: object, given: str = "", *, code: str = "SW0402"
) -> CallError:
    """The error that says what was expected, `given` what else is known, and what was found."""
    if isinstance(found, np.ndarray | DeviceArray):
        array = cast("Array | DeviceArray", found)
        text = f"{array.dtype} array of shape {array.shape}"
    elif isinstance(found, bool | int | float):
        text = f"{type(found).__name__} {found}"
    else:
        text = type(found).__name__
    return CallError(code, f"{argument.name}: expected {argument.type}{given}, got {text}")


def _converted(argument: Argument, value: object) -> Array:
    if (place := place_of(value)) is not None:
        raise elsewhere(argument.name, place, CPU)
    if hasattr(value, "__array__"):  # NumPy's scalars, and arrays of other libraries
        return np.asarray(value)
    if isinstance(value, bool | int | float) and not argument.type.shape:
        return _number(argument, value)
    raise mismatch(argument, value)


def _number(argument: Argument, value: float) -> Array:
    """A Python number as an array without axes, as NEP 50 has it, except that no bool is one."""
    dtype = argument.type.dtype
    accepted = (bool,) if dtype.name == "bool" else (int, float) if dtype.floating else (int,)
    if type(value) not in accepted:
        raise mismatch(argument, value)
    try:
        with np.errstate(over="ignore"):
            array = np.array(float(value) if dtype.floating else value, dtype.numpy)
    except OverflowError:
        array = None
    if array is None or (np.isinf(array) and not math.isinf(value)):
        raise CallError("SW0406", f"{argument.name}: {value} does not fit {dtype}")
    return array
