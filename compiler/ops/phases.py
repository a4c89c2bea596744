"""Back over windows: what a convolution sends to each element of what its windows stand on."""

from collections.abc import Sequence

from stepwell.compiler.dialects.sizes import Shape
from stepwell.compiler.ops.indices import ONE, ZERO
from stepwell.compiler.ops.joining import concatenate
from stepwell.compiler.ops.sliding import Sliding, spread_out
from stepwell.compiler.ops.value import Value, full
from stepwell.runtime.sizes import Size


def windows_back(
    g: Value, w: Value, windows: Sequence[Sliding], lengths: Shape, groups: Size
) -> Value:
    """g[N, windows…, O] with w[kernel…, O/groups, C] to [N, lengths…, C].

    Where windows are `stride` apart, the elements whose places, in the padded axis, leave one
    remainder meet the same positions of the kernel: each remainder is a convolution with every
    `stride`-th of them, and without gaps (W. Shi et al., "Is the deconvolution layer the same as a
    convolutional layer?", arXiv 1609.07009, 2016). The results are interleaved.
    """
    for axis, (window, length) in enumerate(zip(windows, lengths, strict=True)):
        if _has_phases(window):
            phases = [
                _phase(g, w, windows, lengths, groups, axis, first)
                for first in range(window.stride)
            ]
            return _interleaved(phases, axis + 1, window.low, length)
    apart = spread_out(g, (1, *(window.stride for window in windows), 1))
    kernel = w.apply("reverse", axes=tuple(range(w.rank - 2)))
    back = [each.mirrored(length) for each, length in zip(windows, lengths, strict=True)]
    return convolve(apart, kernel, back, groups)


def convolve(x: Value, w: Value, windows: Sequence[Sliding], groups: Size) -> Value:
    """The convolution of two values."""
    return x.with_(
        "convolution",
        w,
        stride=tuple(each.stride for each in windows),
        low=tuple(each.low for each in windows),
        high=tuple(each.high for each in windows),
        dilation=tuple(each.dilation for each in windows),
        groups=groups,
    )


def _has_phases(window: Sliding) -> bool:
    """Whether windows are apart, and it is known where they begin and what each remainder meets."""
    known = window.size.static is not None and (window.low.static or -1) >= 0
    return window.stride > 1 and window.dilation == 1 and (known or window.low == ZERO)


def _phase(
    g: Value,
    w: Value,
    windows: Sequence[Sliding],
    lengths: Shape,
    groups: Size,
    axis: int,
    first: int,
) -> Value:
    """The elements at the places `first`, `first + stride`, … of the padded axis."""
    window, stride = windows[axis], windows[axis].stride
    count = (window.low + lengths[axis] + (stride - 1)) // stride
    kept = (window.size - first + (stride - 1)) // stride
    if kept.static is not None and kept.static <= 0:
        shape = [g.shape[0], *lengths, w.shape[-1]]
        shape[axis + 1] = count
        return full(0, g.dtype, tuple(shape))
    part = w.part(axis, Size.of(first), kept, stride)
    inner = Sliding(kept, 1, ZERO, g.shape[axis + 1] - count + (kept - 1))
    others = (*windows[:axis], inner, *windows[axis + 1 :])
    places = (*lengths[:axis], count, *lengths[axis + 1 :])
    return windows_back(g, part, others, places, groups)


def _interleaved(phases: Sequence[Value], axis: int, low: Size, length: Size) -> Value:
    """The phases' elements by turns, from place `low` on."""
    shape = phases[0].shape
    before, count, behind = shape[:axis], shape[axis], shape[axis + 1 :]
    apart = [phase.reshape((*before, count, ONE, *behind)) for phase in phases]
    whole = concatenate(apart, axis + 1).reshape((*before, count * len(phases), *behind))
    return whole.part(axis, low, length)
