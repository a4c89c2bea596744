"""Functions that move elements."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from stepwell.array import Array, ArrayLike, apply, asarray, promoted
from stepwell.array import broadcast_arrays as _broadcast_arrays
from stepwell.array import broadcast_to as _broadcast_to
from stepwell.indexing import ONE, normal_axes, normal_axis
from stepwell.methods import Axes
from stepwell.numpy.creation import Extent, Shape, as_shape, iota
from stepwell.places import user_line
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size
from stepwell.settings import count, extents, integer

Widths: TypeAlias = Extent | Sequence[Extent] | Sequence[Sequence[Extent]]


def reshape(x: ArrayLike, shape: Shape) -> Array:
    """The same elements, in row-major order, in another shape; one size may be -1."""
    return asarray(x).reshape(shape)


def ravel(x: ArrayLike) -> Array:
    return asarray(x).flatten()


def transpose(x: ArrayLike, axes: Sequence[int] | None = None) -> Array:
    """Axis i of the result is axis `axes[i]`; without axes their order is reversed."""
    return asarray(x).transpose(*(axes or ()))


def moveaxis(x: ArrayLike, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
    """Axes `source` moved to `destination`; the others keep their order."""
    x = asarray(x)
    taken = [normal_axis(each, x.ndim) for each in _several(source)]
    targets = [normal_axis(each, x.ndim) for each in _several(destination)]
    order = [axis for axis in range(x.ndim) if axis not in taken]
    for target, axis in sorted(zip(targets, taken, strict=True)):
        order.insert(target, axis)
    return x.transpose(order)


def _several(axes: int | Sequence[int]) -> Sequence[int]:
    return axes if isinstance(axes, Sequence) else [axes]


def swapaxes(x: ArrayLike, axis1: int, axis2: int) -> Array:
    return asarray(x).swapaxes(axis1, axis2)


def matrix_transpose(x: ArrayLike) -> Array:
    """The last two axes exchanged."""
    return asarray(x).mT


def expand_dims(x: ArrayLike, axis: int | Sequence[int]) -> Array:
    """With new axes of size one, at these places of the result."""
    x = asarray(x)
    new = normal_axes(axis, x.ndim + len(_several(axis)))
    sizes = iter(x.sizes)
    rank = x.ndim + len(new)
    return x.reshape([ONE if place in new else next(sizes) for place in range(rank)])


def squeeze(x: ArrayLike, axis: Axes = None) -> Array:
    """Without axes of size one: all of them, or those given."""
    return asarray(x).squeeze(axis)


def broadcast_to(x: ArrayLike, shape: Shape) -> Array:
    """The array repeated to a shape."""
    return _broadcast_to(asarray(x), as_shape(shape))


def broadcast_arrays(*arrays: ArrayLike) -> list[Array]:
    """The arrays repeated to their common shape."""
    return _broadcast_arrays(*map(asarray, arrays))


def concatenate(arrays: Sequence[ArrayLike], axis: int | None = 0) -> Array:
    """One after another along an axis; without one, all their elements."""
    parts = promoted(*map(asarray, arrays))
    if not parts:
        raise CompileError("SW0141", "there are no arrays to concatenate", where=user_line())
    if axis is None:
        return concatenate([part.flatten() for part in parts])
    return apply("concatenate", *parts, axis=normal_axis(axis, parts[0].ndim))


def stack(arrays: Sequence[ArrayLike], axis: int = 0) -> Array:
    """One after another along a new axis."""
    place = integer(axis, "an axis")
    return concatenate([expand_dims(each, place) for each in arrays], place)


def unstack(x: ArrayLike, axis: int = 0) -> list[Array]:
    """The slices along an axis of known size."""
    return list(moveaxis(x, axis, 0))


def split(x: ArrayLike, parts: int | Sequence[int], axis: int = 0) -> list[Array]:
    """So many equal parts, or the parts between these places."""
    x = asarray(x)
    place = normal_axis(axis, x.ndim)
    length = x.sizes[place]
    if not isinstance(parts, Iterable):
        if integer(parts, "parts") < 1 or length % parts != 0:
            sentence = f"an axis of size {length} has no {parts} equal parts"
            raise CompileError("SW0128", sentence, where=user_line())
        ends = [length // parts * number for number in range(1, parts)]
    else:
        ends = extents(parts)
    lead = (slice(None),) * place
    pairs = zip([None, *ends], [*ends, None], strict=True)
    return [x[(*lead, slice(start, stop))] for start, stop in pairs]


def diff(x: ArrayLike, axis: int = -1) -> Array:
    """Each element less the one before it along an axis."""
    x = asarray(x)
    lead = (slice(None),) * normal_axis(axis, x.ndim)
    return x[(*lead, slice(1, None))] - x[(*lead, slice(None, -1))]


def flip(x: ArrayLike, axis: Axes = None) -> Array:
    """The elements along these axes in reverse."""
    x = asarray(x)
    axes = normal_axes(axis, x.ndim)
    return apply("reverse", x, axes=axes) if axes else x


def roll(x: ArrayLike, shift: int | Sequence[int], axis: Axes = None) -> Array:
    """The elements moved on along these axes; what leaves at the end comes in at the start."""
    x = asarray(x)
    if axis is None:
        return roll(x.flatten(), shift, 0).reshape(x.sizes)
    axes = _several(axis)
    shifts = shift if isinstance(shift, Sequence) else [integer(shift, "shift")] * len(axes)
    for by, each in zip(shifts, axes, strict=True):
        x = _rolled(x, by, normal_axis(each, x.ndim))
    return x


def _rolled(x: Array, shift: int, axis: int) -> Array:
    lead, size = (slice(None),) * axis, x.sizes[axis].static
    if size is None:
        return x[(*lead, (iota(x.sizes[axis]) - shift) % x.sizes[axis])]
    start = -shift % max(size, 1)
    return concatenate([x[(*lead, slice(start, None))], x[(*lead, slice(start))]], axis)


def pad(x: ArrayLike, pad_width: Widths, constant_values: ArrayLike = 0) -> Array:
    """A value before and after the elements of each axis: `pad_width` as NumPy's `pad` takes it."""
    x = asarray(x)
    widths = _widths(pad_width, x.ndim)
    return apply(
        "pad",
        x,
        asarray(constant_values, x.dtype),
        low=tuple(before for before, _ in widths),
        high=tuple(after for _, after in widths),
        interior=(0,) * x.ndim,
    )


def _widths(given: Widths, rank: int) -> list[tuple[Size, Size]]:
    """Before and after, for each axis: one number, one pair, or one pair for each axis."""
    if isinstance(given, int | Size):
        return [(Size.of(given), Size.of(given))] * rank
    pairs = [each for each in given if isinstance(each, Sequence)]
    if pairs:
        both = [(Size.of(before), Size.of(after)) for before, after in pairs]
        return both * rank if len(both) == 1 else both
    before, after = (Size.of(each) for each in given if isinstance(each, int | Size))
    return [(before, after)] * rank


def tile(x: ArrayLike, reps: Shape) -> Array:
    """The whole array so many times along each axis."""
    x, times = asarray(x), as_shape(reps)
    rank = max(x.ndim, len(times))
    sizes = (ONE,) * (rank - x.ndim) + x.sizes
    times = (ONE,) * (rank - len(times)) + times
    apart = tuple(size for pair in zip(times, sizes, strict=True) for size in pair)
    narrow = x.reshape([size for each in sizes for size in (ONE, each)])
    repeated = _broadcast_to(narrow, apart)
    return repeated.reshape([n * size for n, size in zip(times, sizes, strict=True)])


def repeat(x: ArrayLike, repeats: Extent, axis: int | None = None) -> Array:
    """Each element so many times in a row."""
    x = asarray(x)
    if axis is None:
        return repeat(x.flatten(), repeats, 0)
    place = normal_axis(axis, x.ndim)
    before, after = x.sizes[: place + 1], x.sizes[place + 1 :]
    times = count(repeats, "repeats")
    wide = _broadcast_to(x.reshape((*before, ONE, *after)), (*before, times, *after))
    return wide.reshape((*before[:-1], before[-1] * times, *after))


def diagonal(x: ArrayLike) -> Array:
    """The elements of the last two axes, of one size, whose two indices are equal."""
    x = asarray(x)
    *outer, rows, columns = x.sizes
    if rows != columns:
        sentence = f"diagonal needs two last axes of one size, and has {rows} and {columns}"
        raise CompileError("SW0133", sentence, where=user_line())
    longer = pad(x.reshape((*outer, rows * columns)), [*((0, 0) for _ in outer), (0, rows)])
    return longer.reshape((*outer, rows, rows + 1))[..., 0]
