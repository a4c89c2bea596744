"""The builder's arithmetic: one method for each instruction on numbers and on vectors of them."""

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

from xdsl.dialects import llvm
from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, i1, i32, i64
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.compiler.dialects.construct import NOTHING
from stepwell.compiler.dialects.llvm import instructions as ours
from stepwell.compiler.dialects.llvm.cursor import Cursor, Operand
from stepwell.compiler.dialects.llvm.intrinsics import INTRINSICS, STRICT
from stepwell.compiler.dialects.llvm.types import element, is_vector, like, vector

IntegerPredicate = Literal["eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"]
FloatPredicate = Literal[
    "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno"
]
Properties = Mapping[str, Attribute]

_INTEGER_PREDICATES: Mapping[str, Properties] = {
    flag.value: {"predicate": IntegerAttr(index, i64)}
    for index, flag in enumerate(llvm.ICmpPredicateFlag)
}
_FLOAT_PREDICATES: Mapping[str, Properties] = {
    flag.value: {"predicate": IntegerAttr(index, i64), "fastmathFlags": STRICT}
    for index, flag in enumerate(llvm.FCmpPredicateFlag)
}
_STRICT: Properties = {"fastmathFlags": STRICT}
_NO_OVERFLOW: Properties = {"overflowFlags": IntegerAttr(1, i32)}
_DEFINED_AT_ZERO: Properties = {"is_zero_poison": IntegerAttr(0, i1)}
_DEFINED_AT_LEAST: Properties = {"is_int_min_poison": IntegerAttr(0, i1)}

Unary = Callable[["Arithmetic", SSAValue], SSAValue]
Binary = Callable[["Arithmetic", Operand, Operand], SSAValue]
Conversion = Callable[["Arithmetic", SSAValue, Attribute], SSAValue]


def _unary(kind: type[Operation], properties: Properties = NOTHING) -> Unary:
    """The method for an op on one operand, whose type is its result's too."""

    def method(self: "Arithmetic", a: SSAValue) -> SSAValue:
        return self.emit(kind, (a,), a.type, properties)

    return method


def _binary(kind: type[Operation], properties: Properties = NOTHING) -> Binary:
    """The method for an op on two operands of one type, which is its result's too."""

    def method(self: "Arithmetic", a: Operand, b: Operand) -> SSAValue:
        a, b = self.values(a, b)
        return self.emit(kind, (a, b), a.type, properties)

    return method


def _conversion(kind: type[Operation]) -> Conversion:
    """The method for a conversion to `type`, which is one lane's: a vector keeps its lanes."""

    def method(self: "Arithmetic", a: SSAValue, type: Attribute) -> SSAValue:
        return self.emit(kind, (a,), like(a.type, type))

    return method


class Arithmetic(Cursor, ABC):
    """Operands may be numbers where another operand gives the type; vectors work lane by lane."""

    # Integers. Shifts are poison from the width on. A divisor of 0 ends the process, and so do
    # min / -1 and min % -1; quotients are rounded towards zero.

    add = _binary(llvm.AddOp)
    add_exactly = _binary(llvm.AddOp, _NO_OVERFLOW)
    """Signed overflow is poison."""
    sub = _binary(llvm.SubOp)
    mul = _binary(llvm.MulOp)
    shl = _binary(llvm.ShlOp)
    lshr = _binary(llvm.LShrOp)
    ashr = _binary(llvm.AShrOp)
    sdiv = _binary(llvm.SDivOp)
    udiv = _binary(llvm.UDivOp)
    srem = _binary(llvm.SRemOp)
    urem = _binary(llvm.URemOp)
    and_ = _binary(llvm.AndOp)
    or_ = _binary(llvm.OrOp)
    xor = _binary(llvm.XOrOp)
    smax = _binary(INTRINSICS["smax"])
    smin = _binary(INTRINSICS["smin"])
    umax = _binary(INTRINSICS["umax"])
    umin = _binary(INTRINSICS["umin"])
    abs = _unary(INTRINSICS["abs"], _DEFINED_AT_LEAST)
    """The magnitude; of the least integer, itself."""
    ctlz = _unary(INTRINSICS["ctlz"], _DEFINED_AT_ZERO)
    """Leading zeros; of zero, the width."""
    cttz = _unary(INTRINSICS["cttz"], _DEFINED_AT_ZERO)
    """Trailing zeros; of zero, the width."""
    ctpop = _unary(INTRINSICS["ctpop"])

    def rotr(self, a: SSAValue, count: Operand) -> SSAValue:
        """Rotates right by `count` modulo the width."""
        return self.emit(INTRINSICS["fshr"], (a, a, self.value(count, a.type)), a.type)

    # Floats. `frem` is absent: it calls `fmod`. Arithmetic on bf16 is: it calls `__truncsfbf2`.

    fadd = _binary(llvm.FAddOp, _STRICT)
    fsub = _binary(llvm.FSubOp, _STRICT)
    fmul = _binary(llvm.FMulOp, _STRICT)
    fdiv = _binary(llvm.FDivOp, _STRICT)
    fneg = _unary(llvm.FNegOp, _STRICT)
    """Flips the sign, of NaN and zero too."""
    fabs = _unary(INTRINSICS["fabs"], _STRICT)
    sqrt = _unary(llvm.FSqrtOp, _STRICT)
    floor = _unary(llvm.FFloorOp, _STRICT)
    roundeven = _unary(INTRINSICS["roundeven"], _STRICT)
    """Rounds to nearest, halves to even, to an integer in the same type."""
    copysign = _binary(llvm.FCopySignOp, _STRICT)
    maximum = _binary(INTRINSICS["maximum"], _STRICT)
    """NaN if either is; +0 is above -0."""
    minimum = _binary(INTRINSICS["minimum"], _STRICT)
    """NaN if either is; -0 is below +0."""

    def fma(self, a: SSAValue, b: Operand, c: Operand) -> SSAValue:
        """a * b + c, rounded once; in f16 twice, since LLVM goes through f32."""
        operands = (a, self.value(b, a.type), self.value(c, a.type))
        return self.emit(llvm.FMAOp, operands, a.type, _STRICT)

    # Comparisons and choices.

    def icmp(self, predicate: IntegerPredicate, a: Operand, b: Operand) -> SSAValue:
        a, b = self.values(a, b)
        return self.emit(llvm.ICmpOp, (a, b), like(a.type, i1), _INTEGER_PREDICATES[predicate])

    def fcmp(self, predicate: FloatPredicate, a: Operand, b: Operand) -> SSAValue:
        """False if either is NaN for `o…`, true for `u…`."""
        a, b = self.values(a, b)
        return self.emit(ours.FCmpOp, (a, b), like(a.type, i1), _FLOAT_PREDICATES[predicate])

    def select(self, condition: SSAValue, a: Operand, b: Operand) -> SSAValue:
        """`a` where the condition holds; a scalar condition chooses whole vectors."""
        a, b = self.values(a, b)
        return self.emit(ours.SelectOp, (condition, a, b), a.type, _STRICT)

    # Conversions. Those to and from bf16 call a library: see `truncate_float`.

    trunc = _conversion(llvm.TruncOp)
    zext = _conversion(llvm.ZExtOp)
    sext = _conversion(llvm.SExtOp)
    sitofp = _conversion(llvm.SIToFPOp)
    uitofp = _conversion(ours.UIToFPOp)
    fptosi_sat = _conversion(INTRINSICS["fptosi.sat"])
    """Towards zero; the nearest integer there is where out of range, 0 for NaN."""
    fptoui_sat = _conversion(INTRINSICS["fptoui.sat"])
    """Towards zero; the nearest integer there is where out of range, 0 for NaN."""
    fpext = _conversion(llvm.FPExtOp)
    fptrunc = _conversion(llvm.FPTruncOp)
    """To f32 from f64 and to f16 from f32 only."""

    def bitcast(self, a: SSAValue, type: Attribute) -> SSAValue:
        """The same bits, in as many lanes of another type of the same width, or in a vector."""
        result = type if is_vector(type) else like(a.type, type)
        return self.emit(llvm.BitcastOp, (a,), result)

    # Vectors.

    def splat(self, a: SSAValue, count: int) -> SSAValue:
        """A vector of `count` copies."""
        whole = vector(a.type, count)
        first = self.insert_element(self.poison(whole), a, 0)
        return self.shuffle(first, self.poison(whole), (0,) * count)

    def extract_element(self, a: SSAValue, lane: Operand) -> SSAValue:
        operands = (a, self.value(lane, i64))
        return self.emit(ours.ExtractElementOp, operands, element(a.type))

    def insert_element(self, a: SSAValue, new: Operand, lane: Operand) -> SSAValue:
        operands = (a, self.value(new, element(a.type)), self.value(lane, i64))
        return self.emit(llvm.InsertElementOp, operands, a.type)

    def shuffle(self, a: SSAValue, b: SSAValue, mask: Sequence[int]) -> SSAValue:
        """Lanes of a (0 … n-1) and b (n … 2n-1) in any order; -1 is a lane that is never read."""
        result = vector(element(a.type), len(mask))
        return self.emit(llvm.ShuffleVectorOp, (a, b), result, _mask(tuple(mask)))

    def reduce(self, kind: Literal["add", "and", "or", "xor"], a: SSAValue) -> SSAValue:
        """The lanes joined."""
        return self.emit(INTRINSICS[f"vector.reduce.{kind}"], (a,), element(a.type))


@lru_cache(maxsize=1024)
def _mask(lanes: tuple[int, ...]) -> Properties:
    return {"mask": DenseArrayBase.from_list(i32, lanes)}
