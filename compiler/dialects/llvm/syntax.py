"""The pieces of MLIR's llvm syntax that xDSL's declarative formats cannot say."""

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, i32, i64
from xdsl.dialects.llvm import GEP_USE_SSA_VAL, FCmpPredicateFlag
from xdsl.dialects.utils import parse_dynamic_index_list_without_types, print_dynamic_index_list
from xdsl.irdl import IRDLOperation
from xdsl.irdl.declarative_assembly_format import (
    AttributeVariable,
    CustomDirective,
    ParsingState,
    PrintingState,
    VariadicOperandVariable,
    irdl_custom_directive,
)
from xdsl.parser import Parser
from xdsl.printer import Printer

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
    name: number
    for number, name in enumerate(
        "xchg add sub _and nand _or _xor max min umax umin fadd fsub fmax fmin".split()
    )
}
"""Numbered as MLIR does."""


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
