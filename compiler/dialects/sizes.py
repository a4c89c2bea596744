"""Attributes and syntax of symbolic sizes, shared by the tensor and the loop level.

`#nd.expr<2*B + 1>` is one size, `#nd.sizes<[B, 784]>` a shape, `#nd.symbols<<B: 1, S: 1 to 64>>`
the symbols that a function binds, with their ranges.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from math import prod
from typing import TypeVar

from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from stepwell.compiler.dialects.define import Bracketed
from stepwell.runtime.sizes import Size
from stepwell.runtime.sizes.size import ON_SIZES
from stepwell.runtime.sizes.text import is_symbol

Shape = tuple[Size, ...]
Range = tuple[int, int | None]
T = TypeVar("T")

SQUARE = AttrParser.Delimiter.SQUARE
ANGLES = AttrParser.Delimiter.ANGLE
PARENTHESES = AttrParser.Delimiter.PAREN


def count_of(shape: Iterable[Size]) -> Size:
    """The number of elements of a shape."""
    return prod(shape, start=Size.of(1))


def parse_size(parser: AttrParser) -> Size:
    """`sum ::= [-] product ((+ | -) product)*`"""
    negated = parser.parse_optional_punctuation("-") is not None
    total = _parse_product(parser)
    total = -total if negated else total
    while True:
        if parser.parse_optional_punctuation("+"):
            total = total + _parse_product(parser)
        elif parser.parse_optional_punctuation("-"):
            total = total - _parse_product(parser)
        else:
            return total


def _parse_product(parser: AttrParser) -> Size:
    product = _parse_factor(parser)
    while parser.parse_optional_punctuation("*"):
        product = product * _parse_factor(parser)
    return product


def _parse_factor(parser: AttrParser) -> Size:
    if (number := parser.parse_optional_integer(allow_boolean=False)) is not None:
        return Size.of(number)
    if parser.parse_optional_punctuation("("):
        inner = parse_size(parser)
        parser.parse_punctuation(")")
        return inner
    name = parser.parse_identifier(" in a size")
    if is_symbol(name):
        return Size.of(name)
    arguments = parse_tuple(parser, lambda: parse_size(parser), PARENTHESES)
    return reduce(ON_SIZES[name], arguments)


def parse_tuple(
    parser: AttrParser, parse: Callable[[], T], brackets: AttrParser.Delimiter = SQUARE
) -> tuple[T, ...]:
    """Some things with commas between them, in brackets."""
    return tuple(parser.parse_comma_separated_list(brackets, parse))


def parse_shape(parser: AttrParser) -> Shape:
    return parse_tuple(parser, lambda: parse_size(parser))


def shape_text(shape: Shape) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


@irdl_attr_definition
class SizeAttr(Bracketed[Size]):
    """One size: `#nd.expr<B*S>`."""

    name = "nd.expr"
    read = staticmethod(parse_size)


@irdl_attr_definition
class SizesAttr(Bracketed[Shape]):
    """Several sizes, such as a shape: `[B, 784]`."""

    name = "nd.sizes"
    read = staticmethod(parse_shape)

    def write(self, printer: Printer) -> None:
        printer.print_string(shape_text(self.data))


@irdl_attr_definition
class NumberAttr(Bracketed[int]):
    """An axis, a count and the like: `<1>`."""

    name = "nd.number"
    read = staticmethod(AttrParser.parse_integer)


@irdl_attr_definition
class IntsAttr(Bracketed[tuple[int, ...]]):
    """Axis numbers, strides and the like: `<[1, 0]>`."""

    name = "nd.ints"

    @staticmethod
    def read(parser: AttrParser) -> tuple[int, ...]:
        return parse_tuple(parser, parser.parse_integer)

    def write(self, printer: Printer) -> None:
        printer.print_string(str(list(self.data)))


@irdl_attr_definition
class SymbolsAttr(Data[tuple[tuple[str, Range], ...]]):
    """The symbols a function binds, in order, with the range of each: `<B: 1, S: 1 to 2048>`, or
    nothing for no symbols."""

    name = "nd.symbols"

    @staticmethod
    def of(ranges: Mapping[str, Range]) -> "SymbolsAttr":
        return SymbolsAttr(tuple(ranges.items()))

    @property
    def ranges(self) -> dict[str, Range]:
        return dict(self.data)

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[tuple[str, Range], ...]:
        found = parser.parse_optional_comma_separated_list(ANGLES, lambda: _parse_symbol(parser))
        return tuple(found or ())

    def print_parameter(self, printer: Printer) -> None:
        if self.data:
            printer.print_string("<" + ", ".join(map(_symbol_text, self.data)) + ">")


def _parse_symbol(parser: AttrParser) -> tuple[str, Range]:
    symbol = parser.parse_identifier(" as a symbol's name")
    parser.parse_punctuation(":")
    low = parser.parse_integer(allow_boolean=False, allow_negative=False)
    if not parser.parse_optional_keyword("to"):
        return symbol, (low, None)
    return symbol, (low, parser.parse_integer(allow_boolean=False, allow_negative=False))


def _symbol_text(entry: tuple[str, Range]) -> str:
    name, (low, high) = entry
    return f"{name}: {low}" if high is None else f"{name}: {low} to {high}"


@irdl_attr_definition
class BindingsAttr(Data[tuple[tuple[str, Size], ...]]):
    """What a call binds the callee's symbols to: `<B = 2*N, S = S>`."""

    name = "nd.bindings"

    @property
    def sizes(self) -> dict[str, Size]:
        return dict(self.data)

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[tuple[str, Size], ...]:
        def entry() -> tuple[str, Size]:
            symbol = parser.parse_identifier(" as a symbol's name")
            parser.parse_punctuation("=")
            return symbol, parse_size(parser)

        return parse_tuple(parser, entry, ANGLES)

    def print_parameter(self, printer: Printer) -> None:
        printer.print_string("<" + ", ".join(f"{k} = {v}" for k, v in self.data) + ">")
