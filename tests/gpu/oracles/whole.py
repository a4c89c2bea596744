"""Instructions on integers."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

How: TypeAlias = Mapping[str, str]
Oracle: TypeAlias = Callable[..., object]


def bits_of(type: str) -> int:
    return int(type[1:].removesuffix("x2"))


def signed(x: int, bits: int) -> int:
    x %= 1 << bits
    return x - (1 << bits) if x >> bits - 1 else x


def truncated(a: int, b: int) -> int:
    if b == 0:
        return -1
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def saturated(how: How, x: int) -> int:
    return min(max(x, -(1 << 31)), (1 << 31) - 1) if "sat" in how else x


def funnel(how: How, a: int, b: int, c: int) -> int:
    n = c % 32 if how["mode"] == "wrap" else min(c, 32)
    both = b << 32 | a
    return both >> 32 - n if how["way"] == "l" else both >> n


def leading_zeros(how: How, x: int) -> int:
    return bits_of(how["type"]) - x.bit_length()


def find(how: How, x: int) -> int:
    place = (x if x >= 0 else ~x).bit_length() - 1
    if place < 0:
        return -1
    return bits_of(how["type"]) - 1 - place if "shiftamt" in how else place


def mirror(how: How, x: int) -> int:
    return int(format(x, f"0{bits_of(how['type'])}b")[::-1], 2)


def extract(how: How, a: int, b: int, c: int) -> int:
    """The loop in the manual."""
    bits, pos, length = bits_of(how["type"]), b & 0xFF, c & 0xFF
    pattern = a % (1 << bits)
    sign = how["type"][0] == "s" and length > 0 and pattern >> min(pos + length - 1, bits - 1) & 1
    result = 0
    for i in range(bits):
        inside = i < length and pos + i < bits
        result |= (pattern >> pos + i & 1 if inside else int(sign)) << i
    return result


def insert(how: How, a: int, b: int, c: int, d: int) -> int:
    """The loop in the manual."""
    bits, pos, length = bits_of(how["type"]), c & 0xFF, d & 0xFF
    for i in range(length):
        if pos + i < bits:
            b = b & ~(1 << pos + i) | (a >> i & 1) << pos + i
    return b


def permute(how: How, a: int, b: int, c: int) -> int:
    source = (b << 32 | a).to_bytes(8, "little")
    result = bytearray()
    for i in range(4):
        nibble = c >> 4 * i & 15
        byte = source[nibble & 7]
        result.append((0xFF if byte & 0x80 else 0) if nibble & 8 else byte)
    return int.from_bytes(result, "little")


def lookup(how: How, a: int, b: int, c: int, table: int) -> int:
    return sum(
        (table >> ((a >> i & 1) * 4 + (b >> i & 1) * 2 + (c >> i & 1)) & 1) << i for i in range(32)
    )


def dot(how: How, a: int, b: int, c: int) -> int:
    def parts(x: int, type: str) -> list[int]:
        return [signed(x >> 8 * i, 8) if type == "s32" else x >> 8 * i & 255 for i in range(4)]

    return c + sum(
        x * y for x, y in zip(parts(a, how["left"]), parts(b, how["right"]), strict=True)
    )


def shift_right(how: How, a: int, b: int) -> int:
    return a >> b


def high(how: How, a: int, b: int) -> int:
    return a * b >> bits_of(how["type"])


ORACLES: Mapping[str, Oracle] = {
    "add.type": lambda how, a, b: a + b,
    "add{.sat}.s32": lambda how, a, b: saturated(how, a + b),
    "sub.type": lambda how, a, b: a - b,
    "sub{.sat}.s32": lambda how, a, b: saturated(how, a - b),
    "mul.lo.type": lambda how, a, b: a * b,
    "mul.hi.type": high,
    "mul.wide.type": lambda how, a, b: a * b,
    "mad.lo.type": lambda how, a, b, c: a * b + c,
    "mad.hi.type": lambda how, a, b, c: high(how, a, b) + c,
    "mad.wide.type": lambda how, a, b, c: a * b + c,
    "div.type": lambda how, a, b: truncated(a, b),
    "rem.type": lambda how, a, b: a - truncated(a, b) * b if b else a,
    "abs.type": lambda how, a: abs(a),
    "neg.type": lambda how, a: -a,
    "min.type": lambda how, a, b: min(a, b),
    "max.type": lambda how, a, b: max(a, b),
    "min.relu.type": lambda how, a, b: max(min(a, b), 0),
    "max.relu.type": lambda how, a, b: max(a, b, 0),
    "sad.type": lambda how, a, b, c: c + abs(a - b),
    "dp4a.left.right": dot,
    "and.type": lambda how, a, b: a & b,
    "or.type": lambda how, a, b: a | b,
    "xor.type": lambda how, a, b: a ^ b,
    "not.type": lambda how, a: not a if how["type"] == "pred" else ~a,
    "cnot.type": lambda how, a: a == 0,
    "shl.type": lambda how, a, b: 0 if b > 64 else a << b,
    "shr.type": shift_right,
    "shf.way.mode.b32": funnel,
    "popc.type": lambda how, a: a.bit_count(),
    "clz.type": leading_zeros,
    "bfind{.shiftamt}.type": find,
    "brev.type": mirror,
    "bfe.type": extract,
    "bfi.type": insert,
    "prmt.b32": permute,
    "lop3.b32": lookup,
    "mov.type": lambda how, a: a,
    "selp.type": lambda how, a, b, c: a if c else b,
}
