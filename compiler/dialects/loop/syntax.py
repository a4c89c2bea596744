"""Pieces of custom syntax that several loop ops share."""

from abc import ABC
from collections.abc import Sequence
from typing import ClassVar, Self

from xdsl.dialects.builtin import IndexType, StringAttr, SymbolNameConstraint
from xdsl.ir import Attribute, BlockArgument, SSAValue
from xdsl.irdl import IRDLOperation, prop_def
from xdsl.irdl.declarative_assembly_format import (
    AttributeVariable,
    CustomDirective,
    OperandVariable,
    ParsingState,
    PrintingState,
    TypeDirective,
    VariadicOperandVariable,
    irdl_custom_directive,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.utils.str_enum import StrEnum

from stepwell.compiler.dialects.define import Bodied
from stepwell.compiler.dialects.loop.types import AccessAttr, Affine, PlanAttr, parse_affine
from stepwell.compiler.dialects.sizes import (
    PARENTHESES,
    NumberAttr,
    Shape,
    SymbolsAttr,
    parse_size,
    parse_tuple,
)
from stepwell.runtime.sizes import Size

INDEX = IndexType()


def parse_known(parser: Parser) -> SSAValue:
    """An operand whose type is not written, since it is defined before."""
    operand = parser.parse_unresolved_operand()
    return parser.resolve_operand(operand, _known_type(parser, operand))


def _known_type(parser: Parser, operand: UnresolvedOperand) -> Attribute:
    known = parser.ssa_values.get(operand.operand_name)
    if known is None:
        parser.raise_error(f"%{operand.operand_name} is not defined before its use", operand.span)
    return known[operand.index].type


@irdl_custom_directive
class Known(CustomDirective):
    """An operand whose type is not written, since it is defined before."""

    operand: OperandVariable
    type: TypeDirective

    def parse(self, parser: Parser, state: ParsingState) -> None:
        operand = parser.parse_unresolved_operand()
        self.operand.set(state, operand)
        self.type.set(state, (_known_type(parser, operand),))

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        self.operand.print(printer, state, op)


class Word(CustomDirective, ABC):
    """A string among the properties that is one of some words, written without quotes."""

    attribute: AttributeVariable
    WORDS: ClassVar[type[StrEnum]]

    def parse(self, parser: Parser, state: ParsingState) -> None:
        self.attribute.set(state, StringAttr(parser.parse_str_enum(self.WORDS)))

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        word = self.attribute.get(op)
        assert isinstance(word, StringAttr)
        state.print_whitespace(printer)
        printer.print_string(word.data)


@irdl_custom_directive
class Access(CustomDirective):
    """An affine index for each axis: `[%m, (2) * %h + %kh + -1]`."""

    access: AttributeVariable
    indices: VariadicOperandVariable

    def parse(self, parser: Parser, state: ParsingState) -> None:
        operands: list[UnresolvedOperand] = []
        affines = parse_tuple(parser, lambda: parse_affine_of(parser, operands))
        self.access.set(state, AccessAttr(affines))
        self.indices.set(state, operands)

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        access, indices = self.access.get(op), self.indices.get(op)
        assert isinstance(access, AccessAttr)
        with printer.in_square_brackets():
            printer.print_list(access.data, lambda each: print_affine(printer, each, indices))


def print_carried(
    printer: Printer, arguments: Sequence[SSAValue], initial: Sequence[SSAValue]
) -> None:
    """`carry(%a = %zero : f32) `, or nothing if nothing is carried."""
    for number, (argument, value) in enumerate(zip(arguments, initial, strict=True)):
        printer.print_string(", " if number else "carry(")
        print_binding(printer, argument, value)
    if arguments:
        printer.print_string(") ")


def parse_carried(parser: Parser) -> tuple[list[Parser.Argument], list[SSAValue]]:
    """The arguments of a loop's body, and what they are first."""
    if not parser.parse_optional_keyword("carry"):
        return [], []
    return parse_bindings(parser)


def print_binding(printer: Printer, argument: SSAValue, value: SSAValue) -> None:
    """`%a = %zero : f32`: an argument of a block, and what it is first."""
    printer.print_ssa_value(argument)
    printer.print_string(" = ")
    printer.print_operand(value)
    printer.print_string(" : ")
    printer.print_attribute(value.type)


def parse_bindings(parser: Parser) -> tuple[list[Parser.Argument], list[SSAValue]]:
    """`(%a = %zero : f32, …)`: a block's arguments, and what they are first."""
    pairs = parse_tuple(parser, lambda: _parse_binding(parser), PARENTHESES)
    return [argument for argument, _ in pairs], [value for _, value in pairs]


def _parse_binding(parser: Parser) -> tuple[Parser.Argument, SSAValue]:
    argument = parser.parse_argument(expect_type=False)
    parser.parse_punctuation("=")
    initial = parser.parse_unresolved_operand()
    parser.parse_punctuation(":")
    type = parser.parse_type()
    return argument.resolve(type), parser.resolve_operand(initial, type)


def print_affine(printer: Printer, affine: Affine, indices: Sequence[SSAValue]) -> None:
    affine.print(printer, lambda number: printer.print_ssa_value(indices[number]))


def parse_affine_of(parser: Parser, operands: list[UnresolvedOperand]) -> Affine:
    """An affine index, whose operands join those of the op."""

    def operand() -> int | None:
        found = parser.parse_optional_unresolved_operand()
        if found is None:
            return None
        operands.append(found)
        return len(operands) - 1

    return parse_affine(parser, operand)


def print_axes(printer: Printer, axes: Sequence[SSAValue], sizes: Shape) -> None:
    """`[%m : B, %n : 512]`"""
    with printer.in_square_brackets():
        for position, (axis, size) in enumerate(zip(axes, sizes, strict=True)):
            printer.print_string(", " if position else "")
            printer.print_ssa_value(axis)
            printer.print_string(f" : {size}")


def parse_axes(parser: Parser) -> tuple[list[Parser.Argument], Shape]:
    def axis() -> tuple[Parser.Argument, Size]:
        argument = parser.parse_argument(expect_type=False).resolve(INDEX)
        parser.parse_punctuation(":")
        return argument, parse_size(parser)

    pairs = parse_tuple(parser, axis)
    return [argument for argument, _ in pairs], tuple(size for _, size in pairs)


class Function(Bodied, ABC):
    """What is done with buffers, of which it writes the last `outputs`, with symbols.

    ```
    @scale<B: 1>(%x: !loop.buffer<[B] x f32>) -> (%y: !loop.buffer<[B] x f32>) plan <…> { … }
    ```
    """

    sym_name = prop_def(SymbolNameConstraint())
    symbols = prop_def(SymbolsAttr)
    outputs = prop_def(NumberAttr)

    @property
    def arguments(self) -> tuple[BlockArgument, ...]:
        return self.body.block.args

    @property
    def inputs(self) -> tuple[BlockArgument, ...]:
        return self.arguments[: len(self.arguments) - self.outputs.data]

    @property
    def results_written(self) -> tuple[BlockArgument, ...]:
        return self.arguments[len(self.arguments) - self.outputs.data :]

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        self.symbols.print_parameter(printer)
        with printer.in_parens():
            printer.print_list(self.inputs, printer.print_block_argument)
        printer.print_string(" -> ")
        with printer.in_parens():
            printer.print_list(self.results_written, printer.print_block_argument)
        if isinstance(plan := self.properties.get("plan"), PlanAttr):
            printer.print_string(" plan ")
            plan.print_parameter(printer)
        self.print_body(printer)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        properties: dict[str, Attribute] = {
            "sym_name": parser.parse_symbol_name(),
            "symbols": SymbolsAttr(SymbolsAttr.parse_parameter(parser)),
        }
        inputs = parse_tuple(parser, parser.parse_argument, PARENTHESES)
        parser.parse_punctuation("->")
        outputs = parse_tuple(parser, parser.parse_argument, PARENTHESES)
        properties["outputs"] = NumberAttr(len(outputs))
        if "plan" in cls.get_irdl_definition().properties and parser.parse_optional_keyword("plan"):
            properties["plan"] = PlanAttr(PlanAttr.parse_parameter(parser))
        return cls.with_body(parser, [*inputs, *outputs], properties=properties)
