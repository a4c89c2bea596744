"""Types and attributes of the loop level: buffers, affine accesses, reduction orders and plans."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import auto
from functools import lru_cache

from xdsl.ir import Attribute, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.str_enum import StrEnum

from stepwell.compiler.dialects.define import Bracketed
from stepwell.compiler.dialects.llvm.types import size
from stepwell.compiler.dialects.sizes import (
    Shape,
    SizesAttr,
    count_of,
    parse_shape,
    parse_size,
    parse_tuple,
    shape_text,
)
from stepwell.runtime.sizes import Size


@irdl_attr_definition
class BufferType(ParametrizedAttribute, TypeAttribute):
    """Dense row-major memory: `!loop.buffer<[B, 784] x f32>`. Booleans take a byte each."""

    name = "loop.buffer"
    sizes: SizesAttr
    element: Attribute

    @property
    def shape(self) -> Shape:
        return self.sizes.data

    @property
    def strides(self) -> Shape:
        """Elements between neighbours along each axis."""
        return row_major(self.shape)

    @property
    def count(self) -> Size:
        """Number of elements."""
        return count_of(self.shape)

    @property
    def bytes(self) -> Size:
        """What they take in memory."""
        return self.count * size(self.element)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            shape = parse_shape(parser)
            parser.parse_keyword("x")
            return SizesAttr(shape), parser.parse_type()

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{shape_text(self.shape)} x ")
            printer.print_attribute(self.element)


def buffer_type(buffer: SSAValue) -> BufferType:
    """The type of a value that is a buffer."""
    assert isinstance(buffer.type, BufferType)
    return buffer.type


@lru_cache(maxsize=4096)
def row_major(shape: Shape) -> Shape:
    """The strides of a dense array of this shape, in elements."""
    return tuple(count_of(shape[axis + 1 :]) for axis in range(len(shape)))


@lru_cache(maxsize=4096)
def buffer(shape: Shape, element: Attribute) -> BufferType:
    """The interned buffer type."""
    return BufferType(SizesAttr(shape), element)


@dataclass(frozen=True)
class Affine:
    """`sum of coefficient * operand, plus offset`; operands by their number in the op."""

    terms: tuple[tuple[Size, int], ...]
    offset: Size

    def print(self, printer: Printer, operand: Callable[[int], object]) -> None:
        """Prints it; `operand` prints the operand of a number."""
        for position, (coefficient, number) in enumerate(self.terms):
            printer.print_string(" + " if position else "")
            printer.print_string("" if coefficient.static == 1 else f"({coefficient}) * ")
            operand(number)
        if self.offset != Size.of(0) or not self.terms:
            printer.print_string(f"{' + ' if self.terms else ''}{self.offset}")


@irdl_attr_definition
class AccessAttr(Bracketed[tuple[Affine, ...]]):
    """One affine index per axis of a buffer: `#loop.access<["0", (2) * "1" + -1]>`."""

    name = "loop.access"

    @staticmethod
    def read(parser: AttrParser) -> tuple[Affine, ...]:
        def number() -> int | None:
            name = parser.parse_optional_str_literal()
            return None if name is None else int(name)

        return parse_tuple(parser, lambda: parse_affine(parser, number))

    def write(self, printer: Printer) -> None:
        def number(operand: int) -> None:
            printer.print_string(f'"{operand}"')

        with printer.in_square_brackets():
            printer.print_list(self.data, lambda each: each.print(printer, number))


def parse_affine(parser: AttrParser, operand: Callable[[], int | None]) -> Affine:
    """`(2) * %h + %kh + -1`; `operand` gives the number of the operand here, if there is one."""
    terms: list[tuple[Size, int]] = []
    while True:
        if (number := operand()) is not None:
            terms.append((Size.of(1), number))
        elif parser.parse_optional_punctuation("("):
            coefficient = parse_size(parser)
            parser.parse_punctuation(")")
            parser.parse_punctuation("*")
            terms.append((coefficient, parser.expect(operand, "operand expected")))
        else:
            return Affine(tuple(terms), parse_size(parser))
        if parser.parse_optional_punctuation("+") is None:
            return Affine(tuple(terms), Size.of(0))


class Combine(StrEnum):
    """How a fold joins terms. `fma` multiplies two and adds; `arg*` fold (value, index) pairs."""

    ADD = auto()
    MUL = auto()
    MAX = auto()
    MIN = auto()
    AND = auto()
    OR = auto()
    FMA = auto()
    ARGMAX = auto()
    ARGMIN = auto()


@dataclass(frozen=True)
class Order:
    """In which order a fold takes its terms, as docs/semantics.md defines it.

    `serial`: one chain over ascending positions. `lanes`: position p joins accumulator p mod 64,
    then a fixed tree. Either is cut into chunks of `chunk` positions (0: not cut), whose results
    are joined in ascending order. `any`: the combination is exact: its order cannot be seen.
    `pairs`: products of bf16 as an instruction adds them, two at a time. `tensor`: products of f16
    or bf16 as a GPU's matrix instructions add them, sixteen at a time.
    """

    kind: str
    chunk: int = 0


SERIAL = Order("serial", 1024)
UNCUT = Order("serial")
LANES = Order("lanes", 4096)
ANY = Order("any")
PAIRS = Order("pairs")
TENSOR = Order("tensor")
LANE_COUNT = 64


@irdl_attr_definition
class OrderAttr(Bracketed[Order]):
    """`<serial, 1024>`, `<serial>`, `<lanes, 4096>`, `<any>`, `<pairs>` or `<tensor>`."""

    name = "loop.order"

    @staticmethod
    def read(parser: AttrParser) -> Order:
        kind = parser.parse_keyword_in(("serial", "lanes", "any", "pairs", "tensor"))
        cut = parser.parse_optional_punctuation(",") is not None
        return Order(kind, parser.parse_integer() if cut else 0)

    def write(self, printer: Printer) -> None:
        chunk = f", {self.data.chunk}" if self.data.chunk else ""
        printer.print_string(f"{self.data.kind}{chunk}")


Parameter = int | str | tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A strategy's name and the values of its parameters, as printed."""

    strategy: str
    parameters: tuple[tuple[str, Parameter], ...] = ()


@irdl_attr_definition
class PlanAttr(Bracketed[Plan]):
    """`#loop.plan<gemm, mr = 14, nv = 2, pack = [w], threads = m>`."""

    name = "loop.plan"

    @staticmethod
    def read(parser: AttrParser) -> Plan:
        strategy = parser.parse_identifier(" as the name of a strategy")
        parameters: list[tuple[str, Parameter]] = []
        while parser.parse_optional_punctuation(","):
            key = parser.parse_identifier(" as the name of a parameter")
            parser.parse_punctuation("=")
            parameters.append((key, _parse_parameter(parser)))
        return Plan(strategy, tuple(parameters))

    def write(self, printer: Printer) -> None:
        parameters = [f"{key} = {_parameter_text(value)}" for key, value in self.data.parameters]
        printer.print_string(", ".join([self.data.strategy, *parameters]))


def _parse_parameter(parser: AttrParser) -> Parameter:
    if (number := parser.parse_optional_integer(allow_boolean=False)) is not None:
        return number
    if (name := parser.parse_optional_identifier()) is not None:
        return name
    return parse_tuple(parser, parser.parse_identifier)


def _parameter_text(value: Parameter) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, tuple) else str(value)
