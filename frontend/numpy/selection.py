"""Functions that pick elements by computed indices, and that sort."""

from collections.abc import Sequence

from stepwell.array import Array, ArrayLike, apply, apply_all, asarray, promoted
from stepwell.indexing import normal_axis
from stepwell.numpy.creation import Shape, as_shape, iota
from stepwell.numpy.manipulation import flip, moveaxis


def take(x: ArrayLike, indices: ArrayLike, axis: int | None = None) -> Array:
    """The elements at these indices along an axis; without one, of all elements in order."""
    x = asarray(x)
    if axis is None:
        return x.flatten()[asarray(indices)]
    return x[(*(slice(None),) * normal_axis(axis, x.ndim), asarray(indices))]


def take_along_axis(x: ArrayLike, indices: ArrayLike, axis: int = -1) -> Array:
    """For each place of the other axes, the elements at its own indices along an axis."""
    x = asarray(x)
    place = normal_axis(axis, x.ndim)
    wrapped = x.inside(indices, place)
    rows, columns = moveaxis(x, place, -1), moveaxis(wrapped, place, -1)
    return moveaxis(apply("gather", rows, columns, batch=x.ndim - 1), -1, place)


def sort(x: ArrayLike, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Array:
    """The elements along an axis in ascending order, NaN last; or in descending order, NaN first.

    Whether it is `stable` or not: it always is.
    """
    x = asarray(x)
    return _sorted([x], normal_axis(axis, x.ndim), descending)[0]


def argsort(
    x: ArrayLike, axis: int = -1, *, descending: bool = False, stable: bool = True
) -> Array:
    """The indices of the elements along an axis as `sort` puts them; equal ones stay in order."""
    x = asarray(x)
    place = normal_axis(axis, x.ndim)
    return _sorted([x, iota(x.shape, place)], place, descending)[1]


def _sorted(arrays: Sequence[Array], axis: int, descending: bool) -> Sequence[Array]:
    """The arrays in the order of the first one: a descending one is an ascending one from behind,
    of arrays from behind, so that equal elements stay in order."""
    if not descending:
        return apply_all("sort", *arrays, axis=axis)
    turned = _sorted([flip(each, axis) for each in arrays], axis, False)
    return [flip(each, axis) for each in turned]


def dynamic_slice(x: ArrayLike, starts: Sequence[ArrayLike], shape: Shape) -> Array:
    """The elements of x from computed starts on, one for each axis, moved so that `shape` fits."""
    return apply("dynamic_slice", asarray(x), *map(asarray, starts), shape=as_shape(shape))


def dynamic_update_slice(x: ArrayLike, update: ArrayLike, starts: Sequence[ArrayLike]) -> Array:
    """x with `update` where `dynamic_slice` would read."""
    return apply("dynamic_update_slice", *promoted(x, update), *map(asarray, starts))
