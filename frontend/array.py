"""The array: a value that is here, or one that a traced function will compute.

An array whose value is here runs each op by its reference in NumPy, so that print and pdb just work.
While a function is traced, ops on its arrays are written down instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, SupportsIndex, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Block, SSAValue

from stepwell import promotion
from stepwell.compiler.dialects.construct import construct
from stepwell.compiler.dialects.nd import (
    Tensor,
    Weight,
    dtype_of,
    is_float,
    numpy_dtype,
    shape_of,
    tensor,
)
from stepwell.compiler.dialects.sizes import Shape, count_of
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import TensorOp
from stepwell.compiler.ops.emission import (
    attributes_of,
    current_or_none,
    emit,
    emitting,
    located,
)
from stepwell.compiler.ops.indices import ONE
from stepwell.compiler.ops.value import Value, full
from stepwell.places import user_line, user_location
from stepwell.runtime.dtypes import BY_NAME, BY_NUMPY
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size

Number = bool | int | float
Concrete = NDArray[Any]
_BY_MNEMONIC = {op.name.removeprefix("nd."): op for op in TENSOR_OPS}


@dataclass
class Trace:
    """One run of a user's function on arrays without values; it ends, and with it those arrays."""

    over: bool = False
    weights: dict[int, tuple[Concrete, Value]] = field(default_factory=dict[int, Any])


class Array:
    """An n-d array of one dtype. It never changes; `x.at[i].set(v)` gives another."""

    __slots__ = ("_ssa", "_trace", "_value")
    __array_priority__ = 1000

    def __init__(
        self, value: Concrete | None, ssa: SSAValue | None = None, trace: Trace | None = None
    ) -> None:
        self._value = value
        self._ssa = ssa
        self._trace = trace

    # What it is.

    @property
    def type(self) -> Tensor:
        """Its type at the tensor level."""
        if self._value is None:
            return Value(self.ssa).type
        return tensor(BY_NUMPY[self._value.dtype].name, tuple(map(Size.of, self._value.shape)))

    @property
    def ssa(self) -> SSAValue:
        """Its value in the program that is being traced."""
        if self._ssa is None or self._trace is None or self._trace.over:
            raise CompileError(
                "SW0103",
                "an array of a traced function is used after the function has ended",
                hint="return it from the function instead of keeping it aside",
                where=user_line(),
            )
        return self._ssa

    @property
    def traced(self) -> bool:
        return self._value is None

    @property
    def shape(self) -> tuple[int | Size, ...]:
        """Numbers, and symbolic sizes where the function is compiled for any."""
        if self._value is not None:
            return self._value.shape
        return tuple(size if (n := size.static) is None else n for size in shape_of(self.type))

    @property
    def sizes(self) -> Shape:
        return shape_of(self.type)

    @property
    def dtype(self) -> str:
        return BY_NUMPY[self._value.dtype].name if self._value is not None else dtype_of(self.type)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int | Size:
        total = 1
        for extent in self.shape:
            total = total * extent
        return total

    # Its value, where it is here.

    @property
    def value(self) -> Concrete:
        """The values in NumPy, without a copy. An error while tracing: they are not known yet."""
        if self._value is None:
            raise CompileError(
                "SW0102",
                "Python asks for the value of an array that is only known when the program runs",
                details=[f"it is {dtype_of(self.type)}{list(map(str, self.shape))} here"],
                hint="use cond, while_loop, scan or where instead of Python's if, while and int",
                where=user_line(),
            )
        return self._value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Concrete:
        value = self.value
        if dtype is not None and value.dtype != dtype:
            return value.astype(dtype)
        return value.copy() if copy else value

    def __dlpack__(self, **options: Any) -> Any:
        return self.value.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, Any]:
        return self.value.__dlpack_device__()

    def item(self) -> Number:
        """The only element as a Python number."""
        return self.value.item()

    def tolist(self) -> Any:
        return self.value.tolist()

    def __bool__(self) -> bool:
        return bool(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __index__(self) -> int:
        return cast(SupportsIndex, self.value).__index__()

    def __repr__(self) -> str:
        if self._value is None:
            return f"Array({dtype_of(self.type)}[{', '.join(map(str, self.shape))}], traced)"
        return "Array(" + np.array2string(self._value, separator=", ") + f", {self.dtype})"

    def __len__(self) -> int:
        extent = self.shape[0]
        return len(self.value) if isinstance(extent, Size) else extent

    # Operators: NumPy's, with its broadcasting and the array API's dtypes.

    def __neg__(self) -> Array:
        return apply("neg", self)

    def __abs__(self) -> Array:
        return apply("abs", self)

    def __invert__(self) -> Array:
        return apply("not", self)

    def __add__(self, other: ArrayLike) -> Array:
        return elementwise("add", self, other)

    def __radd__(self, other: ArrayLike) -> Array:
        return elementwise("add", other, self)

    def __sub__(self, other: ArrayLike) -> Array:
        return elementwise("sub", self, other)

    def __rsub__(self, other: ArrayLike) -> Array:
        return elementwise("sub", other, self)

    def __mul__(self, other: ArrayLike) -> Array:
        return elementwise("mul", self, other)

    def __rmul__(self, other: ArrayLike) -> Array:
        return elementwise("mul", other, self)

    def __truediv__(self, other: ArrayLike) -> Array:
        return elementwise("div", *floats(self, other))

    def __rtruediv__(self, other: ArrayLike) -> Array:
        return elementwise("div", *floats(other, self))

    def __floordiv__(self, other: ArrayLike) -> Array:
        return floor_divide(self, other)

    def __rfloordiv__(self, other: ArrayLike) -> Array:
        return floor_divide(other, self)

    def __mod__(self, other: ArrayLike) -> Array:
        return self - floor_divide(self, other) * other

    def __pow__(self, other: ArrayLike) -> Array:
        return elementwise("pow", self, other)

    def __rpow__(self, other: ArrayLike) -> Array:
        return elementwise("pow", other, self)

    def __and__(self, other: ArrayLike) -> Array:
        return elementwise("and", self, other)

    def __or__(self, other: ArrayLike) -> Array:
        return elementwise("or", self, other)

    def __lt__(self, other: ArrayLike) -> Array:
        return elementwise("lt", self, other)

    def __le__(self, other: ArrayLike) -> Array:
        return elementwise("le", self, other)

    def __gt__(self, other: ArrayLike) -> Array:
        return elementwise("gt", self, other)

    def __ge__(self, other: ArrayLike) -> Array:
        return elementwise("ge", self, other)

    def __eq__(self, other: object) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        return elementwise("eq", self, cast("ArrayLike", other))

    def __ne__(self, other: object) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        return elementwise("ne", self, cast("ArrayLike", other))

    def __hash__(self) -> int:
        raise TypeError("an Array is not hashable: == compares its elements")

    def __matmul__(self, other: ArrayLike) -> Array:
        return matmul(self, other)

    def __rmatmul__(self, other: ArrayLike) -> Array:
        return matmul(other, self)

    def astype(self, dtype: object) -> Array:
        """The elements converted; float to integer saturates."""
        name = dtype_name(dtype)
        return self if name == self.dtype else apply("convert", self, dtype=name)


ArrayLike = Array | Concrete | Number | Size


def dtype_name(dtype: object) -> str:
    """The name of a dtype given as a name, a Python type or NumPy's."""
    if isinstance(dtype, str) and dtype in BY_NAME:
        return dtype
    if isinstance(dtype, type) and dtype in promotion.DEFAULTS:
        return promotion.DEFAULTS[dtype]
    try:
        return BY_NUMPY[np.dtype(cast(Any, dtype))].name
    except (TypeError, KeyError) as error:
        raise CompileError(
            "SW0105",
            f"{dtype!r} is no dtype here",
            hint=f"the dtypes are {', '.join(BY_NAME)}",
            where=user_line(),
        ) from error


def asarray(x: ArrayLike, dtype: object = None) -> Array:
    """An Array of a NumPy array without a copy, or of a number."""
    if isinstance(x, Array):
        return x if dtype is None else x.astype(dtype)
    if isinstance(x, bool | int | float):
        name = promotion.DEFAULTS[type(x)] if dtype is None else dtype_name(dtype)
        return Array(np.asarray(x, numpy_dtype(name)))
    if isinstance(x, Size):
        size = Array(None, *_emitted("size", (), {"size": x})[0])
        return size if dtype is None else size.astype(dtype)
    value = np.asarray(x)
    if dtype is not None:
        value = value.astype(numpy_dtype(dtype_name(dtype)))
    elif value.dtype not in BY_NUMPY:
        dtype_name(value.dtype)
    return Array(np.ascontiguousarray(value))


# Running one op.


def apply(mnemonic: str, *operands: Array, **parameters: Any) -> Array:
    """The only result of an op."""
    (result,) = apply_all(mnemonic, *operands, **parameters)
    return result


def apply_all(mnemonic: str, *operands: Array, **parameters: Any) -> list[Array]:
    """The results of an op: computed, or written down where one is traced."""
    try:
        if current_or_none() is not None:
            pairs = _emitted(mnemonic, operands, parameters)
            return [Array(None, ssa, trace) for ssa, trace in pairs]
        op = _prototype(mnemonic, tuple(x.type for x in operands), tuple(parameters.items()))
        values = op.reference(*(x.value for x in operands))
    except CompileError as error:
        error.where = error.where or user_line()
        raise
    return [Array(v) for v in (values if isinstance(values, tuple) else (values,))]


@lru_cache(maxsize=4096)
def _prototype(
    mnemonic: str, types: tuple[Tensor, ...], parameters: tuple[tuple[str, Any], ...]
) -> TensorOp:
    """A detached op, kept to answer `reference`: an eager call then builds no IR."""
    kind, given = _BY_MNEMONIC[mnemonic], dict(parameters)
    results = kind.infer(*types, **given)
    operands = Block(arg_types=types).args
    return construct(kind, operands, results, attributes_of(kind, given))


_TRACE: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current_trace() -> Trace:
    """The trace in whose scope this code runs."""
    trace = _TRACE.get()
    assert trace is not None
    return trace


@contextmanager
def tracing(block: Block) -> Iterator[Trace]:
    """Within this scope, ops are written at the end of `block`; its arrays end with it."""
    trace = Trace()
    token = _TRACE.set(trace)
    try:
        with emitting(block):
            yield trace
    finally:
        trace.over = True
        _TRACE.reset(token)


def _emitted(
    mnemonic: str, operands: Sequence[Array], parameters: dict[str, Any]
) -> list[tuple[SSAValue, Trace]]:
    trace = current_trace()
    with located(user_location()):
        op = emit(mnemonic, [lifted(x).ssa for x in operands], **parameters)
    return [(result, trace) for result in op.results]


def lifted(x: Array) -> Value:
    """An array as a value of the program being traced: what is known is a constant or a weight."""
    if x.traced:
        return Value(x.ssa)
    value = x.value
    if value.size == 1:
        return full(value.item(), x.dtype, x.sizes)
    weights = current_trace().weights
    if id(value) not in weights:
        weight = Weight.of(value)
        op = emit("weight", [], value=weight, dtype=x.dtype, shape=x.sizes)
        weights[id(value)] = value, Value(op.results[0])
    return weights[id(value)][1]


# Broadcasting and promotion are decided here, and nowhere else.


def elementwise(mnemonic: str, *operands: ArrayLike) -> Array:
    """An elementwise op after promotion and broadcasting."""
    return apply(mnemonic, *broadcast_arrays(*promoted(*operands)))


def promoted(*operands: ArrayLike) -> list[Array]:
    """The operands in their common dtype."""
    numbers = [type(x) for x in operands if isinstance(x, bool | int | float)]
    numbers += [int for x in operands if isinstance(x, Size)]
    strong = [x if isinstance(x, Array) else asarray(x) for x in operands if not _weak(x)]
    try:
        dtype = promotion.promote([x.dtype for x in strong], numbers)
    except CompileError as error:
        error.where = error.where or user_line()
        raise
    arrays = iter(strong)
    return [asarray(x, dtype) if _weak(x) else next(arrays).astype(dtype) for x in operands]


def _weak(x: ArrayLike) -> bool:
    return isinstance(x, bool | int | float | Size)


def floats(*operands: ArrayLike) -> list[Array]:
    """The operands in their common floating-point dtype; integers become the default one."""
    arrays = promoted(*operands)
    return [x if is_float(x.dtype) else x.astype("f32") for x in arrays]


def floor_divide(x: ArrayLike, y: ArrayLike) -> Array:
    """The floor of x / y."""
    quotient = elementwise("div", x, y)
    return apply("floor", quotient) if is_float(quotient.dtype) else quotient


def broadcast_arrays(*arrays: Array) -> list[Array]:
    """The arrays repeated along axes of size one, and along new leading axes, to a common shape."""
    if all(x.sizes == arrays[0].sizes for x in arrays):
        return list(arrays)
    shape = broadcast_shapes(*(x.sizes for x in arrays))
    return [broadcast_to(x, shape) for x in arrays]


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The common shape. A symbolic size is not taken to be one."""
    rank = max(map(len, shapes))
    padded = [(ONE,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    result: list[Size] = []
    for sizes in zip(*padded, strict=True):
        others = list(dict.fromkeys(size for size in sizes if size != ONE))
        if len(others) > 1:
            texts = " and ".join(f"[{', '.join(map(str, shape))}]" for shape in shapes)
            raise CompileError(
                "SW0106",
                f"the shapes {texts} do not broadcast together",
                details=[f"{others[0]} meets {others[1]}"],
                hint="sizes must be equal, or 1; reshape one of the arrays",
                where=user_line(),
            )
        result.append(others[0] if others else ONE)
    return tuple(result)


def broadcast_to(x: Array, shape: Sequence[int | Size]) -> Array:
    """The array repeated to a shape."""
    target = tuple(map(Size.of, shape))
    if x.sizes == target:
        return x
    offset = len(target) - x.ndim
    kept = [axis for axis, size in enumerate(x.sizes) if size == target[offset + axis]]
    if len(kept) < x.ndim:
        x = reshape(x, [x.sizes[axis] for axis in kept])
    return apply("broadcast", x, shape=target, axes=tuple(offset + axis for axis in kept))


def reshape(x: Array, shape: Sequence[int | Size]) -> Array:
    """The same elements in another shape; one size may be -1."""
    sizes = [Size.of(size) for size in shape]
    open_axes = [axis for axis, size in enumerate(sizes) if size.static == -1]
    if len(open_axes) == 1:
        rest = count_of(size for size in sizes if size.static != -1)
        sizes[open_axes[0]] = count_of(x.sizes) // rest
    return x if tuple(sizes) == x.sizes else apply("reshape", x, shape=tuple(sizes))


def matmul(x: ArrayLike, y: ArrayLike) -> Array:
    """NumPy's `@`: the last axis of x with the last but one of y, leading axes broadcast."""
    a, b = promoted(x, y)
    if a.ndim == 0 or b.ndim == 0:
        raise CompileError("SW0107", "@ needs arrays with axes", where=user_line())
    if b.ndim == 1:
        return apply("dot", a, b, batch=0, left=(a.ndim - 1,), right=(0,))
    if b.ndim == 2:
        return apply("dot", a, b, batch=0, left=(a.ndim - 1,), right=(0,))
    outer = broadcast_shapes(a.sizes[:-2], b.sizes[:-2])
    count = len(outer)
    right = broadcast_to(b, (*outer, *b.sizes[-2:]))
    if a.ndim == 1:
        return apply("dot", right, a, batch=0, left=(count,), right=(0,))
    left = broadcast_to(a, (*outer, *a.sizes[-2:]))
    return apply("dot", left, right, batch=count, left=(count + 1,), right=(count,))
