"""Types and attributes of the tensor level: dtypes, symbolic shapes, references to weights."""

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeGuard, final
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    IntegerType,
    NoneAttr,
    Signedness,
    TensorType,
    bf16,
    f16,
    f32,
    f64,
    i1,
    i8,
    i32,
    i64,
)
from xdsl.ir import Attribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.define import Bracketed
from stepwell.compiler.dialects.sizes import Shape, parse_shape, parse_tuple, shape_text
from stepwell.compiler.dialects.winograd import transformed
from stepwell.runtime.dtypes import BY_NAME
from stepwell.runtime.results import empty
from stepwell.runtime.sizes import Size

Tensor = TensorType[Attribute]


def is_tensor(type: Attribute) -> TypeGuard[Tensor]:
    return isinstance(type, TensorType)


ui8 = IntegerType(8, Signedness.UNSIGNED)
ELEMENTS: dict[str, Attribute] = {
    "bool": i1,
    "i8": i8,
    "i32": i32,
    "i64": i64,
    "u8": ui8,
    "f16": f16,
    "bf16": bf16,
    "f32": f32,
    "f64": f64,
}
NAMES: dict[Attribute, str] = {element: name for name, element in ELEMENTS.items()}
FLOATS = ("f16", "bf16", "f32", "f64")
INTEGERS = ("i8", "i32", "i64", "u8")

FEW = 16
"""How many elements of a weight, about, tell it from most others."""
PART = 1 << 16
"""Bytes of two weights that are compared at a time."""


@irdl_attr_definition
class InfoAttr(Bracketed[Shape]):
    """What `tensor<…>` cannot say: `#nd.info<dims = [B, 784]>`, only where a size is symbolic."""

    name = "nd.info"

    @staticmethod
    def read(parser: AttrParser) -> Shape:
        parser.parse_keyword("dims")
        parser.parse_punctuation("=")
        return parse_shape(parser)

    def write(self, printer: Printer) -> None:
        printer.print_string(f"dims = {shape_text(self.data)}")


@lru_cache(maxsize=8192)
def tensor(dtype: str, shape: Shape = ()) -> Tensor:
    """The interned type of an array of this dtype and shape."""
    if dtype not in ELEMENTS:
        raise VerifyException(f"there is no dtype {dtype}")
    statics = [size.static for size in shape]
    symbolic = any(size is None for size in statics)
    dims = [DYNAMIC_INDEX if size is None else size for size in statics]
    return TensorType(ELEMENTS[dtype], dims, InfoAttr(shape) if symbolic else NoneAttr())


@lru_cache(maxsize=8192)
def shape_of(type: Attribute) -> Shape:
    """The sizes of a tensor type."""
    assert is_tensor(type)
    if isinstance(type.encoding, InfoAttr):
        return type.encoding.data
    return tuple(map(Size.of, type.get_shape()))


@lru_cache(maxsize=8192)
def symbols_of_tensor(type: Attribute) -> frozenset[str]:
    """The symbols of a tensor type. Raises VerifyException for a type that is none of ours."""
    if not is_tensor(type) or type.element_type not in NAMES:
        raise VerifyException(f"{type} is no tensor of {', '.join(map(str, NAMES))}")
    named = isinstance(type.encoding, InfoAttr)
    if named != (DYNAMIC_INDEX in type.get_shape()) or type != tensor(
        dtype_of(type), shape_of(type)
    ):
        raise VerifyException(f"{type}: each `?` has a symbolic size in `dims`, and nothing else")
    return frozenset(symbol for size in shape_of(type) for symbol in size.symbols)


def dtype_of(type: Attribute) -> str:
    """The dtype's name of a tensor type, such as `f32`."""
    assert is_tensor(type)
    return NAMES[type.element_type]


def text_of(type: Attribute) -> str:
    """A tensor type as users write it: `f32[B, 784]`."""
    return dtype_of(type) + (shape_text(shape_of(type)) if shape_of(type) else "")


def is_float(dtype: str) -> bool:
    return dtype in FLOATS


def numpy_dtype(dtype: str) -> np.dtype[np.generic]:
    return BY_NAME[dtype].numpy


@irdl_attr_definition
class TypesAttr(Bracketed[tuple[Tensor, ...]]):
    """The types of results that follow from nothing else: `<[tensor<4xf32>]>`."""

    name = "nd.types"

    @staticmethod
    def read(parser: AttrParser) -> tuple[Tensor, ...]:
        return tuple(filter(is_tensor, parse_tuple(parser, parser.parse_type)))

    def write(self, printer: Printer) -> None:
        with printer.in_square_brackets():
            printer.print_list(self.data, printer.print_attribute)


Moves = tuple[tuple[str, tuple[int, ...]], ...]
"""What is done to an array, in order: `("transpose", axes)`, `("reshape", shape)`, or for a kernel
of 3 by 3 `("winograd", (tile,))`."""

MOVES: Mapping[str, Callable[[NDArray[Any], Sequence[int]], NDArray[Any]]] = {
    "transpose": np.transpose,
    "reshape": np.reshape,
    "winograd": transformed,
}


@final
class Weight:
    """An array that is part of a program: equal to another of its dtype, shape and bytes.

    The `values` that it is given must not change from then on. In text it is the SHA-256 of these,
    which takes long and is computed when it is asked for; a weight that was parsed has no `values`,
    and equals another that was parsed by its hash. What is another weight, its `source`, after some
    `moves`, is moved when its values are asked for.
    """

    __slots__ = ("__weakref__", "_few", "_moved", "_sha", "_values", "moves", "source")

    def __init__(
        self,
        sha: str | None = None,
        values: NDArray[np.generic] | None = None,
        source: "Weight | None" = None,
        moves: Moves = (),
    ) -> None:
        self._values = None if values is None else np.require(values, requirements="C")
        self._sha = sha
        self._few = sha if self._values is None else _few(self._values)
        if source is not None:
            self._few = source._few, moves
        self.source = source
        self.moves = moves
        self._moved = WeakValueDictionary[Moves, Weight]()

    def moved(self, moves: Moves) -> "Weight":
        """This weight after some moves: one object for all who ask, which is moved but once."""
        if not moves:
            return self
        if self.source is not None:
            return self.source.moved((*self.moves, *moves))
        return self._moved.setdefault(moves, Weight(source=self, moves=moves))

    @property
    def values(self) -> NDArray[np.generic] | None:
        """The array, dense and row-major."""
        source = None if self.source is None else self.source.values
        if self._values is None and source is not None:
            self._values = arranged(source, self.moves)
        return self._values

    @property
    def sha(self) -> str:
        """64 hexadecimal digits."""
        if self._sha is None:
            assert self.values is not None
            self._sha = _sha(self.values)
        return self._sha

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Weight) or self._few != other._few:
            return False
        if self.source is not None:
            return self.source == other.source
        return self.values is None or other.values is None or _same(self.values, other.values)

    def __hash__(self) -> int:
        return hash(self._few)

    def __repr__(self) -> str:
        return f"Weight({self.sha!r})"


def arranged(values: NDArray[np.generic], moves: Moves) -> NDArray[np.generic]:
    """A copy of what moves make, which are mostly views, where vectors and large pages begin."""
    for kind, numbers in moves:
        values = MOVES[kind](values, numbers)
    result = empty(values.shape, values.dtype)
    result[...] = values
    return result


def _sha(values: NDArray[np.generic]) -> str:
    digest = hashlib.sha256(f"{values.dtype.name}{values.shape}".encode())
    digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _few(values: NDArray[np.generic]) -> Hashable:
    """The dtype, the shape, and some elements: arrays that differ mostly differ in these."""
    flat = values.reshape(-1)
    return values.dtype.name, values.shape, flat[:: max(1, flat.size // FEW)].tobytes()


def _same(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    """Whether arrays of one dtype and shape have the same bytes: no further than to the first that
    differ."""
    first, second = (each.reshape(-1).view(np.uint8) for each in (one, other))
    starts = range(0, first.size, PART)
    return all(np.array_equal(first[at : at + PART], second[at : at + PART]) for at in starts)


@irdl_attr_definition
class RefAttr(Bracketed[Weight]):
    """A weight by its hash: `#nd.ref<"ab12…">`, or one that is moved: `#nd.ref<"ab12…" transpose
    [1, 0]>`. The array rides along, outside of the text."""

    name = "nd.ref"

    @staticmethod
    def read(parser: AttrParser) -> Weight:
        source = Weight(parser.parse_str_literal())
        moves: list[tuple[str, tuple[int, ...]]] = []
        while (kind := parser.parse_optional_keyword_in(MOVES)) is not None:
            moves.append((kind, parse_tuple(parser, parser.parse_integer)))
        return source.moved(tuple(moves))

    def write(self, printer: Printer) -> None:
        source = self.data.source or self.data
        moves = "".join(f" {kind} {list(numbers)}" for kind, numbers in self.data.moves)
        printer.print_string(f'"{source.sha}"{moves}')


@dataclass(frozen=True)
class Literal:
    """One number of a dtype. Equality tells -0.0 from 0.0, and NaN equals itself."""

    dtype: str
    text: str

    @staticmethod
    def of(value: float | int | bool, dtype: str) -> "Literal":
        if dtype == "bool":
            return Literal(dtype, "true" if value else "false")
        if not is_float(dtype):
            return Literal(dtype, str(int(value)))
        wide = np.float64 if dtype == "f64" else np.float32
        rounded = wide(numpy_dtype(dtype).type(value))
        return Literal(dtype, np.format_float_scientific(rounded, trim="0"))

    @property
    def value(self) -> float | int | bool:
        if self.dtype == "bool":
            return self.text == "true"
        return float(self.text) if is_float(self.dtype) else int(self.text)


@irdl_attr_definition
class LiteralAttr(Bracketed[Literal]):
    """`#nd.literal<f32 1.5e+00>`."""

    name = "nd.literal"

    @staticmethod
    def read(parser: AttrParser) -> Literal:
        dtype = parser.parse_identifier(" as a dtype")
        if dtype not in BY_NAME:
            parser.raise_error(f"there is no dtype {dtype}")
        negative = parser.parse_optional_punctuation("-") is not None
        if (word := parser.parse_optional_identifier()) is None:
            number = float(parser.parse_number()) if is_float(dtype) else parser.parse_integer()
            return Literal.of(-number if negative else number, dtype)
        if word not in (("inf", "nan") if is_float(dtype) else ("true", "false")):
            parser.raise_error(f"{word} is no {dtype}")
        return Literal(dtype, "-" + word if negative else word)

    def write(self, printer: Printer) -> None:
        printer.print_string(f"{self.data.dtype} {self.data.text}")
