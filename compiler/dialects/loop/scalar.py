"""Scalar and vector ops that upstream `arith` has for scalars only, and the lanes of vectors."""

from enum import auto
from typing import ClassVar

from xdsl.dialects.builtin import AnyFloat, FloatAttr, IndexType, IntegerAttr, StringAttr
from xdsl.ir import Attribute
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
)
from xdsl.irdl.declarative_assembly_format import AttributeVariable, irdl_custom_directive
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from stepwell.compiler.dialects.define import Computation, defined_in
from stepwell.compiler.dialects.llvm import constraints
from stepwell.compiler.dialects.llvm.types import bits, element, integer
from stepwell.compiler.dialects.loop.syntax import INDEX, Word


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


@irdl_custom_directive
class CastKind(Word):
    """`fptosi`, and so on."""

    attribute: AttributeVariable
    WORDS: ClassVar = Cast


@irdl_op_definition
class CastOp(Computation):
    """`loop.cast fptosi %x : f32 to i32`; `index` goes between `index` and signed integers."""

    name = "loop.cast"
    kind = prop_def(StringAttr)
    operand = operand_def()
    result = result_def()
    custom_directives = (CastKind,)
    assembly_format = (
        "custom<CastKind>($kind) $operand attr-dict `:` type($operand) `to` type($result)"
    )

    @property
    def cast(self) -> Cast:
        return Cast(self.kind.data)


@irdl_op_definition
class SelectOp(Computation):
    """`loop.select %c, %a, %b : f32`: lane by lane when the values are vectors."""

    name = "loop.select"
    condition = operand_def()
    true_value = operand_def(constraints.Same)
    false_value = operand_def(constraints.Same)
    result = result_def(constraints.Same)
    assembly_format = (
        "$condition `,` $true_value `,` $false_value attr-dict"
        " `:` type($condition) `,` type($result)"
    )


class Comparison(StrEnum):
    """Of floats and signed integers; with `u` of unsigned ones. Of NaN only `ne` holds."""

    EQ = auto()
    NE = auto()
    LT = auto()
    LE = auto()
    GT = auto()
    GE = auto()
    ULT = auto()
    ULE = auto()
    UGT = auto()
    UGE = auto()


@irdl_custom_directive
class Predicate(Word):
    """`lt`, and so on."""

    attribute: AttributeVariable
    WORDS: ClassVar = Comparison


@irdl_op_definition
class CompareOp(Computation):
    """`loop.compare lt %a, %b : vector<16xf32>`: a truth value, or one for each lane."""

    name = "loop.compare"
    predicate = prop_def(StringAttr)
    first = operand_def(constraints.Same)
    second = operand_def(constraints.Same)
    result = result_def(constraints.Comparison(constraints.Same))
    custom_directives = (Predicate,)
    assembly_format = "custom<Predicate>($predicate) $first `,` $second attr-dict `:` type($first)"

    @property
    def comparison(self) -> Comparison:
        return Comparison(self.predicate.data)

    @property
    def compares_floats(self) -> bool:
        return isinstance(element(self.first.type), AnyFloat)

    def verify_(self) -> None:
        if self.compares_floats and self.comparison.startswith("u"):
            raise VerifyException(f"{self.comparison} compares unsigned integers")


@irdl_op_definition
class SplatOp(Computation):
    """A scalar in every lane: `loop.splat %x : f32 to vector<16xf32>`."""

    name = "loop.splat"
    scalar = operand_def()
    result = result_def()
    assembly_format = "$scalar attr-dict `:` type($scalar) `to` type($result)"


@irdl_op_definition
class LanesOp(Computation):
    """Consecutive indices: lane i holds first + i."""

    name = "loop.lanes"
    first = operand_def(INDEX)
    result = result_def()
    assembly_format = "$first attr-dict `:` type($result)"


SCALAR_OPS = defined_in(__name__, IRDLOperation)
