"""Instructions that MLIR's llvm dialect has and xDSL's lacks, or takes for scalars only."""

from xdsl.dialects.builtin import (
    IntegerAttr,
    SignlessIntegerConstraint,
    UnitAttr,
    VectorType,
    i1,
    i64,
)
from xdsl.dialects.llvm import FastMathAttr
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
)
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.define import Computation, defined_in
from stepwell.compiler.dialects.llvm.constraints import (
    Bit,
    Comparison,
    Floats,
    Integers,
    Mask,
    Pointers,
    Same,
    SameFloats,
)
from stepwell.compiler.dialects.llvm.intrinsics import STRICT
from stepwell.compiler.dialects.llvm.syntax import Predicate

CAST = "$arg attr-dict `:` type($arg) `to` type($res)"


@irdl_op_definition
class UIToFPOp(Computation):
    """An unsigned integer to the nearest float, halves to even."""

    name = "llvm.uitofp"
    arg = operand_def(Integers)
    res = result_def(Floats)
    nonNeg = opt_prop_def(UnitAttr)
    assembly_format = "(`nneg` $nonNeg^)? " + CAST


@irdl_op_definition
class AddrSpaceCastOp(Computation):
    """The same place, addressed through another address space."""

    name = "llvm.addrspacecast"
    arg = operand_def(Pointers)
    res = result_def(Pointers)
    assembly_format = CAST


@irdl_op_definition
class ExtractElementOp(Computation):
    """`llvm.extractelement %v[%i : i32] : vector<8xf32>`."""

    name = "llvm.extractelement"
    vector = operand_def(VectorType.constr(Same))
    position = operand_def(SignlessIntegerConstraint)
    res = result_def(Same)
    assembly_format = "$vector `[` $position `:` type($position) `]` attr-dict `:` type($vector)"


@irdl_op_definition
class SelectOp(Computation):
    """`llvm.select %c, %a, %b : vector<8xi1>, vector<8xf32>`; upstream's takes a scalar i1 only."""

    name = "llvm.select"
    condition = operand_def(Bit | Mask)
    trueValue = operand_def(Same)
    falseValue = operand_def(Same)
    fastmathFlags = prop_def(FastMathAttr, default_value=STRICT)
    res = result_def(Same)
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$condition `,` $trueValue `,` $falseValue attr-dict `:` type($condition) `,` type($res)"
    )

    def verify_(self) -> None:
        condition = self.condition.type
        if condition != i1 and condition != Comparison.compute(self.res.type):
            raise VerifyException(f"{condition} does not select between lanes of {self.res.type}")


@irdl_op_definition
class FCmpOp(Computation):
    """`llvm.fcmp "olt" %a, %b : vector<8xf32>`; upstream's takes scalars only."""

    name = "llvm.fcmp"
    predicate = prop_def(IntegerAttr.constr(i64))
    lhs = operand_def(SameFloats)
    rhs = operand_def(SameFloats)
    fastmathFlags = prop_def(FastMathAttr, default_value=STRICT)
    res = result_def(Comparison(SameFloats))
    irdl_options = (ParsePropInAttrDict(),)
    custom_directives = (Predicate,)
    assembly_format = "custom<Predicate>($predicate) $lhs `,` $rhs attr-dict `:` type($lhs)"


@irdl_op_definition
class PoisonOp(Computation):
    """No value at all: whatever depends on it is poison too."""

    name = "llvm.mlir.poison"
    res = result_def()
    assembly_format = "attr-dict `:` type($res)"


INSTRUCTION_OPS = defined_in(__name__, IRDLOperation)
