"""Conversions between floats that never call a library, on any x86-64-v3 machine, bit for bit.

LLVM turns `fptrunc` to bf16 into a call of `__truncsfbf2` (or into AVX512-BF16's instruction, which
flushes denormals), and f64 to f16 into `__truncdfhf2`. So bf16 is rounded with integers, and f64
goes through an f32 that is rounded to odd: rounding that once more gives the same bits as rounding
the f64 directly, since f32 has over two bits more than f16 and bf16 have
(Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
"""

from abc import ABC

from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float64Type, bf16, f32, f64, i16, i32
from xdsl.ir import Attribute, SSAValue

from stepwell.compiler.dialects.llvm.arithmetic import Arithmetic
from stepwell.compiler.dialects.llvm.types import bits, element


class FloatCasts(Arithmetic, ABC):
    """The builder's conversions between floats, without a library."""

    def truncate_float(self, a: SSAValue, type: Attribute) -> SSAValue:
        """`a`, lane by lane, as the nearest number of the narrower float `type`, halves to even.

        NaN stays NaN, and becomes quiet.
        """
        source = element(a.type)
        if bits(type) == 16 and isinstance(source, Float64Type):
            a = _round_to_odd(self, a)
        return _to_bf16(self, a) if isinstance(type, BFloat16Type) else self.fptrunc(a, type)

    def extend_float(self, a: SSAValue, type: Attribute) -> SSAValue:
        """`a`, lane by lane, in the wider float `type`: always exact."""
        source = element(a.type)
        if isinstance(source, BFloat16Type):
            a = _from_bf16(self, a)
        elif isinstance(source, Float16Type) and isinstance(type, Float64Type):
            a = self.fpext(a, f32)
        return a if element(a.type) == type else self.fpext(a, type)


def _from_bf16(build: Arithmetic, a: SSAValue) -> SSAValue:
    """A bf16 is the upper half of an f32."""
    high = build.zext(build.bitcast(a, i16), i32)
    return build.bitcast(build.shl(high, 16), f32)


def _to_bf16(build: Arithmetic, a: SSAValue) -> SSAValue:
    """Adds half a unit, less one where the kept part is even, then cuts; NaN is cut, made quiet."""
    word = build.bitcast(a, i32)
    odd = build.and_(build.lshr(word, 16), 1)
    rounded = build.lshr(build.add(word, build.add(odd, 0x7FFF)), 16)
    quiet = build.or_(build.lshr(word, 16), 0x40)
    half = build.trunc(build.select(build.fcmp("uno", a, a), quiet, rounded), i16)
    return build.bitcast(half, bf16)


def _round_to_odd(build: Arithmetic, a: SSAValue) -> SSAValue:
    """The f64 `a` as an f32: exact, or else that neighbour whose last bit is set."""
    nearest = build.fptrunc(a, f32)
    back = build.fpext(nearest, f64)
    word = build.bitcast(nearest, i32)
    # One step towards zero, also from infinity to the greatest number; then the odd one of the two.
    beyond = build.fcmp("ogt", build.fabs(back), build.fabs(a))
    odd = build.or_(build.select(beyond, build.sub(word, 1), word), 1)
    inexact = build.fcmp("one", back, a)
    return build.bitcast(build.select(inexact, odd, word), f32)
