"""NumPy's methods on arrays, in terms of one op after another."""

import abc
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Self, TypeAlias, cast

from stepwell.broadcasting import broadcast_shapes
from stepwell.compiler.dialects.nd import Tensor, is_float
from stepwell.compiler.dialects.sizes import Shape, count_of, shape_text
from stepwell.indexing import ONE, normal_axes, normal_axis
from stepwell.operators import Operators
from stepwell.places import user_line
from stepwell.promotion import KINDS, dtype_name
from stepwell.runtime.dtypes import BY_NAME
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size
from stepwell.settings import expect_sizes, extents

Axes: TypeAlias = int | Sequence[int] | None
"""Which axes: one or several, counted from the back where negative, or None for all."""


class Methods(Operators, abc.ABC):
    """Conversion, movement, reductions, and the products behind some operators."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def type(self) -> Tensor:
        """The dtype and the sizes, as the tensor level has them."""

    @property
    @abc.abstractmethod
    def sizes(self) -> Shape:
        """The shape as sizes, known or not."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int | Size, ...]:
        """The shape as numbers, and as sizes where they are not known."""

    @property
    @abc.abstractmethod
    def dtype(self) -> str:
        """The dtype's name."""

    @abc.abstractmethod
    def _array(self, value: Any, dtype: str | None = None) -> Self:
        """Whatever is an array to NumPy as an array, of a dtype if one is given."""

    @abc.abstractmethod
    def _apply(self, mnemonic: str, *operands: "Methods", **parameters: Any) -> Self:
        """The only result of an op."""

    @abc.abstractmethod
    def _apply_all(self, mnemonic: str, *operands: "Methods", **parameters: Any) -> Sequence[Self]:
        """The results of an op."""

    @abc.abstractmethod
    def _promoted(self, *operands: Any) -> Sequence[Self]:
        """Arrays and numbers as arrays of their common dtype."""

    @abc.abstractmethod
    def _broadcast(self, x: Self, shape: Shape) -> Self:
        """An array repeated to a shape."""

    @property
    def ndim(self) -> int:
        return len(self.sizes)

    @property
    def size(self) -> int | Size:
        """The number of elements."""
        return prod(self.shape)

    def astype(self, dtype: object) -> Self:
        """The elements converted; float to integer saturates."""
        name = dtype_name(dtype)
        return self if name == self.dtype else self._apply("convert", self, dtype=name)

    def floating(self) -> Self:
        """The array, or where it holds integers or booleans their values in f32."""
        return self if is_float(self.dtype) else self.astype("f32")

    @property
    def nbytes(self) -> int | Size:
        """The memory of its elements, in bytes."""
        return self.size * BY_NAME[self.dtype].numpy.itemsize

    # Elements.

    def clip(self, min: Any = None, max: Any = None) -> Self:
        """The elements, but not below `min` and not above `max`."""
        result = self if min is None else self._elementwise("max", self, min)
        return result if max is None else self._elementwise("min", result, max)

    def round(self, decimals: int = 0) -> Self:
        """To the nearest multiple of 10**-decimals, ties to the even one; integers stay."""
        if not is_float(self.dtype):
            return self if decimals >= 0 else self._to_tens(10**-decimals)
        if decimals:
            scale = 10.0**decimals
            return (self * scale).round() / scale
        below = self._elementwise("floor", self)
        apart = self - below
        odd = below - self._elementwise("floor", below * 0.5) * 2 != 0
        return self._where((apart > 0.5) | ((apart == 0.5) & odd), below + 1, below)

    def _to_tens(self, unit: int) -> Self:
        """Integers to the nearest multiple of a power of ten, ties to the even one."""
        below = self // unit
        twice, odd = (self - below * unit) * 2, below % 2 == 1
        return self._where((twice > unit) | ((twice == unit) & odd), below + 1, below) * unit

    def __round__(self, decimals: int | None = None) -> Self:
        return self.round(decimals or 0)

    def dot(self, other: Any) -> Self:
        """The last axis with the last but one, or the only one, of the other array; or a product
        with a number."""
        a, b = self._promoted(self, other)
        if a.ndim == 0 or b.ndim == 0:
            return a * b
        axes = (a.ndim - 1,), (max(b.ndim - 2, 0),)
        return self._apply("dot", a, b, batch=0, left=axes[0], right=axes[1])

    # Movement.

    def reshape(self, *shape: int | Size | Sequence[int | Size]) -> Self:
        """The same elements, in row-major order, in another shape; one size may be -1."""
        given = extents(flat(shape))
        unknown = [axis for axis, size in enumerate(given) if size.static == -1]
        if len(unknown) > 1:
            sentence = f"the shape {shape_text(tuple(given))} has -1 more than once"
            raise CompileError("SW0125", sentence, where=user_line())
        if unknown:
            rest = count_of(size for size in given if size.static != -1)
            given[unknown[0]] = self._quotient_of_counts(rest)
        target = tuple(given)
        expect_sizes(target)
        return self if target == self.sizes else self._apply("reshape", self, shape=target)

    def _quotient_of_counts(self, rest: Size) -> Size:
        """The size that -1 stands for, when the others have `rest` elements."""
        count = count_of(self.sizes)
        if rest.static == 0 or count // rest * rest != count:
            raise CompileError(
                "SW0125",
                f"a shape of {rest} elements times -1 does not hold the {count} of an array",
                details=[f"its shape is {shape_text(self.sizes)}"],
                where=user_line(),
            )
        return count // rest

    def flatten(self) -> Self:
        """All elements along one axis."""
        return self.reshape(count_of(self.sizes))

    def ravel(self) -> Self:
        return self.flatten()

    def transpose(self, *axes: int | Sequence[int]) -> Self:
        """Axis i of the result is axis `axes[i]`; without axes their order is reversed."""
        given = flat(axes) or range(self.ndim)[::-1]
        order = tuple(normal_axis(axis, self.ndim) for axis in given)
        return (
            self if order == tuple(range(self.ndim)) else self._apply("transpose", self, axes=order)
        )

    @property
    def T(self) -> Self:
        return self.transpose()

    @property
    def mT(self) -> Self:
        """The last two axes exchanged."""
        return self.swapaxes(-1, -2)

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        order = list(range(self.ndim))
        one, two = normal_axis(axis1, self.ndim), normal_axis(axis2, self.ndim)
        order[one], order[two] = two, one
        return self.transpose(order)

    def squeeze(self, axis: Axes = None) -> Self:
        """Without axes of size one: all of them, or those given."""
        ones = [each for each, size in enumerate(self.sizes) if size == ONE]
        dropped = ones if axis is None else normal_axes(axis, self.ndim)
        if not set(dropped) <= set(ones):
            raise CompileError(
                "SW0123",
                f"axis {axis} of an array of shape {shape_text(self.sizes)} has not the size 1",
                where=user_line(),
            )
        return self.reshape([n for each, n in enumerate(self.sizes) if each not in dropped])

    # Reductions.

    def _reduced(self, mnemonic: str, axis: Axes, keepdims: bool) -> Self:
        axes = normal_axes(axis, self.ndim)
        result = self._apply(mnemonic, self, axes=axes) if axes else self
        return result.reshape(self._kept(axes)) if keepdims else result

    def _kept(self, axes: Sequence[int]) -> Shape:
        """The shape with these axes of size one."""
        return tuple(ONE if axis in axes else size for axis, size in enumerate(self.sizes))

    def _summable(self) -> Self:
        """Booleans and narrow integers are summed as i64."""
        return self.astype("i64") if KINDS[self.dtype] < KINDS["f16"] else self

    def sum(
        self, axis: Axes = None, keepdims: bool = False, *, dtype: object = None, out: None = None
    ) -> Self:
        x = self._given(dtype, out)._summable()
        return x._reduced("reduce_sum", axis, keepdims)

    def prod(
        self, axis: Axes = None, keepdims: bool = False, *, dtype: object = None, out: None = None
    ) -> Self:
        x = self._given(dtype, out)._summable()
        return x._reduced("reduce_prod", axis, keepdims)

    def max(self, axis: Axes = None, keepdims: bool = False, *, out: None = None) -> Self:
        """NaN where there is one."""
        return self._given(None, out)._reduced("reduce_max", axis, keepdims)

    def min(self, axis: Axes = None, keepdims: bool = False, *, out: None = None) -> Self:
        """NaN where there is one."""
        return self._given(None, out)._reduced("reduce_min", axis, keepdims)

    def any(self, axis: Axes = None, keepdims: bool = False, *, out: None = None) -> Self:
        """Whether some element is not zero."""
        flags = self._given(None, out).astype("bool").astype("i64")
        return flags._reduced("reduce_sum", axis, keepdims) > 0

    def all(self, axis: Axes = None, keepdims: bool = False, *, out: None = None) -> Self:
        return ~(~self.astype("bool")).any(axis, keepdims, out=out)

    def _given(self, dtype: object, out: None) -> Self:
        """The array, in a dtype if one is given. NumPy's functions give `out`=None."""
        if out is not None:
            hint = "take the result instead of giving out"
            raise CompileError("SW0143", "an array never changes", hint=hint, where=user_line())
        return self if dtype is None else self.astype(dtype)

    def mean(
        self, axis: Axes = None, keepdims: bool = False, *, dtype: object = None, out: None = None
    ) -> Self:
        """The sum by the number of elements; f16 and bf16 are summed in f32."""
        x = self._given(dtype, out)
        total = x._wide().sum(axis, keepdims)
        return (total / x._count(axis)).astype(x.floating().dtype)

    def var(self, axis: Axes = None, ddof: float = 0, keepdims: bool = False) -> Self:
        """The mean square distance from the mean, `ddof` taken off the count it is divided by."""
        wide = self._wide()
        apart = wide - wide.mean(axis, keepdims=True)
        total = (apart * apart).sum(axis, keepdims)
        count = self._array(self._count(axis)).astype(wide.dtype)
        return (total / (count - ddof)).astype(self.floating().dtype)

    def std(self, axis: Axes = None, ddof: float = 0, keepdims: bool = False) -> Self:
        """The root of `var`."""
        return self._elementwise("sqrt", self.var(axis, ddof, keepdims))

    def _wide(self) -> Self:
        """As floats of at least 32 bits."""
        x = self.floating()
        return x.astype("f32") if x.dtype in ("f16", "bf16") else x

    def _count(self, axis: Axes) -> int | Size:
        """The number of elements along axes."""
        return prod(self.shape[each] for each in normal_axes(axis, self.ndim))

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Self:
        """The index of the first greatest element, as i64: along an axis, or of all in order."""
        if axis is None:
            flat_index = self.flatten().argmax(0)
            return flat_index.reshape([ONE] * self.ndim) if keepdims else flat_index
        place = normal_axis(axis, self.ndim)
        result = self._apply("argmax", self, axis=place)
        return result.reshape(self._kept([place])) if keepdims else result

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Self:
        """The index of the first least element, as `argmax`."""
        turned = -self if is_float(self.dtype) else ~self
        return turned.argmax(axis, keepdims)

    def cumsum(self, axis: int | None = None) -> Self:
        """The sums of the elements up to each one, along an axis or of all in order."""
        if axis is None:
            return self.flatten().cumsum(0)
        x = self._summable()
        return self._apply("cumsum", x, axis=normal_axis(axis, self.ndim), reverse=0)

    # What operators stand for.

    def _quotient(self, x: Any, y: Any) -> Self:
        return self._elementwise("div", *(each.floating() for each in self._promoted(x, y)))

    def _floor_quotient(self, x: Any, y: Any) -> Self:
        quotient = self._elementwise("div", x, y)
        return self._elementwise("floor", quotient) if is_float(quotient.dtype) else quotient

    def _power(self, x: Any, y: Any) -> Self:
        """Powers known to be 2 and 1/2 are a product and a root, as in NumPy."""
        if type(y) in (int, float) and isinstance(x, Methods):
            if y == 2:
                return self._elementwise("mul", x, x)
            if y == 0.5 and is_float(x.dtype):
                return self._elementwise("sqrt", x)
        return self._elementwise("pow", x, y)

    def _matmul(self, x: Any, y: Any) -> Self:
        """The last axis of x with the last but one of y; leading axes are broadcast."""
        a, b = self._promoted(x, y)
        if a.ndim == 0 or b.ndim == 0:
            raise CompileError(
                "SW0107", "@ needs arrays with axes, and has a number", where=user_line()
            )
        if b.ndim <= 2:
            return self._apply("dot", a, b, batch=0, left=(a.ndim - 1,), right=(0,))
        outer = broadcast_shapes(a.sizes[:-2], b.sizes[:-2])
        count = len(outer)
        right = self._broadcast(b, (*outer, *b.sizes[-2:]))
        if a.ndim == 1:
            return self._apply("dot", right, a, batch=0, left=(count,), right=(0,))
        left = self._broadcast(a, (*outer, *a.sizes[-2:]))
        return self._apply("dot", left, right, batch=count, left=(count + 1,), right=(count,))

    def _where(self, condition: Self, x: Any, y: Any) -> Self:
        """x where the condition holds, else y."""
        a, b = self._promoted(x, y)
        shape = broadcast_shapes(condition.sizes, a.sizes, b.sizes)
        return self._apply("select", *(self._broadcast(each, shape) for each in (condition, a, b)))

    # Axis 0.

    def __len__(self) -> int:
        extent = self.shape[0] if self.ndim else None
        if not isinstance(extent, int):
            known = "" if extent is None else " that is known now"
            sentence = f"an array of the shape {shape_text(self.sizes)} has no length{known}"
            hint = None if extent is None else "x.shape[0] is a size to compute with"
            raise CompileError("SW0126", sentence, hint=hint, where=user_line())
        return extent

    @abc.abstractmethod
    def __getitem__(self, key: Any) -> Self:
        """What a key picks."""

    def __iter__(self) -> Iterator[Self]:
        return (self[index] for index in range(len(self)))


def flat(given: Sequence[Any]) -> Sequence[Any]:
    """Arguments that may be given one by one or as one sequence."""
    if len(given) == 1 and isinstance(given[0], Sequence):
        return cast(Sequence[Any], given[0])
    return given
