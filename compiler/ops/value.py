"""Tensor values as rules write with them: operators and methods that emit ops."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.ir import Region, SSAValue

from stepwell.compiler.dialects.nd import Literal, Tensor, dtype_of, is_tensor, shape_of
from stepwell.compiler.dialects.sizes import Shape
from stepwell.compiler.ops.emission import Inferring, emit
from stepwell.runtime.sizes import Size

Number = int | float | bool


@dataclass(frozen=True)
class Zero:
    """A cotangent or tangent that is known to be zero: explicit, and never emitted."""

    type: Tensor


@dataclass(frozen=True)
class Value:
    """A tensor of the program being written."""

    ssa: SSAValue

    @property
    def type(self) -> Tensor:
        type = self.ssa.type
        assert is_tensor(type)
        return type

    @property
    def shape(self) -> Shape:
        return shape_of(self.ssa.type)

    @property
    def dtype(self) -> str:
        return dtype_of(self.ssa.type)

    @property
    def rank(self) -> int:
        return len(self.shape)

    # Elementwise. A number stands for a tensor of the other operand's type.

    def __add__(self, other: "Value | Number") -> "Value":
        return self.with_("add", other)

    def __radd__(self, other: Number) -> "Value":
        return self.like(other).with_("add", self)

    def __sub__(self, other: "Value | Number") -> "Value":
        return self.with_("sub", other)

    def __rsub__(self, other: Number) -> "Value":
        return self.like(other).with_("sub", self)

    def __mul__(self, other: "Value | Number") -> "Value":
        return self.with_("mul", other)

    def __rmul__(self, other: Number) -> "Value":
        return self.like(other).with_("mul", self)

    def __truediv__(self, other: "Value | Number") -> "Value":
        return self.with_("div", other)

    def __rtruediv__(self, other: Number) -> "Value":
        return self.like(other).with_("div", self)

    def __pow__(self, other: "Value | Number") -> "Value":
        return self.with_("pow", other)

    def __neg__(self) -> "Value":
        return self.apply("neg")

    def apply(self, mnemonic: str, **parameters: Any) -> "Value":
        """A one-operand op by its mnemonic."""
        return emitted(mnemonic, [self], **parameters)[0]

    def with_(self, mnemonic: str, other: "Value | Number", **parameters: Any) -> "Value":
        """A two-operand op by its mnemonic."""
        return emitted(mnemonic, [self, self.like(other)], **parameters)[0]

    def like(self, other: "Value | Number") -> "Value":
        """A number as a tensor of this one's type."""
        return other if isinstance(other, Value) else full(other, self.dtype, self.shape)

    def compare(self, name: str, other: "Value | Number") -> "Value":
        """`eq`, `ne`, `lt`, `le`, `gt` or `ge`."""
        return self.with_(name, other)

    def select(self, true: "Value", false: "Value | Number") -> "Value":
        """This boolean tensor picks, element by element."""
        return emitted("select", [self, true, true.like(false)])[0]

    def convert(self, dtype: str) -> "Value":
        return self if dtype == self.dtype else self.apply("convert", dtype=dtype)

    # Movement.

    def broadcast(self, shape: Shape, axes: Sequence[int]) -> "Value":
        """Operand axis i becomes result axis `axes[i]`; the other axes repeat."""
        if tuple(axes) == tuple(range(len(shape))):
            return self
        return self.apply("broadcast", shape=shape, axes=tuple(axes))

    def reshape(self, shape: Shape) -> "Value":
        return self if shape == self.shape else self.apply("reshape", shape=shape)

    def transpose(self, axes: Sequence[int]) -> "Value":
        """Result axis i is operand axis `axes[i]`."""
        if tuple(axes) == tuple(range(self.rank)):
            return self
        return self.apply("transpose", axes=tuple(axes))

    def move_axis(self, source: int, target: int) -> "Value":
        axes = [axis for axis in range(self.rank) if axis != source]
        axes.insert(target, source)
        return self.transpose(axes)

    def slice(self, start: Shape, shape: Shape, step: Sequence[int] | None = None) -> "Value":
        """Elements start + i * step, for every index i below `shape`."""
        return self.apply("slice", start=start, shape=shape, step=tuple(step or [1] * self.rank))

    def part(self, axis: int, start: Size, count: Size, step: int = 1) -> "Value":
        """`count` elements along one axis, `step` apart from `start` on, and all along others."""
        first, shape, steps = [Size.of(0)] * self.rank, list(self.shape), [1] * self.rank
        first[axis], shape[axis], steps[axis] = start, count, step
        return self.slice(tuple(first), tuple(shape), steps)

    def pad(
        self, fill: "Value", low: Shape, high: Shape, interior: Sequence[int] | None = None
    ) -> "Value":
        """`fill` around, and `interior` times between, the elements of each axis."""
        between = tuple(interior or [0] * self.rank)
        return emitted("pad", [self, fill], low=low, high=high, interior=between)[0]

    # Reductions and contractions.

    def sum(self, axes: Sequence[int]) -> "Value":
        return self.apply("reduce_sum", axes=tuple(axes)) if axes else self

    def max(self, axes: Sequence[int]) -> "Value":
        return self.apply("reduce_max", axes=tuple(axes)) if axes else self

    def dot(self, other: "Value", batch: int, left: Sequence[int], right: Sequence[int]) -> "Value":
        """`batch` leading axes are shared; axes `left` and `right` are contracted in pairs."""
        return self.with_("dot", other, batch=batch, left=tuple(left), right=tuple(right))


def emitted(
    mnemonic: str, operands: Sequence[Value], regions: Sequence[Region] = (), **parameters: Any
) -> list[Value]:
    """The results of a new op on these operands."""
    op = emit(mnemonic, [x.ssa for x in operands], regions, **parameters)
    return list(map(Value, op.results))


def full(value: Number, dtype: str, shape: Shape = ()) -> Value:
    """A tensor with one value everywhere."""
    return emitted("constant", [], value=Literal.of(value, dtype), shape=shape)[0]


def iota(shape: Shape, axis: int, dtype: str = "i64") -> Value:
    """0, 1, 2, … along one axis, the same along the others."""
    return emitted("iota", [], shape=shape, axis=axis, dtype=dtype)[0]


Slope = Value | Zero | float
"""A derivative: a tensor, zero, or one number everywhere."""


def again(op: Inferring, *operands: Value) -> list[Value]:
    """The results of the same op, with the same parameters, on other operands."""
    return emitted(op.mnemonic(), operands, **op.parameters)


def times(x: Value | Zero, slope: Slope) -> Value | Zero:
    """A cotangent or tangent through a derivative."""
    if isinstance(x, Zero) or isinstance(slope, Zero):
        return Zero(x.type)
    if isinstance(slope, Value):
        return x * slope
    return x if slope == 1.0 else -x if slope == -1.0 else x * slope


def plus(x: Value | Zero, y: Value | Zero) -> Value | Zero:
    """Where two paths meet."""
    if isinstance(x, Zero):
        return y
    return x if isinstance(y, Zero) else x + y


def dense(x: Value | Zero) -> Value:
    """A value, whether or not it is known to be zero."""
    return full(0, dtype_of(x.type), shape_of(x.type)) if isinstance(x, Zero) else x


def present(values: Iterable[Value | Zero]) -> list[Value]:
    """The values without those that are known to be zero."""
    return [x for x in values if isinstance(x, Value)]


def placed(
    found: Iterable[Value], flags: Sequence[bool], like: Iterable[Value]
) -> list[Value | Zero]:
    """Of values like these, those whose flags are set, as they were found; the others are zero."""
    walk = iter(found)
    return [next(walk) if flag else Zero(x.type) for flag, x in zip(flags, like, strict=True)]


def parted(
    values: Sequence[Value], flags: Sequence[bool]
) -> tuple[Sequence[Value], list[Value | Zero]]:
    """Results and their tangents, of results with the tangents of those marked behind them."""
    results = values[: len(flags)]
    return results, placed(values[len(flags) :], flags, results)
