"""Sums of products: matrix and tensor products, and NumPy's notation for them."""

from collections.abc import Sequence

from stepwell.array import Array, ArrayLike, apply, asarray, promoted
from stepwell.indexing import normal_axis
from stepwell.numpy.einsum import einsum as einsum
from stepwell.numpy.manipulation import diagonal


def matmul(x: ArrayLike, y: ArrayLike) -> Array:
    """The last axis of x with the last but one of y; leading axes are broadcast."""
    return asarray(x) @ asarray(y)


def dot(x: ArrayLike, y: ArrayLike) -> Array:
    """The last axis of x with the last but one, or the only one, of y; a product with a number."""
    return asarray(x).dot(y)


def vdot(x: ArrayLike, y: ArrayLike) -> Array:
    """The sum of the products of all elements."""
    return dot(asarray(x).flatten(), asarray(y).flatten())


def inner(x: ArrayLike, y: ArrayLike) -> Array:
    """The last axes with each other."""
    return tensordot(x, y, ([-1], [-1]))


def outer(x: ArrayLike, y: ArrayLike) -> Array:
    """The product of each element of x with each of y."""
    return tensordot(asarray(x).flatten(), asarray(y).flatten(), 0)


def tensordot(
    x: ArrayLike, y: ArrayLike, axes: int | tuple[Sequence[int], Sequence[int]] = 2
) -> Array:
    """So many last axes of x with the first ones of y, or pairs of axes."""
    a, b = promoted(x, y)
    if isinstance(axes, int):
        left, right = range(a.ndim - axes, a.ndim), range(axes)
    else:
        left, right = axes
    return apply(
        "dot",
        a,
        b,
        batch=0,
        left=tuple(normal_axis(axis, a.ndim) for axis in left),
        right=tuple(normal_axis(axis, b.ndim) for axis in right),
    )


def trace(x: ArrayLike) -> Array:
    """The sum of the diagonal of the last two axes."""
    return diagonal(x).sum(-1)
