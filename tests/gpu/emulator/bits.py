"""Bits of integers: shifts, counts, fields, bytes, and any function of three."""

import numpy as np

from emulator.floats import How, Lanewise, Meaning
from emulator.types import TYPES, Array


def shifted(function: Lanewise) -> Meaning:
    """By an amount that is clamped to the width, at which no bit is left, or the sign alone."""

    def meaning(how: How) -> Lanewise:
        bits = TYPES[how["type"]].bits
        return lambda x, by: function(x, np.minimum(by, bits).astype(x.dtype))

    return meaning


def funnel(how: How) -> Lanewise:
    """`shf`: a word out of two."""
    left = how["way"] == "l"

    def run(low: Array, high: Array, by: Array) -> Array:
        by = (by & 31 if how["mode"] == "wrap" else np.minimum(by, 32)).astype(np.uint64)
        both = (high.astype(np.uint64) << np.uint64(32)) | low
        moved = (both << by) >> np.uint64(32) if left else both >> by
        return moved.astype(np.uint32)

    return run


def logical_not(x: Array) -> Array:
    """`cnot`."""
    return (x == 0).astype(x.dtype)


def lengths(x: Array) -> Array:
    """The number of bits of each element without leading zeros."""
    x = x.astype(np.uint64)
    high, low = (x >> np.uint64(32)).astype(np.float64), (x & np.uint64(0xFFFFFFFF)).astype(float)
    return np.where(high > 0, np.frexp(high)[1] + 32, np.frexp(low)[1]).astype(np.uint32)


def ones(x: Array) -> Array:
    return np.bitwise_count(x).astype(np.uint32)


def leading_zeros(x: Array) -> Array:
    return np.uint32(8 * x.itemsize) - lengths(x)


def first_bit(how: How) -> Lanewise:
    """`bfind`: the place of the highest bit that is not the sign; all ones where there is none."""
    bits = TYPES[how["type"]].bits

    def run(x: Array) -> Array:
        if x.dtype.kind == "i":
            x = np.where(x < 0, ~x, x).view(f"u{x.itemsize}")
        found = lengths(x) - np.uint32(1)
        if "shiftamt" in how:
            return np.where(found == 0xFFFFFFFF, found, np.uint32(bits - 1) - found)
        return found

    return run


def mirrored(x: Array) -> Array:
    """`brev`."""
    bits = np.unpackbits(x[:, None].view(np.uint8), axis=1, bitorder="little")
    return np.packbits(bits[:, ::-1], axis=1, bitorder="little").view(x.dtype)[:, 0]


def extracted(how: How) -> Lanewise:
    """`bfe`: `length` bits from `start`; of a signed type the last of them repeats above."""
    type = TYPES[how["type"]]

    def run(x: Array, start: Array, length: Array) -> Array:
        start, length = start & 255, length & 255
        if not type.is_signed:
            mask = _low_bits(length, x)
            return np.where(start < type.bits, x >> _amount(start, x), 0).astype(x.dtype) & mask
        last = np.clip(start.astype(np.int64) + length - 1, 0, type.bits - 1)
        sign = np.where(length > 0, (x >> last.astype(x.dtype)) & 1, 0).astype(x.dtype)
        moved = x >> _amount(start, x)
        mask = _low_bits(np.minimum(length, np.maximum(type.bits - start.astype(int), 0)), x)
        return np.where(sign == 1, moved | ~mask, moved & mask)

    return run


def inserted(part: Array, x: Array, start: Array, length: Array) -> Array:
    """`bfi`: the low bits of `part` in the place of `length` bits of x."""
    start, length = start & 255, length & 255
    inside = start < 8 * x.itemsize
    mask = np.where(inside, _low_bits(length, x) << _amount(start, x), 0).astype(x.dtype)
    return (x & ~mask) | ((part << _amount(start, x)) & mask)


def _amount(by: Array, x: Array) -> Array:
    return np.minimum(by, 8 * x.itemsize - 1).astype(x.dtype)


def _low_bits(count: Array, x: Array) -> Array:
    some = (np.ones_like(x) << _amount(count, x)) - np.ones_like(x)
    return np.where(count >= 8 * x.itemsize, ~np.zeros_like(x), some)


def permuted(a: Array, b: Array, selector: Array) -> Array:
    """`prmt`: each nibble picks one of eight bytes, or its sign repeated."""
    source = np.stack([a, b], 1).view(np.uint8).reshape(-1, 8)
    nibbles = (selector[:, None] >> np.arange(0, 16, 4, dtype=np.uint32)) & 15
    picked = np.take_along_axis(source, (nibbles & 7).astype(np.intp), 1)
    signs = np.where(picked & 0x80, 0xFF, 0).astype(np.uint8)
    return np.where(nibbles & 8, signs, picked).astype(np.uint8).view(np.uint32)[:, 0]


def looked_up(a: Array, b: Array, c: Array, table: Array) -> Array:
    """`lop3`: any function of three bits, bit `4a + 2b + c` of the table."""
    found = np.zeros_like(a)
    for index in range(8):
        operands = zip((a, b, c), (4, 2, 1), strict=True)
        masks = [x if index & bit else ~x for x, bit in operands]
        chosen = masks[0] & masks[1] & masks[2]
        found |= np.where((table >> np.uint32(index)) & 1, chosen, 0).astype(a.dtype)
    return found


def dot(how: How) -> Lanewise:
    """`dp4a`: c and the sum of products of four bytes each."""

    def parts(x: Array, type: str) -> Array:
        return x[:, None].view("i1" if type == "s32" else "u1").astype(np.int64)

    def run(a: Array, b: Array, c: Array) -> Array:
        products = parts(a, how["left"]) * parts(b, how["right"])
        return (products.sum(1) + c.astype(np.int64)).astype(np.uint32)

    return run
