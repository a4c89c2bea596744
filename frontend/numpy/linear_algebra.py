"""Sums of products: matrix and tensor products, and NumPy's notation for them."""

from collections.abc import Sequence

from stepwell.array import Array, ArrayLike, apply, asarray, promoted
from stepwell.indexing import normal_axis
from stepwell.numpy.einsum import einsum as einsum
from stepwell.numpy.manipulation import diagonal
from stepwell.places import user_line
from stepwell.promotion import KINDS, dtype_name
from stepwell.runtime.errors import CompileError


def matmul(x: ArrayLike, y: ArrayLike, *, dtype: object = None) -> Array:
    """The last axis of x with the last but one of y; leading axes are broadcast.

    As in NumPy, both are converted to `dtype` first, if there is one, which costs nothing: bytes
    have sums in `int32`, of which none is lost.
    """
    a, b = asarray(x), asarray(y)
    if dtype is not None:
        a, b = (_widened(each, dtype_name(dtype)) for each in (a, b))
    return a @ b


def _widened(x: Array, dtype: str) -> Array:
    """A factor in the dtype of a product, whose kind is not lower (CompileError SW0104)."""
    if KINDS[dtype] < KINDS[x.dtype]:
        sentence = f"{x.dtype} is not converted to {dtype} by itself, which is of a lower kind"
        hint = "convert it with .astype(…)"
        raise CompileError("SW0104", sentence, hint=hint, where=user_line())
    return x.astype(dtype)


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
