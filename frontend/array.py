"""The array: a value that is here, or one that a traced function will compute.

An array whose value is here runs each op by its reference in NumPy, so that print and pdb just
work. While a function is traced, ops on its arrays are written down instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NoReturn, SupportsIndex, TypeAlias, cast, final

import numpy as np
from xdsl.ir import Block, Operation, SSAValue

from stepwell import promotion
from stepwell.broadcasting import broadcast_axes, broadcast_shapes
from stepwell.compiler.dialects.construct import construct
from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.nd import (
    INTEGERS,
    Tensor,
    dtype_of,
    numpy_dtype,
    shape_of,
    tensor,
    text_of,
)
from stepwell.compiler.dialects.sizes import Shape
from stepwell.compiler.ops.base import TensorOp
from stepwell.compiler.ops.emission import Inferring, attributes_of, current_or_none, emit, located
from stepwell.compiler.ops.unary import converted
from stepwell.compiler.ops.value import Value, full
from stepwell.indexing import ONE
from stepwell.places import user_line, user_location
from stepwell.promotion import dtype_name, integer_limits
from stepwell.runtime.devices.array import DeviceArray
from stepwell.runtime.devices.registry import CPU, device_at, place_of
from stepwell.runtime.dtypes import BY_NUMPY
from stepwell.runtime.errors import CallError, CompileError
from stepwell.runtime.sizes import Size
from stepwell.subscripts import Subscripts
from stepwell.trace import Concrete, Held, Trace, current_trace

Number: TypeAlias = bool | int | float

INSTEAD_OF_BRANCHES = "use cond, while_loop, scan or where instead of Python's if and while"
INSTEAD_OF_NUMBERS = (
    "give a number that the program is built for as a number: functools.partial(f, n=3), or a"
    " default; compute others with arrays"
)

KNOWN_ONLY = "what is compiled already takes known arrays: trace the function itself"
INSTEAD_OF_NUMPY = "write it with the functions of stepwell.numpy, which can be traced"


@final
class Array(Subscripts):
    """An n-d array of one dtype. It never changes; `x.at[i].set(v)` gives another."""

    __slots__ = ("_ssa", "_trace", "_value", "weak")
    __array_priority__ = 1000

    def __init__(
        self,
        value: Held | None,
        ssa: SSAValue | None = None,
        trace: Trace | None = None,
        weak: bool = False,
    ) -> None:
        """A `weak` array is one of Python's numbers, f64, i64 or bool so that nothing is rounded.

        Python's operators treat it as that number; everything else settles it first.
        """
        self._value = value
        self._ssa = ssa
        self._trace = trace
        self.weak = weak

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
        if self._value is None:
            name = dtype_of(self.type)
        else:
            name = BY_NUMPY[self._value.dtype].name
        return promotion.SETTLED[name] if self.weak else name

    @property
    def device(self) -> str:
        """Where its value lies: `cpu`, `cuda`, `cuda:1`."""
        held = self._known("a program runs where its target says, and its arrays lie there")
        return held.device.name if isinstance(held, DeviceArray) else CPU

    def settled(self) -> Array:
        """A weak array in the dtype that Python's numbers have by default; others as they are."""
        return self.astype(self.dtype) if self.weak else self

    def astype(self, dtype: object) -> Array:
        """The elements converted; float to integer saturates. The result is not weak."""
        return self._exactly(dtype_name(dtype)) if self.weak else super().astype(dtype)

    def floating(self) -> Array:
        return self._exactly("f64", weak=True) if self.weak else super().floating()

    def _exactly(self, dtype: str, weak: bool = False) -> Array:
        """A weak array in another dtype, from the number as it is."""
        exact = self if dtype == dtype_of(self.type) else _run("convert", [self], dtype=dtype)[0]
        return Array(exact._value, exact._ssa, exact._trace, weak)

    # Its value, where it is here.

    @property
    def held(self) -> Held:
        """The value where it lies: NumPy's array, or a device's."""
        return self._known(KNOWN_ONLY)

    @property
    def value(self) -> Concrete:
        """The values in NumPy, without a copy but from a device. An error while tracing: they are
        not known yet."""
        return self._seen(KNOWN_ONLY)

    def _seen(self, way_out: str) -> Concrete:
        """The values in NumPy, which are fetched each time where they lie on a device."""
        held = self._known(way_out)
        return held.fetched() if isinstance(held, DeviceArray) else held

    def _known(self, way_out: str) -> Held:
        if self._value is None:
            raise CompileError(
                "SW0102",
                "Python asks for the value of an array that is only known when the program runs",
                details=[described(self)],
                hint=way_out,
                where=user_line(),
            )
        return self._value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Concrete:
        """The values, read-only unless they are copied."""
        value = self._seen(INSTEAD_OF_NUMPY)
        if dtype is not None and value.dtype != dtype:
            return value.astype(dtype)
        if copy:
            return value.copy()
        shown = value.view()
        shown.flags.writeable = False
        return shown

    def __dlpack__(self, **options: Any) -> Any:
        """Read-only for those who know what that is: since DLPack 1.0, which they ask for.

        Others get what they may write to: a copy, where the values here must not change.
        """
        if isinstance(self._value, DeviceArray):
            return self._value.__dlpack__(**options)
        if options.get("max_version"):
            return np.asarray(self).__dlpack__(**options)
        value = self.value
        return (value if value.flags.writeable else value.copy()).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, Any]:
        return self._known(INSTEAD_OF_NUMPY).__dlpack_device__()

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """For other libraries of a GPU; AttributeError if the value does not lie on one."""
        if not isinstance(self._value, DeviceArray):
            raise AttributeError("__cuda_array_interface__: the array does not lie on a GPU")
        return self._value.__cuda_array_interface__

    def item(self) -> Number:
        """The only element as a Python number."""
        return self.value.item()

    def tolist(self) -> Any:
        return self.value.tolist()

    def copy(self) -> Array:
        """The array with memory of its own, as one that NumPy shares may change."""
        return self if self._value is None else Array(self.held.copy(), weak=self.weak)

    def __bool__(self) -> bool:
        return bool(self._seen(INSTEAD_OF_BRANCHES))

    def __int__(self) -> int:
        return int(self._seen(INSTEAD_OF_NUMBERS))

    def __float__(self) -> float:
        return float(self._seen(INSTEAD_OF_NUMBERS))

    def __index__(self) -> int:
        return cast(SupportsIndex, self._seen(INSTEAD_OF_NUMBERS)).__index__()

    def __format__(self, form: str) -> str:
        """As its only element is formatted; without a format as `str` has it."""
        if not form:
            return str(self)
        way = f'have the program print it, when it runs: stepwell.print("{{:{form}}}", x)'
        return format(self._seen(way).item(), form)

    def __repr__(self) -> str:
        if self._value is None:
            over = self._trace is None or self._trace.over
            return f"Array({'of a function that has ended' if over else _type_text(self)}, traced)"
        text = np.array2string(self.value, separator=", ", prefix="Array(")
        place = "" if self.device == CPU else f", {self.device}"
        return f"Array({text}, {self.dtype}{place})"

    # What operators and methods are written with.

    def _array(self, value: Any, dtype: str | None = None) -> Array:
        return asarray(value, dtype)

    def _apply(self, mnemonic: str, *operands: Any, **parameters: Any) -> Array:
        return apply(mnemonic, *operands, **parameters)

    def _apply_all(self, mnemonic: str, *operands: Any, **parameters: Any) -> list[Array]:
        return apply_all(mnemonic, *operands, **parameters)

    def _elementwise(self, mnemonic: str, *operands: Any) -> Array:
        arrays = broadcast_arrays(*_in_common_dtype(operands), what=mnemonic)
        (result,) = _run(mnemonic, arrays)
        result.weak = arrays[0].weak
        return result

    def _promoted(self, *operands: Any) -> list[Array]:
        return _in_common_dtype(operands)

    def _broadcast(self, x: Any, shape: Shape) -> Array:
        return broadcast_to(x, shape)


ArrayLike: TypeAlias = Array | Concrete | Number | Size


def asarray(x: Any, dtype: object = None) -> Array:
    """An Array of what NumPy takes for an array, without a copy, or of a number.

    Python's numbers become i64 and f32, the array API's default dtypes; what has a dtype keeps it.
    """
    if isinstance(x, Array):
        return x.settled() if dtype is None else x.astype(dtype)
    if type(x) is np.ndarray and dtype is None and x.flags.c_contiguous and x.dtype in BY_NUMPY:
        return Array(x)
    if isinstance(x, Size) and x.static is not None:
        x = x.static
    if _holds_arrays(x):
        return _stacked(cast(Sequence[Any], x), dtype)
    if isinstance(x, Size):
        size = Array(None, *_emitted("size", (), {"size": x})[0])
        return size if dtype is None else size.astype(dtype)
    if (place := place_of(x)) is not None:
        there = x if isinstance(x, DeviceArray) else DeviceArray.borrowed(x, device_at(place))
        return Array(there) if dtype is None else Array(there).astype(dtype)
    value = np.from_dlpack(x) if _by_dlpack(x) else np.asarray(x)
    if value.dtype.kind in "OUS" and not hasattr(x, "dtype"):
        _refuse_object(x)
    if dtype is None and value.dtype == np.float64 and _is_plain(x):
        dtype = promotion.DEFAULTS[float]
    name = dtype_name(value.dtype if dtype is None else dtype)
    if type(x) is int and name in INTEGERS:
        _expect_fits(x, name)
    known = value.dtype in BY_NUMPY and value.dtype != numpy_dtype(name)
    return Array(
        np.asarray(converted(value, name) if known else value, numpy_dtype(name), order="C")
    )


def _holds_arrays(x: object) -> bool:
    """Whether nested lists hold an Array, so that numbers beside it take its dtype."""
    if not isinstance(x, list | tuple):
        return False
    return any(isinstance(each, Array) or _holds_arrays(each) for each in cast(list[object], x))


def _stacked(x: Sequence[Any], dtype: object) -> Array:
    """Arrays, numbers and lists of them along a new axis."""
    inner = [asarray(each) if _holds_arrays(each) else each for each in x]
    rows = [each.reshape(ONE, *each.sizes) for each in promoted(*inner)]
    return asarray(apply("concatenate", *rows, axis=0), dtype)


def _refuse_object(x: object) -> NoReturn:
    name = "None" if x is None else f"a {type(x).__name__}"
    hint = "compare with `is None`; or is a return missing?" if x is None else None
    raise CompileError("SW0108", f"{name} is no array", hint=hint, where=user_line())


def argument(x: Any) -> Array:
    """As `asarray`, but one of Python's numbers stays weak, and a weak array too."""
    if isinstance(x, Array):
        return x
    if not isinstance(x, bool | int | float) or not _is_plain(x):
        return asarray(x)
    (kind,) = _kinds(x)
    number = asarray(x, promotion.EXACT[promotion.DEFAULTS[kind]])
    number.weak = True
    return number


def _is_plain(x: object) -> bool:
    """Whether x is one of Python's numbers, or nested lists of them, which have no dtype."""
    if isinstance(x, list | tuple):
        return all(map(_is_plain, cast(Sequence[object], x)))
    return isinstance(x, bool | int | float) and not isinstance(x, np.generic)


def _by_dlpack(x: Any) -> bool:
    return hasattr(x, "__dlpack__") and not isinstance(x, np.ndarray | np.generic)


def _expect_fits(number: int, dtype: str) -> None:
    limits = integer_limits(dtype)
    if not limits.min <= number <= limits.max:
        raise CompileError(
            "SW0124",
            f"the number {number} does not fit {dtype}",
            details=[f"{dtype} holds {limits.min} to {limits.max}"],
            where=user_line(),
        )


# Running one op.


def apply(mnemonic: str, *operands: Array, **parameters: Any) -> Array:
    """The only result of an op."""
    (result,) = apply_all(mnemonic, *operands, **parameters)
    return result


def apply_all(mnemonic: str, *operands: Array, **parameters: Any) -> list[Array]:
    """The results of an op: computed, or written down where one is traced."""
    return _run(mnemonic, [x.settled() for x in operands], **parameters)


def _run(mnemonic: str, operands: Sequence[Array], **parameters: Any) -> list[Array]:
    """The results of an op on arrays as they are, weak or not."""
    try:
        if current_or_none() is not None:
            pairs = _emitted(mnemonic, operands, parameters)
            return [Array(None, ssa, trace) for ssa, trace in pairs]
        op = _prototype(mnemonic, tuple(x.type for x in operands), tuple(parameters.items()))
        values = op.reference(*map(here, operands))
    except CompileError as error:
        error.where = user_line()
        error.details = error.details or tuple(described(x) for x in operands if x.traced)
        raise
    return [Array(v) for v in (values if isinstance(values, tuple) else (values,))]


def here(x: Array) -> Concrete:
    """The value of an array that the CPU can compute with (CallError SW0423)."""
    held = x.held
    if isinstance(held, DeviceArray):
        raise CallError(
            "SW0423",
            f"an array on {x.device} is computed with outside of jit, which the CPU does",
            hint=f'use jit(f, target="{x.device}"), or fetch it: stepwell.device_put(x, "{CPU}")',
            where=user_line(),
        )
    return held


@lru_cache(maxsize=4096)
def _prototype(
    mnemonic: str, types: tuple[Tensor, ...], parameters: tuple[tuple[str, Any], ...]
) -> TensorOp:
    """A detached op, kept to answer `reference`: an eager call then builds no IR."""
    kind, given = Inferring.REGISTRY[mnemonic], dict(parameters)
    assert issubclass(kind, TensorOp)
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
        return full(value.item(), dtype_of(x.type), x.sizes)
    return current_trace().weight(value)


# Broadcasting and promotion are decided here, and nowhere else.


def elementwise(mnemonic: str, *operands: ArrayLike) -> Array:
    """An elementwise op after promotion and broadcasting."""
    return apply(mnemonic, *broadcast_arrays(*promoted(*operands), what=mnemonic))


def promoted(*operands: ArrayLike) -> list[Array]:
    """The operands in their common dtype; that of numbers alone is the default one."""
    return [x.settled() for x in _in_common_dtype(operands)]


def _in_common_dtype(operands: Sequence[ArrayLike]) -> list[Array]:
    """The operands in their common dtype; numbers alone are weak."""
    numbers = [kind for x in operands for kind in _kinds(x)]
    strong = [x if isinstance(x, Array) else asarray(x) for x in operands if not _weak(x)]
    try:
        dtype = promotion.promote([x.dtype for x in strong], numbers)
    except CompileError as error:
        error.details = tuple(map(described, strong))
        raise
    if strong:
        arrays = iter(strong)
        return [asarray(x, dtype) if _weak(x) else next(arrays).astype(dtype) for x in operands]
    exact = [asarray(x, promotion.EXACT[dtype]) for x in operands]
    for x in exact:
        x.weak = True
    return exact


def _weak(x: object) -> bool:
    """Python's numbers. NumPy's have a dtype, though some are instances of Python's types too."""
    return x.weak if isinstance(x, Array) else isinstance(x, Size) or _is_plain(x)


def _kinds(x: object) -> list[type]:
    """The types of the numbers that x is made of, where it is weak."""
    if isinstance(x, list | tuple):
        return [kind for each in cast(Sequence[object], x) for kind in _kinds(each)]
    if not _weak(x):
        return []
    if isinstance(x, Array):
        return [kind for kind, dtype in promotion.DEFAULTS.items() if dtype == x.dtype]
    return [int if isinstance(x, Size) else next(k for k in promotion.DEFAULTS if isinstance(x, k))]


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
    return _type_text(x) + (_origin(x.ssa) if x.traced else "")


def _type_text(x: Array) -> str:
    return text_of(tensor(x.dtype, x.sizes))


def _origin(value: SSAValue) -> str:
    name = current_trace().names.get(value)
    if name is not None:
        return f", the argument {name}"
    line = source_line(value.owner.location) if isinstance(value.owner, Operation) else None
    return "" if line is None else f", from line {line.line}"
