"""LLVM's intrinsic functions as ops: `llvm.intr.NAME` in MLIR is `llvm.NAME` in LLVM IR.

Absent on purpose: what becomes a call into a C library (memcpy, memset, tanh, …). Our objects call
nothing; upstream's sin, exp, log and pow are refused when the object turns out to need a symbol.
"""

from abc import ABC
from typing import ClassVar

from xdsl.dialects.builtin import (
    AnyFloatConstr,
    IntegerAttr,
    SignlessIntegerConstraint,
    VectorType,
    i1,
)
from xdsl.dialects.llvm import FastMathAttr
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure

from stepwell.compiler.dialects.llvm.constraints import Floats, Integers

STRICT = FastMathAttr(None)
BOOLEAN = IntegerAttr.constr(i1)
CALL = "`(` operands `)` attr-dict `:` functional-type(operands, results)"


class Intrinsic(IRDLOperation, ABC):
    """A pure function of its operands. Those without a format have none in MLIR either."""

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)


class FloatUnary(Intrinsic, ABC):
    """One float to one float, lane by lane."""

    T: ClassVar = VarConstraint("T", Floats)
    arg = operand_def(T)
    res = result_def(T)
    fastmathFlags = prop_def(FastMathAttr, default_value=STRICT)
    assembly_format = CALL


class FloatBinary(Intrinsic, ABC):
    """Two floats to one, lane by lane."""

    T: ClassVar = VarConstraint("T", Floats)
    a = operand_def(T)
    b = operand_def(T)
    res = result_def(T)
    fastmathFlags = prop_def(FastMathAttr, default_value=STRICT)
    assembly_format = CALL


class IntegerUnary(Intrinsic, ABC):
    """One integer to one integer, lane by lane."""

    T: ClassVar = VarConstraint("T", Integers)
    arg = operand_def(T)
    res = result_def(T)
    assembly_format = CALL


class FlaggedUnary(Intrinsic, ABC):
    """One integer to one integer, with a flag that makes an edge case poison."""

    T: ClassVar = VarConstraint("T", Integers)
    arg = operand_def(T)
    res = result_def(T)


class IntegerBinary(Intrinsic, ABC):
    """Two integers to one, lane by lane."""

    T: ClassVar = VarConstraint("T", Integers)
    a = operand_def(T)
    b = operand_def(T)
    res = result_def(T)
    assembly_format = CALL


class IntegerTernary(Intrinsic, ABC):
    """Three integers to one, lane by lane."""

    T: ClassVar = VarConstraint("T", Integers)
    a = operand_def(T)
    b = operand_def(T)
    c = operand_def(T)
    res = result_def(T)
    assembly_format = CALL


class SaturatingCast(Intrinsic, ABC):
    """Float to integer; what is out of range becomes the nearest integer there is, NaN zero."""

    arg = operand_def(Floats)
    res = result_def(Integers)
    assembly_format = CALL


class IntegerReduction(Intrinsic, ABC):
    """The lanes of one vector joined into a scalar."""

    T: ClassVar = VarConstraint("T", SignlessIntegerConstraint)
    arg = operand_def(VectorType.constr(T))
    res = result_def(T)


class FloatReduction(Intrinsic, ABC):
    """The lanes of one vector joined into a scalar by a function whose order does not show."""

    T: ClassVar = VarConstraint("T", AnyFloatConstr)
    arg = operand_def(VectorType.constr(T))
    res = result_def(T)
    fastmathFlags = prop_def(FastMathAttr, default_value=STRICT)
    assembly_format = CALL


@irdl_op_definition
class FAbsOp(FloatUnary):
    """The magnitude; clears the sign of NaN too. Upstream's states no effects."""

    name = "llvm.intr.fabs"


@irdl_op_definition
class FTruncOp(FloatUnary):
    """Rounds towards zero."""

    name = "llvm.intr.trunc"


@irdl_op_definition
class RoundEvenOp(FloatUnary):
    """Rounds to nearest, halves to even."""

    name = "llvm.intr.roundeven"


@irdl_op_definition
class MaximumOp(FloatBinary):
    """The greater operand; NaN if either is, and +0 is above -0."""

    name = "llvm.intr.maximum"


@irdl_op_definition
class MinimumOp(FloatBinary):
    """The smaller operand; NaN if either is, and -0 is below +0."""

    name = "llvm.intr.minimum"


@irdl_op_definition
class SMaxOp(IntegerBinary):
    name = "llvm.intr.smax"


@irdl_op_definition
class SMinOp(IntegerBinary):
    name = "llvm.intr.smin"


@irdl_op_definition
class UMaxOp(IntegerBinary):
    name = "llvm.intr.umax"


@irdl_op_definition
class UMinOp(IntegerBinary):
    name = "llvm.intr.umin"


@irdl_op_definition
class SAddSatOp(IntegerBinary):
    name = "llvm.intr.sadd.sat"


@irdl_op_definition
class SSubSatOp(IntegerBinary):
    name = "llvm.intr.ssub.sat"


@irdl_op_definition
class UAddSatOp(IntegerBinary):
    name = "llvm.intr.uadd.sat"


@irdl_op_definition
class USubSatOp(IntegerBinary):
    name = "llvm.intr.usub.sat"


@irdl_op_definition
class FshlOp(IntegerTernary):
    """The high half of `a:b` shifted left by `c` modulo the width; with a = b, a rotation."""

    name = "llvm.intr.fshl"


@irdl_op_definition
class FshrOp(IntegerTernary):
    """The low half of `a:b` shifted right by `c` modulo the width; with a = b, a rotation."""

    name = "llvm.intr.fshr"


@irdl_op_definition
class CtPopOp(IntegerUnary):
    """How many bits are set."""

    name = "llvm.intr.ctpop"


@irdl_op_definition
class BitReverseOp(IntegerUnary):
    name = "llvm.intr.bitreverse"


@irdl_op_definition
class ByteSwapOp(IntegerUnary):
    name = "llvm.intr.bswap"


@irdl_op_definition
class CountLeadingZerosOp(FlaggedUnary):
    name = "llvm.intr.ctlz"
    is_zero_poison = prop_def(BOOLEAN)


@irdl_op_definition
class CountTrailingZerosOp(FlaggedUnary):
    name = "llvm.intr.cttz"
    is_zero_poison = prop_def(BOOLEAN)


@irdl_op_definition
class AbsOp(FlaggedUnary):
    """The magnitude; of the least integer itself, unless that is poison."""

    name = "llvm.intr.abs"
    is_int_min_poison = prop_def(BOOLEAN)


@irdl_op_definition
class FPToSISatOp(SaturatingCast):
    name = "llvm.intr.fptosi.sat"


@irdl_op_definition
class FPToUISatOp(SaturatingCast):
    name = "llvm.intr.fptoui.sat"


@irdl_op_definition
class VectorReduceAddOp(IntegerReduction):
    name = "llvm.intr.vector.reduce.add"


@irdl_op_definition
class VectorReduceMulOp(IntegerReduction):
    name = "llvm.intr.vector.reduce.mul"


@irdl_op_definition
class VectorReduceAndOp(IntegerReduction):
    name = "llvm.intr.vector.reduce.and"


@irdl_op_definition
class VectorReduceOrOp(IntegerReduction):
    name = "llvm.intr.vector.reduce.or"


@irdl_op_definition
class VectorReduceXorOp(IntegerReduction):
    name = "llvm.intr.vector.reduce.xor"


@irdl_op_definition
class VectorReduceSMaxOp(IntegerReduction):
    name = "llvm.intr.vector.reduce.smax"


@irdl_op_definition
class VectorReduceSMinOp(IntegerReduction):
    name = "llvm.intr.vector.reduce.smin"


@irdl_op_definition
class VectorReduceUMaxOp(IntegerReduction):
    name = "llvm.intr.vector.reduce.umax"


@irdl_op_definition
class VectorReduceUMinOp(IntegerReduction):
    name = "llvm.intr.vector.reduce.umin"


@irdl_op_definition
class VectorReduceFMaximumOp(FloatReduction):
    """The greatest lane, or NaN if there is one."""

    name = "llvm.intr.vector.reduce.fmaximum"


@irdl_op_definition
class VectorReduceFMinimumOp(FloatReduction):
    """The smallest lane, or NaN if there is one."""

    name = "llvm.intr.vector.reduce.fminimum"


@irdl_op_definition
class VectorReduceFMaxOp(FloatReduction):
    """The greatest lane, NaN ignored."""

    name = "llvm.intr.vector.reduce.fmax"


@irdl_op_definition
class VectorReduceFMinOp(FloatReduction):
    """The smallest lane, NaN ignored."""

    name = "llvm.intr.vector.reduce.fmin"


INTRINSIC_OPS = (
    AbsOp,
    BitReverseOp,
    ByteSwapOp,
    CountLeadingZerosOp,
    CountTrailingZerosOp,
    CtPopOp,
    FAbsOp,
    FPToSISatOp,
    FPToUISatOp,
    FTruncOp,
    FshlOp,
    FshrOp,
    MaximumOp,
    MinimumOp,
    RoundEvenOp,
    SAddSatOp,
    SMaxOp,
    SMinOp,
    SSubSatOp,
    UAddSatOp,
    UMaxOp,
    UMinOp,
    USubSatOp,
    VectorReduceAddOp,
    VectorReduceAndOp,
    VectorReduceFMaxOp,
    VectorReduceFMaximumOp,
    VectorReduceFMinOp,
    VectorReduceFMinimumOp,
    VectorReduceMulOp,
    VectorReduceOrOp,
    VectorReduceSMaxOp,
    VectorReduceSMinOp,
    VectorReduceUMaxOp,
    VectorReduceUMinOp,
    VectorReduceXorOp,
)
