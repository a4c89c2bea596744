"""LLVM's intrinsic functions as ops: `llvm.intr.NAME` in MLIR is `llvm.NAME` in LLVM IR.

Absent on purpose: what becomes a call into a C library (memcpy, memset, tanh, …). Our objects call
nothing; upstream's sin, exp, log and pow are refused when the object turns out to need a symbol.
"""

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar, cast

from xdsl.dialects.builtin import IntegerAttr, SignlessIntegerConstraint, VectorType, i1
from xdsl.dialects.llvm import FastMathAttr
from xdsl.ir import Operation
from xdsl.irdl import (
    ParsePropInAttrDict,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
)

from stepwell.compiler.dialects.define import Computation
from stepwell.compiler.dialects.llvm.constraints import Floats, Integers, SameFloats, SameIntegers

STRICT = FastMathAttr(None)


class Intrinsic(Computation, ABC):
    """A pure function of its operands. Those without a format have none in MLIR either."""

    irdl_options = (ParsePropInAttrDict(),)


class Called(Intrinsic, ABC):
    """One that MLIR writes as it writes calls."""

    assembly_format = "`(` operands `)` attr-dict `:` functional-type(operands, results)"


class FloatUnary(Called, ABC):
    """One float to one float, lane by lane."""

    arg = operand_def(SameFloats)
    res = result_def(SameFloats)
    fastmathFlags = prop_def(FastMathAttr, default_value=STRICT)


class FloatBinary(Called, ABC):
    """Two floats to one, lane by lane."""

    a = operand_def(SameFloats)
    b = operand_def(SameFloats)
    res = result_def(SameFloats)
    fastmathFlags = prop_def(FastMathAttr, default_value=STRICT)


class IntegerUnary(Intrinsic, ABC):
    """One integer to one integer, lane by lane."""

    arg = operand_def(SameIntegers)
    res = result_def(SameIntegers)


class BitCount(IntegerUnary, Called, ABC):
    """How many bits are set."""


class ZeroAware(IntegerUnary, ABC):
    """Counts zeros; the flag makes the count of zero poison."""

    is_zero_poison = prop_def(IntegerAttr.constr(i1))


class Magnitude(IntegerUnary, ABC):
    """The magnitude; that of the least integer is itself, unless the flag makes it poison."""

    is_int_min_poison = prop_def(IntegerAttr.constr(i1))


class IntegerBinary(Called, ABC):
    """Two integers to one, lane by lane."""

    a = operand_def(SameIntegers)
    b = operand_def(SameIntegers)
    res = result_def(SameIntegers)


class FunnelShift(Called, ABC):
    """Half of `a:b` shifted by `c` modulo the width; with a = b, a rotation."""

    a = operand_def(SameIntegers)
    b = operand_def(SameIntegers)
    c = operand_def(SameIntegers)
    res = result_def(SameIntegers)


class SaturatingCast(Called, ABC):
    """Float to integer; what is out of range becomes the nearest integer there is, NaN zero."""

    arg = operand_def(Floats)
    res = result_def(Integers)


class IntegerReduction(Intrinsic, ABC):
    """The lanes of one vector joined into a scalar."""

    T: ClassVar = VarConstraint("T", SignlessIntegerConstraint)
    arg = operand_def(VectorType.constr(T))
    res = result_def(T)


def _each(family: type[Intrinsic], *names: str) -> dict[str, type[Operation]]:
    """The ops of a family, by LLVM's names."""

    def define(name: str) -> type[Intrinsic]:
        fields = {"name": f"llvm.intr.{name}", "__doc__": family.__doc__}
        return irdl_op_definition(cast(type[Intrinsic], type(name, (family,), fields)))

    return {name: define(name) for name in names}


INTRINSICS: Mapping[str, type[Operation]] = {
    **_each(FloatUnary, "fabs", "roundeven"),
    # NaN if either is, and +0 is above -0.
    **_each(FloatBinary, "maximum", "minimum"),
    **_each(IntegerBinary, "smax", "smin", "umax", "umin"),
    **_each(BitCount, "ctpop"),
    **_each(ZeroAware, "ctlz", "cttz"),
    **_each(Magnitude, "abs"),
    **_each(FunnelShift, "fshl", "fshr"),
    **_each(SaturatingCast, "fptosi.sat", "fptoui.sat"),
    **_each(IntegerReduction, *(f"vector.reduce.{kind}" for kind in ("add", "and", "or", "xor"))),
}
