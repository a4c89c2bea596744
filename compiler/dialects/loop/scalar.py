"""Scalar and vector ops that upstream `arith` has for scalars only, and the lanes of vectors."""

from enum import auto
from typing import ClassVar

from xdsl.dialects.arith import CMPF_COMPARISON_OPERATIONS, CMPI_COMPARISON_OPERATIONS
from xdsl.dialects.builtin import (
    AnyFloat,
    FloatAttr,
    IndexType,
    IntegerAttr,
    StringAttr,
    VectorType,
    i1,
)
from xdsl.ir import Attribute
from xdsl.irdl import (
    AnyAttr,
    BaseAttr,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.str_enum import StrEnum

from stepwell.compiler.dialects.llvm.types import bits, integer
from stepwell.compiler.dialects.loop.syntax import INDEX, parse_known


def number(value: float, type: Attribute) -> Attribute:
    """A number of a scalar type, as `arith.constant` takes it."""
    if isinstance(type, AnyFloat):
        return FloatAttr(value, type)
    return IntegerAttr(int(value), type if isinstance(type, IndexType) else integer(bits(type)))


class Cast(StrEnum):
    """The conversions, as docs/semantics.md has them: float to int saturates, and NaN gives 0."""

    EXTF = auto()
    TRUNCF = auto()
    FPTOSI = auto()
    FPTOUI = auto()
    SITOFP = auto()
    UITOFP = auto()
    EXTSI = auto()
    EXTUI = auto()
    TRUNCI = auto()
    BITCAST = auto()
    INDEX = auto()


@irdl_op_definition
class CastOp(IRDLOperation):
    """`loop.cast fptosi %x : f32 to i32`; `index` goes between `index` and signed integers."""

    name = "loop.cast"
    kind = prop_def(StringAttr)
    operand = operand_def()
    result = result_def()
    traits = traits_def(Pure())

    @property
    def cast(self) -> Cast:
        return Cast(self.kind.data)

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.kind.data} ")
        printer.print_operand(self.operand)
        printer.print_string(" : ")
        printer.print_attribute(self.operand.type)
        printer.print_string(" to ")
        printer.print_attribute(self.result.type)

    @classmethod
    def parse(cls, parser: Parser) -> "CastOp":
        kind = parser.parse_str_enum(Cast)
        operand = parse_known(parser)
        parser.parse_punctuation(":")
        parser.parse_type()
        parser.parse_keyword("to")
        return cls.create(
            operands=[operand],
            properties={"kind": StringAttr(kind)},
            result_types=[parser.parse_type()],
        )


@irdl_op_definition
class SelectOp(IRDLOperation):
    """`loop.select %c, %a, %b : f32`: lane by lane when the values are vectors."""

    name = "loop.select"
    T: ClassVar = VarConstraint("T", AnyAttr())
    condition = operand_def()
    true_value = operand_def(T)
    false_value = operand_def(T)
    result = result_def(T)
    traits = traits_def(Pure())
    assembly_format = (
        "$condition `,` $true_value `,` $false_value attr-dict"
        " `:` type($condition) `,` type($result)"
    )


@irdl_op_definition
class CompareOp(IRDLOperation):
    """`loop.compare olt, %a, %b : vector<16xf32>`: the mask of the lanes in which it holds.

    The predicates are those of `arith.cmpf` and `arith.cmpi`, which give a single truth value.
    """

    name = "loop.compare"
    T: ClassVar = VarConstraint("T", BaseAttr(VectorType))
    predicate = prop_def(StringAttr)
    first = operand_def(T)
    second = operand_def(T)
    result = result_def(VectorType)
    traits = traits_def(Pure())

    @property
    def compares_floats(self) -> bool:
        type = self.first.type
        return isinstance(type, VectorType) and isinstance(type.get_element_type(), AnyFloat)

    @property
    def number(self) -> int:
        """The predicate's number in `arith.cmpf` or `arith.cmpi`."""
        names = CMPF_COMPARISON_OPERATIONS if self.compares_floats else CMPI_COMPARISON_OPERATIONS
        return names.index(self.predicate.data)

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.predicate.data}, ")
        printer.print_operand(self.first)
        printer.print_string(", ")
        printer.print_operand(self.second)
        printer.print_string(" : ")
        printer.print_attribute(self.first.type)

    @classmethod
    def parse(cls, parser: Parser) -> "CompareOp":
        predicate = parser.parse_identifier()
        parser.parse_punctuation(",")
        first = parser.parse_unresolved_operand()
        parser.parse_punctuation(",")
        second = parser.parse_unresolved_operand()
        parser.parse_punctuation(":")
        type = parser.parse_type()
        assert isinstance(type, VectorType)
        return cls.create(
            operands=parser.resolve_operands([first, second], [type, type], parser.pos),
            properties={"predicate": StringAttr(predicate)},
            result_types=[VectorType(i1, type.get_shape())],
        )


@irdl_op_definition
class SplatOp(IRDLOperation):
    """A scalar in every lane: `loop.splat %x : f32 to vector<16xf32>`."""

    name = "loop.splat"
    scalar = operand_def()
    result = result_def()
    traits = traits_def(Pure())
    assembly_format = "$scalar attr-dict `:` type($scalar) `to` type($result)"


@irdl_op_definition
class LanesOp(IRDLOperation):
    """Consecutive indices: lane i holds first + i."""

    name = "loop.lanes"
    first = operand_def(INDEX)
    result = result_def()
    traits = traits_def(Pure())
    assembly_format = "$first attr-dict `:` type($result)"


SCALAR_OPS = [CastOp, SelectOp, CompareOp, SplatOp, LanesOp]
