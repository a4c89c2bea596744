"""The array: a value that is here, or one that a traced function will compute.

An array whose value is here runs each op by its reference in NumPy, so that print and pdb just work.
While a function is traced, ops on its arrays are written down instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, SupportsIndex, TypeAlias, cast, final

import numpy as np
from xdsl.dialects.builtin import LocationAttr
from xdsl.ir import Block, Operation, SSAValue

from stepwell import promotion
from stepwell.broadcasting import broadcast_axes, broadcast_shapes
from stepwell.compiler.dialects.construct import construct
from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.nd import Tensor, dtype_of, is_float, numpy_dtype, shape_of
from stepwell.compiler.dialects.nd import tensor, text_of
from stepwell.compiler.dialects.sizes import Shape
from stepwell.compiler.ops import TENSOR_OPS
from stepwell.compiler.ops.base import TensorOp
from stepwell.compiler.ops.emission import attributes_of, current_or_none, emit, located
from stepwell.compiler.ops.value import Value, full
from stepwell.methods import Methods
from stepwell.places import user_line, user_location
from stepwell.promotion import dtype_name
from stepwell.runtime.dtypes import BY_NUMPY
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size
from stepwell.trace import Concrete, Trace, current_trace

Number: TypeAlias = bool | int | float
_BY_MNEMONIC = {op.name.removeprefix("nd."): op for op in TENSOR_OPS}


@final
class Array(Methods):
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
        return tuple(size if (n := size.static) is None else n for size in self.sizes)

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
        return prod(self.shape)

    # Its value, where it is here.

    @property
    def value(self) -> Concrete:
        """The values in NumPy, without a copy. An error while tracing: they are not known yet."""
        if self._value is None:
            raise CompileError(
                "SW0102",
                "Python asks for the value of an array that is only known when the program runs",
                details=[described(self)],
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
            over = self._trace is None or self._trace.over
            return f"Array({'of a function that has ended' if over else text_of(self.type)}, traced)"
        return "Array(" + np.array2string(self._value, separator=", ") + f", {self.dtype})"

    # What operators and methods are written with.

    def _array(self, value: Any) -> Array:
        return asarray(value)

    def _apply(self, mnemonic: str, *operands: Methods, **parameters: Any) -> Array:
        return apply(mnemonic, *cast("tuple[Array, ...]", operands), **parameters)

    def _elementwise(self, mnemonic: str, *operands: Any) -> Array:
        return elementwise(mnemonic, *operands)

    def _promoted(self, *operands: Any) -> list[Array]:
        return promoted(*operands)

    def _broadcast(self, x: Methods, shape: Shape) -> Array:
        return broadcast_to(cast(Array, x), shape)


ArrayLike: TypeAlias = Array | Concrete | Number | Size


def asarray(x: Any, dtype: object = None) -> Array:
    """An Array of what NumPy takes for an array, without a copy, or of a number.

    Python's numbers become i64 and f32, as the array API's default dtypes; whatever has a dtype keeps it.
    """
    if isinstance(x, Array):
        return x if dtype is None else x.astype(dtype)
    if isinstance(x, Size):
        size = Array(None, *_emitted("size", (), {"size": x})[0])
        return size if dtype is None else size.astype(dtype)
    named = hasattr(x, "dtype")
    value = np.from_dlpack(x) if hasattr(x, "__dlpack__") and not named else np.asarray(x)
    if dtype is not None:
        name = dtype_name(dtype)
    elif named or value.dtype != np.float64:
        name = dtype_name(value.dtype)
    else:
        name = promotion.DEFAULTS[float]
    return Array(np.asarray(value, numpy_dtype(name), order="C"))


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
        error.where = user_line()
        error.details = error.details or tuple(described(x) for x in operands if x.traced)
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
    return current_trace().weight(value)


# Broadcasting and promotion are decided here, and nowhere else.


def elementwise(mnemonic: str, *operands: ArrayLike) -> Array:
    """An elementwise op after promotion and broadcasting."""
    return apply(mnemonic, *broadcast_arrays(*promoted(*operands), what=mnemonic))


def promoted(*operands: ArrayLike) -> list[Array]:
    """The operands in their common dtype."""
    numbers = [_kind(x) for x in operands if _weak(x)]
    strong = [x if isinstance(x, Array) else asarray(x) for x in operands if not _weak(x)]
    try:
        dtype = promotion.promote([x.dtype for x in strong], numbers)
    except CompileError as error:
        error.details = tuple(map(described, strong))
        raise
    arrays = iter(strong)
    return [asarray(x, dtype) if _weak(x) else next(arrays).astype(dtype) for x in operands]


def _weak(x: ArrayLike) -> bool:
    """Python's numbers; those of NumPy, some of which are instances of Python's types, have a dtype."""
    return isinstance(x, bool | int | float | Size) and not isinstance(x, np.generic)


def _kind(x: object) -> type:
    return int if isinstance(x, Size) else next(k for k in promotion.DEFAULTS if isinstance(x, k))


def broadcast_arrays(*arrays: Array, what: str = "broadcast_arrays") -> list[Array]:
    """The arrays repeated along axes of size one, and along new leading axes, to a common shape."""
    if all(x.sizes == arrays[0].sizes for x in arrays):
        return list(arrays)
    try:
        shape = broadcast_shapes(*(x.sizes for x in arrays))
    except CompileError as error:
        types = " and ".join(text_of(x.type) for x in arrays)
        error.sentence = f"{what}: the shapes {types} do not broadcast together"
        error.details = (*error.details, *(described(x) for x in arrays if x.traced))
        raise
    return [broadcast_to(x, shape) for x in arrays]


def broadcast_to(x: Array, shape: Sequence[int | Size]) -> Array:
    """The array repeated to a shape."""
    target = tuple(map(Size.of, shape))
    if x.sizes == target:
        return x
    if not x.traced and x.size == 1 and current_or_none() is not None:
        return Array(None, full(x.item(), x.dtype, target).ssa, current_trace())
    kept, axes = broadcast_axes(x.sizes, target)
    return apply("broadcast", x.reshape(kept), shape=target, axes=axes)


def described(x: Array) -> str:
    """An array in an error: its type, and where it comes from if that is known."""
    if not x.traced:
        return text_of(x.type)
    return text_of(x.type) + _origin(x.ssa)


def _origin(value: SSAValue) -> str:
    name = current_trace().names.get(value)
    if name is not None:
        return f", the argument {name}"
    line = source_line(value.owner.location) if isinstance(value.owner, Operation) else None
    return "" if line is None else f", from line {line.line}"


__all__ = ["Array", "ArrayLike", "Concrete", "LocationAttr", "Number", "is_float"]
