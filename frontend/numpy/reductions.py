"""Functions that fold the elements along some axes; without `axis`, all of them."""

from stepwell.array import Array, ArrayLike, asarray
from stepwell.control import stop_gradient
from stepwell.methods import Axes
from stepwell.numpy.elementwise import exp, isclose, isfinite, log, where


def _converted(x: ArrayLike, dtype: object) -> Array:
    return asarray(x) if dtype is None else asarray(x).astype(dtype)


def sum(x: ArrayLike, axis: Axes = None, dtype: object = None, *, keepdims: bool = False) -> Array:
    """Booleans and narrow integers are summed as i64."""
    return _converted(x, dtype).sum(axis, keepdims)


def prod(x: ArrayLike, axis: Axes = None, dtype: object = None, *, keepdims: bool = False) -> Array:
    return _converted(x, dtype).prod(axis, keepdims)


def mean(x: ArrayLike, axis: Axes = None, dtype: object = None, *, keepdims: bool = False) -> Array:
    return _converted(x, dtype).mean(axis, keepdims)


def var(x: ArrayLike, axis: Axes = None, *, ddof: float = 0, keepdims: bool = False) -> Array:
    """The mean square distance from the mean; `ddof` is taken off the count it is divided by."""
    return asarray(x).var(axis, ddof, keepdims)


def std(x: ArrayLike, axis: Axes = None, *, ddof: float = 0, keepdims: bool = False) -> Array:
    """The root of `var`."""
    return asarray(x).std(axis, ddof, keepdims)


def max(x: ArrayLike, axis: Axes = None, *, keepdims: bool = False) -> Array:
    """NaN where there is one."""
    return asarray(x).max(axis, keepdims)


def min(x: ArrayLike, axis: Axes = None, *, keepdims: bool = False) -> Array:
    """NaN where there is one."""
    return asarray(x).min(axis, keepdims)


def any(x: ArrayLike, axis: Axes = None, *, keepdims: bool = False) -> Array:
    return asarray(x).any(axis, keepdims)


def all(x: ArrayLike, axis: Axes = None, *, keepdims: bool = False) -> Array:
    return asarray(x).all(axis, keepdims)


def count_nonzero(x: ArrayLike, axis: Axes = None, *, keepdims: bool = False) -> Array:
    return asarray(x).astype("bool").sum(axis, keepdims)


def allclose(
    x: ArrayLike, y: ArrayLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Array:
    """Whether all elements are close, as `isclose` says."""
    return isclose(x, y, rtol, atol, equal_nan).all()


def array_equal(x: ArrayLike, y: ArrayLike) -> Array:
    """Whether both have one shape and equal elements."""
    a, b = asarray(x), asarray(y)
    return (a == b).all() if a.sizes == b.sizes else asarray(False)


def argmax(x: ArrayLike, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """The index of the first greatest element, as i64."""
    return asarray(x).argmax(axis, keepdims)


def argmin(x: ArrayLike, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """The index of the first least element, as i64."""
    return asarray(x).argmin(axis, keepdims)


def cumsum(x: ArrayLike, axis: int | None = None, dtype: object = None) -> Array:
    """The sums of the elements up to each one, along an axis or of all in order."""
    return _converted(x, dtype).cumsum(axis)


def logsumexp(x: ArrayLike, axis: Axes = None, *, keepdims: bool = False) -> Array:
    """The logarithm of the sum of exponentials, of which none overflows."""
    x = asarray(x).floating()
    greatest = stop_gradient(x.max(axis, keepdims=True))
    base = where(isfinite(greatest), greatest, 0)
    total = log(exp(x - base).sum(axis, keepdims))
    return total + (base if keepdims else base.reshape(total.shape))
