"""Arrays made from numbers, from shapes and from other data."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, cast

import numpy as np

from stepwell import promotion
from stepwell.array import Array, ArrayLike, apply, asarray, broadcast_to
from stepwell.compiler.dialects.nd import Literal
from stepwell.indexing import ZERO
from stepwell.places import user_line
from stepwell.promotion import dtype_name
from stepwell.runtime.devices.registry import place_of
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size, at_most, largest
from stepwell.settings import expect_sizes, extents
from stepwell.trace import known_ranges

Extent: TypeAlias = int | Size
Shape: TypeAlias = Extent | Sequence[Extent]


def as_shape(shape: Shape) -> tuple[Size, ...]:
    """One size or several as a shape."""
    found = tuple(extents(shape if isinstance(shape, Iterable) else [shape]))
    expect_sizes(found)
    return found


def array(x: Any, dtype: object = None) -> Array:
    """A new Array of some data, which may change afterwards; lists may hold Arrays."""
    return asarray(np.array(cast(Any, x)) if isinstance(x, np.ndarray) else x, dtype)


def astype(x: ArrayLike, dtype: object) -> Array:
    """The elements converted; float to integer saturates."""
    return asarray(x).astype(dtype)


def from_dlpack(x: Any) -> Array:
    """The Array that shares the memory of an array of another library."""
    return asarray(x) if place_of(x) else asarray(np.from_dlpack(x))


def full(shape: Shape, fill_value: ArrayLike, dtype: object = None) -> Array:
    """One value everywhere."""
    if isinstance(fill_value, bool | int | float) and not isinstance(fill_value, np.generic):
        name = promotion.DEFAULTS[type(fill_value)] if dtype is None else dtype_name(dtype)
        return apply("constant", value=Literal.of(fill_value, name), shape=as_shape(shape))
    return broadcast_to(asarray(fill_value, dtype), as_shape(shape))


def zeros(shape: Shape, dtype: object = "f32") -> Array:
    return full(shape, 0, dtype)


def ones(shape: Shape, dtype: object = "f32") -> Array:
    return full(shape, 1, dtype)


def full_like(x: ArrayLike, fill_value: ArrayLike, dtype: object = None) -> Array:
    """One value everywhere, in the shape and, unless another is given, of the dtype of x."""
    like = asarray(x)
    return full(like.shape, fill_value, like.dtype if dtype is None else dtype)


def zeros_like(x: ArrayLike, dtype: object = None) -> Array:
    return full_like(x, 0, dtype)


def ones_like(x: ArrayLike, dtype: object = None) -> Array:
    return full_like(x, 1, dtype)


def iota(shape: Shape, axis: int = 0, dtype: object = "i64") -> Array:
    """The index along an axis, everywhere in a shape."""
    return apply("iota", shape=as_shape(shape), axis=axis, dtype=dtype_name(dtype))


def arange(
    start: float | Size, stop: float | Size | None = None, step: float = 1, dtype: object = None
) -> Array:
    """`start`, `start + step`, … below `stop`; or from 0 below `start` if that is all."""
    first, end = (0, start) if stop is None else (start, stop)
    if isinstance(first, float) or isinstance(end, float) or isinstance(step, float):
        return _float_range(float(first), float(end), step, dtype)
    count = _steps(Size.of(first), Size.of(end), step)
    name = "i64" if dtype is None else dtype_name(dtype)
    return (iota(count) * step + first).astype(name)


def _float_range(first: float, end: float, step: float, dtype: object) -> Array:
    count = max(0, math.ceil((end - first) / step))
    return (iota(count, 0, "f64") * step + first).astype(dtype or "f32")


def _steps(first: Size, end: Size, step: int) -> Size:
    """How many numbers there are, rounded up, and none where the end lies behind."""
    if step == 0:
        raise CompileError("SW0127", "arange has the step 0", where=user_line())
    length = end - first if step > 0 else first - end
    count = (length + (abs(step) - 1)) // abs(step)
    return count if at_most(ZERO, length, known_ranges()) else largest(count, ZERO)


def linspace(
    start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: object = None
) -> Array:
    """`num` numbers from `start` to `stop`, which is left out unless `endpoint`."""
    parts = max(num - 1, 1) if endpoint else num
    line = iota(num, 0, "f64")
    points = line * ((stop - start) / parts) + start
    return points.astype(dtype or "f32")


def eye(n: Extent, m: Extent | None = None, k: int = 0, dtype: object = "f32") -> Array:
    """Ones on the diagonal k places above the main one, zeros elsewhere."""
    shape = (n, n if m is None else m)
    return (iota(shape, 0) + k == iota(shape, 1)).astype(dtype)


def tril(x: ArrayLike, k: int = 0) -> Array:
    """The elements on and below the diagonal k of the last two axes, zeros above it."""
    x = asarray(x)
    rank = x.ndim
    below = iota(x.shape, rank - 2) + k >= iota(x.shape, rank - 1)
    return apply("select", below, x, zeros_like(x))


def triu(x: ArrayLike, k: int = 0) -> Array:
    """The elements on and above the diagonal k of the last two axes, zeros below it."""
    x = asarray(x)
    rank = x.ndim
    above = iota(x.shape, rank - 2) + k <= iota(x.shape, rank - 1)
    return apply("select", above, x, zeros_like(x))


def meshgrid(*axes: ArrayLike, indexing: str = "xy") -> list[Array]:
    """One array for each axis, with its coordinate everywhere in the grid of all of them."""
    lines = [asarray(axis) for axis in axes]
    order = list(range(len(lines)))
    if indexing == "xy" and len(lines) > 1:
        order[:2] = 1, 0
    shape = tuple(lines[place].sizes[0] for place in order)
    return [
        apply("broadcast", line, shape=shape, axes=(order.index(place),))
        for place, line in enumerate(lines)
    ]
