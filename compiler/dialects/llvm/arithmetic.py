"""The builder's arithmetic: one method for each instruction on numbers and on vectors of them."""

from abc import ABC
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

from xdsl.dialects import llvm
from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, i1, i32, i64
from xdsl.dialects.llvm import FastMathAttr
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.compiler.dialects.construct import NOTHING
from stepwell.compiler.dialects.llvm import instructions as ours
from stepwell.compiler.dialects.llvm import intrinsics
from stepwell.compiler.dialects.llvm.cursor import Cursor, Operand
from stepwell.compiler.dialects.llvm.intrinsics import STRICT
from stepwell.compiler.dialects.llvm.types import element, lanes, like, vector

NSW = 1
NUW = 2
"""Overflow of the signed (`NSW`) or of the unsigned value (`NUW`) makes the result poison."""

IntegerPredicate = Literal["eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"]
FloatPredicate = Literal[
    "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno"
]

_WRAP: tuple[Mapping[str, Attribute], ...] = (
    NOTHING,
    *({"overflowFlags": IntegerAttr(flags, i32)} for flags in (NSW, NUW, NSW | NUW)),
)
_INTEGER_PREDICATES: Mapping[str, Mapping[str, Attribute]] = {
    flag.value: {"predicate": IntegerAttr(index, i64)}
    for index, flag in enumerate(llvm.ICmpPredicateFlag)
}
_FLOAT_PREDICATES: Mapping[str, Attribute] = {
    flag.value: IntegerAttr(index, i64) for index, flag in enumerate(llvm.FCmpPredicateFlag)
}
_FALSE = IntegerAttr(0, i1)
_REDUCTIONS: Mapping[str, type[Operation]] = {
    op.name.removeprefix("llvm.intr.vector.reduce."): op
    for op in (
        *intrinsics.INTRINSIC_OPS,
        llvm.VectorReduceFAddOp,
        llvm.VectorReduceFMulOp,
    )
    if op.name.startswith("llvm.intr.vector.reduce.")
}


class Arithmetic(Cursor, ABC):
    """Operands may be numbers where another operand gives the type; vectors work lane by lane."""

    def binary(
        self,
        kind: type[Operation],
        a: Operand,
        b: Operand,
        properties: Mapping[str, Attribute] = NOTHING,
    ) -> SSAValue:
        """An op on two operands of one type, which is its result's too."""
        a, b = self.values(a, b)
        return self.emit(kind, (a, b), a.type, properties)

    def unary(
        self, kind: type[Operation], a: SSAValue, properties: Mapping[str, Attribute] = NOTHING
    ) -> SSAValue:
        """An op on one operand, whose type is its result's too."""
        return self.emit(kind, (a,), a.type, properties)

    # Integers.

    def add(self, a: Operand, b: Operand, wrap: int = 0) -> SSAValue:
        return self.binary(llvm.AddOp, a, b, _WRAP[wrap])

    def sub(self, a: Operand, b: Operand, wrap: int = 0) -> SSAValue:
        return self.binary(llvm.SubOp, a, b, _WRAP[wrap])

    def mul(self, a: Operand, b: Operand, wrap: int = 0) -> SSAValue:
        return self.binary(llvm.MulOp, a, b, _WRAP[wrap])

    def shl(self, a: Operand, b: Operand, wrap: int = 0) -> SSAValue:
        """Poison where `b` is the width or more."""
        return self.binary(llvm.ShlOp, a, b, _WRAP[wrap])

    def lshr(self, a: Operand, b: Operand) -> SSAValue:
        """Poison where `b` is the width or more."""
        return self.binary(llvm.LShrOp, a, b)

    def ashr(self, a: Operand, b: Operand) -> SSAValue:
        """Poison where `b` is the width or more."""
        return self.binary(llvm.AShrOp, a, b)

    def sdiv(self, a: Operand, b: Operand) -> SSAValue:
        """Rounds towards zero; x / 0 and min / -1 end the process."""
        return self.binary(llvm.SDivOp, a, b)

    def udiv(self, a: Operand, b: Operand) -> SSAValue:
        """x / 0 ends the process."""
        return self.binary(llvm.UDivOp, a, b)

    def srem(self, a: Operand, b: Operand) -> SSAValue:
        """Has the sign of `a`; x % 0 and min % -1 end the process."""
        return self.binary(llvm.SRemOp, a, b)

    def urem(self, a: Operand, b: Operand) -> SSAValue:
        """x % 0 ends the process."""
        return self.binary(llvm.URemOp, a, b)

    def and_(self, a: Operand, b: Operand) -> SSAValue:
        return self.binary(llvm.AndOp, a, b)

    def or_(self, a: Operand, b: Operand) -> SSAValue:
        return self.binary(llvm.OrOp, a, b)

    def xor(self, a: Operand, b: Operand) -> SSAValue:
        return self.binary(llvm.XOrOp, a, b)

    def smax(self, a: Operand, b: Operand) -> SSAValue:
        return self.binary(intrinsics.SMaxOp, a, b)

    def smin(self, a: Operand, b: Operand) -> SSAValue:
        return self.binary(intrinsics.SMinOp, a, b)

    def umax(self, a: Operand, b: Operand) -> SSAValue:
        return self.binary(intrinsics.UMaxOp, a, b)

    def umin(self, a: Operand, b: Operand) -> SSAValue:
        return self.binary(intrinsics.UMinOp, a, b)

    def rotl(self, a: SSAValue, count: Operand) -> SSAValue:
        """Rotates left by `count` modulo the width."""
        return self.emit(intrinsics.FshlOp, (a, a, self.value(count, a.type)), a.type)

    def rotr(self, a: SSAValue, count: Operand) -> SSAValue:
        """Rotates right by `count` modulo the width."""
        return self.emit(intrinsics.FshrOp, (a, a, self.value(count, a.type)), a.type)

    def abs(self, a: SSAValue) -> SSAValue:
        """The magnitude; of the least integer, itself."""
        return self.unary(intrinsics.AbsOp, a, {"is_int_min_poison": _FALSE})

    def ctlz(self, a: SSAValue) -> SSAValue:
        """Leading zeros; of zero, the width."""
        return self.unary(intrinsics.CountLeadingZerosOp, a, {"is_zero_poison": _FALSE})

    def cttz(self, a: SSAValue) -> SSAValue:
        """Trailing zeros; of zero, the width."""
        return self.unary(intrinsics.CountTrailingZerosOp, a, {"is_zero_poison": _FALSE})

    def ctpop(self, a: SSAValue) -> SSAValue:
        return self.unary(intrinsics.CtPopOp, a)

    # Floats. `frem` is absent: it calls `fmod`. Arithmetic on bf16 is: it calls `__truncsfbf2`.

    def fadd(self, a: Operand, b: Operand, fast: FastMathAttr = STRICT) -> SSAValue:
        return self.binary(llvm.FAddOp, a, b, {"fastmathFlags": fast})

    def fsub(self, a: Operand, b: Operand, fast: FastMathAttr = STRICT) -> SSAValue:
        return self.binary(llvm.FSubOp, a, b, {"fastmathFlags": fast})

    def fmul(self, a: Operand, b: Operand, fast: FastMathAttr = STRICT) -> SSAValue:
        return self.binary(llvm.FMulOp, a, b, {"fastmathFlags": fast})

    def fdiv(self, a: Operand, b: Operand, fast: FastMathAttr = STRICT) -> SSAValue:
        return self.binary(llvm.FDivOp, a, b, {"fastmathFlags": fast})

    def fma(self, a: SSAValue, b: Operand, c: Operand, fast: FastMathAttr = STRICT) -> SSAValue:
        """a * b + c, rounded once; in f16 twice, since LLVM goes through f32."""
        operands = (a, self.value(b, a.type), self.value(c, a.type))
        return self.emit(llvm.FMAOp, operands, a.type, {"fastmathFlags": fast})

    def fneg(self, a: SSAValue) -> SSAValue:
        """Flips the sign, of NaN and zero too."""
        return self.unary(llvm.FNegOp, a, {"fastmathFlags": STRICT})

    def fabs(self, a: SSAValue) -> SSAValue:
        return self.unary(intrinsics.FAbsOp, a, {"fastmathFlags": STRICT})

    def sqrt(self, a: SSAValue) -> SSAValue:
        return self.unary(llvm.FSqrtOp, a, {"fastmathFlags": STRICT})

    def floor(self, a: SSAValue) -> SSAValue:
        return self.unary(llvm.FFloorOp, a, {"fastmathFlags": STRICT})

    def ceil(self, a: SSAValue) -> SSAValue:
        return self.unary(llvm.FCeilOp, a, {"fastmathFlags": STRICT})

    def ftrunc(self, a: SSAValue) -> SSAValue:
        """Rounds towards zero, to an integer in the same type."""
        return self.unary(intrinsics.FTruncOp, a, {"fastmathFlags": STRICT})

    def roundeven(self, a: SSAValue) -> SSAValue:
        """Rounds to nearest, halves to even, to an integer in the same type."""
        return self.unary(intrinsics.RoundEvenOp, a, {"fastmathFlags": STRICT})

    def copysign(self, magnitude: Operand, sign: Operand) -> SSAValue:
        return self.binary(llvm.FCopySignOp, magnitude, sign, {"fastmathFlags": STRICT})

    def maximum(self, a: Operand, b: Operand) -> SSAValue:
        """NaN if either is; +0 is above -0."""
        return self.binary(intrinsics.MaximumOp, a, b, {"fastmathFlags": STRICT})

    def minimum(self, a: Operand, b: Operand) -> SSAValue:
        """NaN if either is; -0 is below +0."""
        return self.binary(intrinsics.MinimumOp, a, b, {"fastmathFlags": STRICT})

    def maxnum(self, a: Operand, b: Operand) -> SSAValue:
        """The other operand where one is NaN."""
        return self.binary(llvm.VectorFMaxOp, a, b, {"fastmathFlags": STRICT})

    def minnum(self, a: Operand, b: Operand) -> SSAValue:
        """The other operand where one is NaN."""
        return self.binary(llvm.VectorFMinOp, a, b, {"fastmathFlags": STRICT})

    # Comparisons and choices.

    def icmp(self, predicate: IntegerPredicate, a: Operand, b: Operand) -> SSAValue:
        a, b = self.values(a, b)
        return self.emit(llvm.ICmpOp, (a, b), like(a.type, i1), _INTEGER_PREDICATES[predicate])

    def fcmp(self, predicate: FloatPredicate, a: Operand, b: Operand) -> SSAValue:
        """False if either is NaN for `o…`, true for `u…`."""
        a, b = self.values(a, b)
        properties = {"predicate": _FLOAT_PREDICATES[predicate], "fastmathFlags": STRICT}
        return self.emit(ours.FCmpOp, (a, b), like(a.type, i1), properties)

    def select(self, condition: SSAValue, a: Operand, b: Operand) -> SSAValue:
        """`a` where the condition holds; a scalar condition chooses whole vectors."""
        a, b = self.values(a, b)
        return self.emit(ours.SelectOp, (condition, a, b), a.type, {"fastmathFlags": STRICT})

    def freeze(self, a: SSAValue) -> SSAValue:
        return self.unary(ours.FreezeOp, a)

    # Conversions. `type` is one lane's: a vector keeps its lanes.

    def convert(self, kind: type[Operation], a: SSAValue, type: Attribute) -> SSAValue:
        return self.emit(kind, (a,), like(a.type, type))

    def trunc(self, a: SSAValue, type: Attribute) -> SSAValue:
        return self.convert(llvm.TruncOp, a, type)

    def zext(self, a: SSAValue, type: Attribute) -> SSAValue:
        return self.convert(llvm.ZExtOp, a, type)

    def sext(self, a: SSAValue, type: Attribute) -> SSAValue:
        return self.convert(llvm.SExtOp, a, type)

    def sitofp(self, a: SSAValue, type: Attribute) -> SSAValue:
        """Not to bf16, which calls a library: go through f32."""
        return self.convert(llvm.SIToFPOp, a, type)

    def uitofp(self, a: SSAValue, type: Attribute) -> SSAValue:
        """Not to bf16, which calls a library: go through f32."""
        return self.convert(ours.UIToFPOp, a, type)

    def fptosi(self, a: SSAValue, type: Attribute) -> SSAValue:
        """Towards zero; poison out of range."""
        return self.convert(ours.FPToSIOp, a, type)

    def fptoui(self, a: SSAValue, type: Attribute) -> SSAValue:
        """Towards zero; poison out of range."""
        return self.convert(ours.FPToUIOp, a, type)

    def fptosi_sat(self, a: SSAValue, type: Attribute) -> SSAValue:
        """Towards zero; the nearest integer there is where out of range, 0 for NaN."""
        return self.convert(intrinsics.FPToSISatOp, a, type)

    def fptoui_sat(self, a: SSAValue, type: Attribute) -> SSAValue:
        """Towards zero; the nearest integer there is where out of range, 0 for NaN."""
        return self.convert(intrinsics.FPToUISatOp, a, type)

    def fpext(self, a: SSAValue, type: Attribute) -> SSAValue:
        return self.convert(llvm.FPExtOp, a, type)

    def fptrunc(self, a: SSAValue, type: Attribute) -> SSAValue:
        """To f32 from f64 and to f16 from f32 only: see `truncate_float` for the others."""
        return self.convert(llvm.FPTruncOp, a, type)

    def bitcast(self, a: SSAValue, type: Attribute) -> SSAValue:
        """The same bits as another type of the same width."""
        return self.emit(llvm.BitcastOp, (a,), type)

    def bitcast_lanes(self, a: SSAValue, type: Attribute) -> SSAValue:
        """The same bits, in as many lanes of another type of the same width."""
        return self.convert(llvm.BitcastOp, a, type)

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

    def slice(self, a: SSAValue, start: int, count: int) -> SSAValue:
        """`count` adjacent lanes of `a`."""
        return self.shuffle(a, self.poison(a.type), range(start, start + count))

    def concatenate(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """The lanes of `a`, then those of `b`, which has as many."""
        return self.shuffle(a, b, range(2 * (lanes(a.type) or 0)))

    def reduce(self, kind: str, a: SSAValue) -> SSAValue:
        """The lanes joined by add, mul, and, or, xor, smax, smin, umax, umin, fmaximum, fminimum,
        fmax or fmin: those whose order does not show."""
        op = _REDUCTIONS[kind]
        properties = {"fastmathFlags": STRICT} if kind.startswith("f") else NOTHING
        return self.emit(op, (a,), element(a.type), properties)

    def reduce_ordered(
        self, kind: Literal["fadd", "fmul"], start: Operand, a: SSAValue
    ) -> SSAValue:
        """`start` joined with lane 0, then with lane 1, and so on."""
        operands = (self.value(start, element(a.type)), a)
        return self.emit(_REDUCTIONS[kind], operands, element(a.type), {"fastmathFlags": STRICT})

    def lane_mask(self, base: SSAValue, bound: Operand, count: int) -> SSAValue:
        """Which lanes of a vector at `base` lie below `bound`: lane i if base + i < bound.

        How many lanes are left is clamped and compared in 32 bits: LLVM's own
        `get.active.lane.mask` takes as many vectors as 64-bit lanes need.
        """
        left = self.sub(self.value(bound, base.type), base)
        left = self.smax(self.smin(left, count), 0)
        if base.type != i32:
            left = self.trunc(left, i32)
        return self.icmp("slt", self.iota(vector(i32, count)), self.splat(left, count))


@lru_cache(maxsize=1024)
def _mask(lanes: tuple[int, ...]) -> Mapping[str, Attribute]:
    return {"mask": DenseArrayBase.from_list(i32, lanes)}
