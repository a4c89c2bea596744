"""The pieces of MLIR's llvm syntax that xDSL's declarative formats cannot say."""

from abc import ABC
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import ClassVar, NamedTuple

from xdsl.dialects.builtin import (
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    StringAttr,
    i32,
    i64,
)
from xdsl.dialects.llvm import GEP_USE_SSA_VAL, FCmpPredicateFlag
from xdsl.dialects.utils import parse_dynamic_index_list_without_types, print_dynamic_index_list
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.irdl import IRDLOperation
from xdsl.irdl.declarative_assembly_format import (
    AttributeVariable,
    CustomDirective,
    OperandVariable,
    ParsingState,
    PrintingState,
    TypeDirective,
    VariadicOperandVariable,
    VariadicSuccessorVariable,
    irdl_custom_directive,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer

from stepwell.compiler.dialects.llvm.numbers import dense
from stepwell.compiler.dialects.llvm.types import vector

ORDERINGS: Mapping[str, int] = {
    "not_atomic": 0,
    "unordered": 1,
    "monotonic": 2,
    "acquire": 4,
    "release": 5,
    "acq_rel": 6,
    "seq_cst": 7,
}

ATOMIC_OPERATIONS: Mapping[str, int] = {
    "xchg": 0,
    "add": 1,
    "sub": 2,
    "_and": 3,
    "nand": 4,
    "_or": 5,
    "_xor": 6,
    "max": 7,
    "min": 8,
    "umax": 9,
    "umin": 10,
    "fadd": 11,
    "fsub": 12,
    "fmax": 13,
    "fmin": 14,
}

NO_WRAP: Mapping[str, int] = {"inbounds_flag": 1, "nusw": 2, "inbounds": 3, "nuw": 4}
"""The bits of `noWrapFlags`; `inbounds` implies `nusw`."""


class Keyword(CustomDirective, ABC):
    """A number among the properties that is written as a keyword; zero may stand for absence."""

    attribute: AttributeVariable
    KEYWORDS: ClassVar[Mapping[str, int]]

    def parse(self, parser: Parser, state: ParsingState) -> None:
        position = parser.pos
        keyword = parser.parse_optional_keyword_in(self.KEYWORDS)
        if keyword is None:
            parser.raise_error(f"expected one of {', '.join(self.KEYWORDS)}", position)
        self.attribute.set(state, IntegerAttr(self.KEYWORDS[keyword], i64))

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        state.print_whitespace(printer)
        printer.print_string(keyword_of(self.KEYWORDS, self.attribute.get(op)))

    def is_present(self, op: IRDLOperation) -> bool:
        value = self.attribute.get(op)
        return isinstance(value, IntegerAttr) and value.value.data != 0

    def is_anchorable(self) -> bool:
        return True


def keyword_of(keywords: Mapping[str, int], value: object) -> str:
    """The keyword for the number in an attribute."""
    assert isinstance(value, IntegerAttr)
    return next(word for word, number in keywords.items() if number == value.value.data)


@irdl_custom_directive
class Ordering(Keyword):
    """`acquire` for 4 and so on: the orderings of LLVM's memory model."""

    attribute: AttributeVariable
    KEYWORDS: ClassVar = ORDERINGS


@irdl_custom_directive
class ScopedOrdering(Ordering):
    """`syncscope("agent") acquire`, or the ordering alone for the whole system."""

    attribute: AttributeVariable
    scope: AttributeVariable

    def parse(self, parser: Parser, state: ParsingState) -> None:
        if parser.parse_optional_keyword("syncscope") is not None:
            with parser.in_parens():
                self.scope.set(state, StringAttr(parser.parse_str_literal()))
        super().parse(parser, state)

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        if isinstance(scope := self.scope.get(op), StringAttr):
            state.print_whitespace(printer)
            printer.print_string("syncscope(")
            printer.print_string_literal(scope.data)
            printer.print_string(")")
        super().print(printer, state, op)


@irdl_custom_directive
class AtomicOperation(Keyword):
    """`add` for 1 and so on: what `atomicrmw` does."""

    attribute: AttributeVariable
    KEYWORDS: ClassVar = ATOMIC_OPERATIONS


@irdl_custom_directive
class Predicate(CustomDirective):
    """`"olt"` for 4 and so on: how floats are compared."""

    attribute: AttributeVariable

    def parse(self, parser: Parser, state: ParsingState) -> None:
        flag = FCmpPredicateFlag(parser.parse_str_literal())
        self.attribute.set(state, IntegerAttr(flag.to_int(), i64))

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        value = self.attribute.get(op)
        assert isinstance(value, IntegerAttr)
        state.print_whitespace(printer)
        printer.print_string_literal(FCmpPredicateFlag.from_int(value.value.data))


@irdl_custom_directive
class NoWrap(CustomDirective):
    """`inbounds|nuw`: the no-wrap flags of `getelementptr`, nothing where there are none."""

    attribute: AttributeVariable

    def parse(self, parser: Parser, state: ParsingState) -> None:
        flags = 0
        while (word := parser.parse_optional_keyword_in(NO_WRAP)) is not None:
            flags |= NO_WRAP[word]
            if parser.parse_optional_punctuation("|") is None:
                break
        self.attribute.set(state, IntegerAttr(flags, i32))

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        value = self.attribute.get(op)
        assert isinstance(value, IntegerAttr)
        if words := no_wrap_words(value.value.data):
            state.print_whitespace(printer)
            printer.print_string("|".join(words))


@irdl_custom_directive
class GEPIndices(CustomDirective):
    """`[%i, 3]`: indices from operands and constants, mixed."""

    dynamic: VariadicOperandVariable
    constant: AttributeVariable

    def parse(self, parser: Parser, state: ParsingState) -> None:
        operands, constants = parse_dynamic_index_list_without_types(parser, GEP_USE_SSA_VAL)
        self.dynamic.set(state, operands)
        self.constant.set(state, DenseArrayBase.from_list(i32, constants))

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        constants = self.constant.get(op)
        assert isinstance(constants, DenseArrayBase)
        print_dynamic_index_list(
            printer, GEP_USE_SSA_VAL, self.dynamic.get(op), constants.get_values()
        )
        state.should_emit_space = True
        state.last_was_punctuation = False


class _Case(NamedTuple):
    value: int
    destination: Block
    operands: Sequence[UnresolvedOperand]
    types: Sequence[Attribute]


def _parse_case(parser: Parser) -> _Case:
    value = parser.parse_integer()
    parser.parse_punctuation(":")
    destination = parser.parse_successor()
    if parser.parse_optional_punctuation("(") is None:
        return _Case(value, destination, (), ())
    operands = parser.parse_comma_separated_list(
        parser.Delimiter.NONE, parser.parse_unresolved_operand
    )
    parser.parse_punctuation(":")
    types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
    parser.parse_punctuation(")")
    return _Case(value, destination, operands, types)


@irdl_custom_directive
class SwitchCases(CustomDirective):
    """`[0: ^bb1, 1: ^bb2(%x : f32)]`: where each case goes, and with what."""

    flag: TypeDirective
    values: AttributeVariable
    destinations: VariadicSuccessorVariable
    operands: VariadicOperandVariable
    types: TypeDirective
    segments: AttributeVariable

    def parse(self, parser: Parser, state: ParsingState) -> None:
        cases = parser.parse_comma_separated_list(
            parser.Delimiter.SQUARE, lambda: _parse_case(parser)
        )
        assert isinstance(self.flag.inner, OperandVariable)
        flag = state.operand_types[self.flag.inner.index]
        assert flag is not None
        if cases:
            kind = vector(flag[0], len(cases))
            self.values.set(state, dense(kind, [case.value for case in cases]))
        self.destinations.set(state, [case.destination for case in cases])
        self.operands.set(state, [operand for case in cases for operand in case.operands])
        self.types.set(state, [type for case in cases for type in case.types])
        sizes = DenseArrayBase.from_list(i32, [len(case.operands) for case in cases])
        self.segments.set(state, sizes)

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        values = self.values.get(op)
        sizes = self.segments.get(op)
        assert isinstance(sizes, DenseArrayBase)
        numbers = values.get_values() if isinstance(values, DenseIntOrFPElementsAttr) else ()
        operands = iter(self.operands.get(op))
        state.print_whitespace(printer)
        with printer.in_square_brackets():
            with printer.indented():
                for index, number in enumerate(numbers):
                    printer.print_string(",\n" if index else "\n")
                    printer.print_string(f"{number}: ")
                    printer.print_block_name(self.destinations.get(op)[index])
                    _print_arguments(printer, list(islice(operands, sizes.get_values()[index])))
            if numbers:
                printer.print_string("\n")


def _print_arguments(printer: Printer, operands: Sequence[SSAValue]) -> None:
    if operands:
        with printer.in_parens():
            printer.print_list(operands, printer.print_ssa_value)
            printer.print_string(" : ")
            printer.print_list([operand.type for operand in operands], printer.print_attribute)


def no_wrap_words(flags: int) -> list[str]:
    """The keywords of the set bits, each implied bit left out."""
    words = ["inbounds"] if flags & 1 else ["nusw"] if flags & 2 else []
    return words + (["nuw"] if flags & 4 else [])
