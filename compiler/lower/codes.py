"""Keys of a sort as unsigned integers in the same order."""

from math import inf

from xdsl.dialects import arith
from xdsl.dialects.builtin import AnyFloat, StringAttr, f32, i32, i64
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import IRDLOperation

from stepwell.compiler.dialects.llvm.types import bits
from stepwell.compiler.dialects.loop.scalar import Cast, CastOp
from stepwell.compiler.lower.arithmetic import FORMATS
from stepwell.compiler.lower.combine import is_unsigned
from stepwell.compiler.lower.writer import Writer
from stepwell.compiler.ops.functions import defaults


def cast(writer: Writer, kind: Cast, x: SSAValue, type: Attribute) -> SSAValue:
    return writer.pure(CastOp, (x,), type, {"kind": StringAttr(kind)})


def integer_op(
    writer: Writer, kind: type[IRDLOperation], x: SSAValue, y: SSAValue | int
) -> SSAValue:
    operands = (x, writer.constant(y, x.type) if isinstance(y, int) else y)
    return writer.pure(kind, operands, x.type, defaults(kind))


def code_type(key: Attribute) -> Attribute:
    return i64 if bits(key) == 64 else i32


def code_bytes(key: Attribute) -> int:
    """How many low bytes of their codes tell keys apart."""
    return 1 if is_unsigned(key) else bits(code_type(key)) // 8


def code_of(writer: Writer, key: SSAValue, signed: bool) -> SSAValue:
    """The code of a key. i1 and i8 have no sign, unless that is `signed`; of numbers that have one
    it is turned around.

    So is that of a float's magnitude, minus it if the float is negative: then -0 has the code of 0.
    NaN, whose magnitudes are greater than that of infinity, have the greatest code.
    """
    type = code_type(key.type)
    sign = -1 << (bits(type) - 1)
    if is_unsigned(key.type):
        code = cast(writer, Cast.EXTUI, key, type)
        return integer_op(writer, arith.XOrIOp, code, 0x80) if signed else code
    if not isinstance(key.type, AnyFloat):
        return integer_op(writer, arith.XOrIOp, key, sign)
    x = cast(writer, Cast.EXTF, key, f32) if bits(key.type) == 16 else key
    image = cast(writer, Cast.BITCAST, x, type)
    size = integer_op(writer, arith.AndIOp, image, ~sign)
    negative = integer_op(writer, arith.ShRSIOp, image, bits(type) - 1)
    whole = integer_op(writer, arith.XOrIOp, size, negative)
    whole = integer_op(writer, arith.SubiOp, whole, negative)
    infinity = writer.constant(FORMATS[bits(type)].encode(inf), type)
    is_nan, last = writer.compare("gt", size, infinity), writer.constant(-1, type)
    return writer.select(is_nan, last, integer_op(writer, arith.XOrIOp, whole, sign))
