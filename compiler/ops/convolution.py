"""Convolution over any number of spatial axes: a contraction of windows with a kernel."""

from collections.abc import Sequence

import numpy as np
from xdsl.irdl import irdl_op_definition, prop_def

from stepwell.compiler.dialects.loop.types import UNCUT, Combine
from stepwell.compiler.dialects.nd import Tensor, dtype_of, shape_of, tensor, text_of
from stepwell.compiler.dialects.sizes import IntsAttr, Shape, SizeAttr, SizesAttr
from stepwell.compiler.ops.base import Array, Gradient, concrete, expect, refusal
from stepwell.compiler.ops.contraction import Contraction
from stepwell.compiler.ops.indices import ONE, ZERO, Index
from stepwell.compiler.ops.movement import spread
from stepwell.compiler.ops.phases import convolve, windows_back
from stepwell.compiler.ops.scalars import Read, Scalar, Scalars, working
from stepwell.compiler.ops.sliding import Sliding, all_inside, expect_sliding, overlaps, slidings
from stepwell.compiler.ops.value import Value, full
from stepwell.runtime.sizes import Size


@irdl_op_definition
class Convolution(Contraction):
    """x[N, spatial…, C] with w[kernel…, C/groups, O] to [N, spatial…, O].

    Sums over the kernel's axes, then the channels of the group, in one chain of FMAs. A position in
    the padding contributes no term, whatever w holds there. Negative padding leaves elements out.
    """

    name = "nd.convolution"
    stride = prop_def(IntsAttr)
    low = prop_def(SizesAttr)
    high = prop_def(SizesAttr)
    dilation = prop_def(IntsAttr)
    groups = prop_def(SizeAttr)
    assembly_format = (
        "$lhs `,` $rhs `stride` $stride `low` $low `high` $high `dilation` $dilation"
        " `groups` $groups attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)"
    )

    @classmethod
    def infer(
        cls,
        lhs: Tensor,
        rhs: Tensor,
        *,
        stride: tuple[int, ...],
        low: Shape,
        high: Shape,
        dilation: tuple[int, ...],
        groups: Size,
    ) -> Sequence[Tensor]:
        x, w = shape_of(lhs), shape_of(rhs)
        cls.expect_numbers(lhs, rhs)
        if not len(x) == len(w) >= 2:
            sentence = f"the operands are {text_of(lhs)} and {text_of(rhs)}, and should be"
            raise refusal(cls, f"{sentence} [N, spatial…, C] and [kernel…, C/groups, O]")
        expect_sliding(cls, len(x) - 2, stride, low, high, dilation)
        expect(groups != ZERO, cls, "has no groups")
        if x[-1] != w[-2] * groups:
            sentence = f"{x[-1]} channels of {text_of(lhs)} are not {groups} groups"
            raise refusal(cls, f"{sentence} of the {w[-2]} of {text_of(rhs)}")
        if per_group(w[-1], groups) * groups != w[-1]:
            raise refusal(cls, f"the {w[-1]} results of {text_of(rhs)} are not {groups} groups")
        windows = slidings(w[:-2], stride, low, high, dilation)
        spatial = [each.count(size) for each, size in zip(windows, x[1:-1], strict=True)]
        return [tensor(dtype_of(lhs), (x[0], *spatial, w[-1]))]

    @property
    def windows(self) -> list[Sliding]:
        """How the kernel slides along each spatial axis."""
        sizes = shape_of(self.rhs.type)[:-2]
        return slidings(sizes, self.stride.data, self.low.data, self.high.data, self.dilation.data)

    def element(self, s: Scalars, at: tuple[Index, ...], *reads: Read) -> Scalar:
        """In the padding the factors are 0 and -0: adding -0 leaves any accumulator as it is."""
        x, w, dtype = shape_of(self.lhs.type), shape_of(self.rhs.type), dtype_of(self.lhs.type)
        example, places, output = at[0], at[1:-1], at[-1]
        group, _ = s.divmod(output, per_group(w[-1], self.groups.data))
        wide = working(dtype)

        def terms(k: tuple[Index, ...]) -> tuple[Scalar, ...]:
            taps, channel = k[:-1], group * w[-2] + k[-1]
            slides = zip(self.windows, places, taps, strict=True)
            index = [each.index(place, tap) for each, place, tap in slides]

            def left() -> Scalar:
                return s.convert(reads[0]((example, *index, channel)), wide)

            def right() -> Scalar:
                return s.convert(reads[1]((*k, output)), wide)

            inside = all_inside(s, index, x[1:-1])
            if inside is None:
                return left(), right()
            zero, nothing = s.constant(0, wide), s.constant(-0.0, wide)
            return s.guard(inside, left, zero), s.guard(inside, right, nothing)

        (total,) = s.fold(Combine.FMA, UNCUT, w[:-1], terms)
        return s.convert(total, dtype)

    def reference(self, *operands: Array) -> Array:
        """Position by position of the kernel, over the windows that have an element there."""
        narrow = operands[0].dtype.itemsize == 2
        x, w = (each.astype(np.float32) if narrow else each for each in operands)
        shape, (groups,) = concrete(shape_of(self.result.type)), concrete((self.groups.data,))
        total = np.zeros(shape, x.dtype)
        for taps in np.ndindex(*w.shape[:-2]):
            windows, elements = overlaps(self.windows, taps, x.shape[1:-1], shape[1:-1])
            with np.errstate(all="ignore"):
                total[:, *windows] += _grouped_product(x[:, *elements], w[taps], groups)
        return total.astype(operands[0].dtype)

    def on(self, lhs: Value, rhs: Value) -> Value:
        return convolve(lhs, rhs, self.windows, self.groups.data)

    def gradient(self, *cotangents: Value) -> Gradient:
        (g,), x, w = cotangents, Value(self.lhs), Value(self.rhs)
        lengths, groups = x.shape[1:-1], self.groups.data
        by_x = windows_back(g, _swapped(w, groups), self.windows, lengths, groups)
        return [by_x, self._by_w(g, x)]

    def _by_w(self, g: Value, x: Value) -> Value:
        """The cotangent as a kernel over x, along the axis of examples, too: each channel is an
        example. Its sums go through memory in order.

        Stride and dilation change places.
        """
        groups, rank = self.groups.data, x.rank
        *outer, channels = x.shape
        split = x.reshape((*outer, groups, per_group(channels, groups)))
        turned = split.transpose((rank, *range(rank)))
        windows = [Sliding(x.shape[0], 1, ZERO, ZERO, 1)]
        for window, length, count in zip(self.windows, x.shape[1:-1], g.shape[1:-1], strict=True):
            reach = (window.size - 1) * window.dilation + spread(count, window.stride - 1)
            high = reach - length - window.low
            windows.append(Sliding(count, window.dilation, window.low, high, window.stride))
        kernel = g.reshape((*g.shape[:-1], ONE, g.shape[-1]))
        by_w = convolve(turned, kernel, windows, groups)
        return by_w.reshape((by_w.shape[0], *by_w.shape[2:])).move_axis(0, rank - 2)

    def batched(self, size: Size, on: Sequence[bool], *operands: Value) -> Sequence[Value]:
        x, w = operands
        if not on[1]:
            flat = x.reshape((size * x.shape[1], *x.shape[2:]))
            y = self.on(flat, w)
            return [y.reshape((size, x.shape[1], *y.shape[1:]))]
        return [self._of_kernels(size, x, w) if not on[0] else self._of_pairs(size, x, w)]

    def _of_pairs(self, size: Size, x: Value, w: Value) -> Value:
        """Each example with its own kernel: so many more groups."""
        if size == ZERO:
            return full(0, x.dtype, (size, *shape_of(self.result.type)))
        x, w = x.move_axis(0, x.rank - 2), w.move_axis(0, w.rank - 2)
        *outer, _, channels = x.shape
        *kernel, _, results = w.shape
        y = convolve(
            x.reshape((*outer, size * channels)),
            w.reshape((*kernel, size * results)),
            self.windows,
            size * self.groups.data,
        )
        return y.reshape((*y.shape[:-1], size, results)).move_axis(y.rank - 1, 0)

    def _of_kernels(self, size: Size, x: Value, w: Value) -> Value:
        """All kernels on one x: so many more results in each group."""
        groups, results = self.groups.data, w.shape[-1]
        split = w.reshape((*w.shape[:-1], groups, per_group(results, groups)))
        moved = split.move_axis(0, split.rank - 2)
        kernel = moved.reshape((*moved.shape[:-3], size * results))
        y = convolve(x, kernel, self.windows, groups)
        apart = y.reshape((*y.shape[:-1], groups, size, per_group(results, groups)))
        return apart.move_axis(apart.rank - 2, 0).reshape((size, *y.shape[:-1], results))


def per_group(count: Size, groups: Size) -> Size:
    """How many of the channels or results each group has."""
    return count // groups if groups != ZERO else ZERO


def _swapped(w: Value, groups: Size) -> Value:
    """A kernel from the results of each group to its channels."""
    if groups == ONE:
        return w.move_axis(w.rank - 1, w.rank - 2)
    *kernel, channels, results = w.shape
    split = w.reshape((*kernel, channels, groups, per_group(results, groups)))
    last = split.rank - 1
    turned = split.transpose((*range(last - 2), last, last - 1, last - 2))
    return turned.reshape((*kernel, per_group(results, groups), groups * channels))


def _grouped_product(x: Array, w: Array, groups: int) -> Array:
    """x[…, groups * C] by w[C, groups * O], group by group."""
    if groups == 1:
        return x @ w
    if groups == 0:
        return np.zeros((*x.shape[:-1], 0), x.dtype)
    width = w.shape[0]
    parts = [
        x[..., group * width : (group + 1) * width] @ part
        for group, part in enumerate(np.split(w, groups, axis=1))
    ]
    return np.concatenate(parts, axis=-1)
