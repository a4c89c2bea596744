"""Kernels of products in the order of matrix instructions, made of those of f32."""

import re

from products import KERNELS, ORDER

READ = re.compile(r"%([uv]) = loop\.read (.*) : f32")
FACTOR = re.compile(r"(%[abxk]: !loop\.buffer<\[[^\]]*\] x) f32")


def in_halves(text: str, dtype: str = "bf16", order: str = "<tensor>") -> str:
    """The same kernel with factors of 16 bits."""
    text = FACTOR.sub(rf"\1 {dtype}", text).replace(ORDER, order).replace("<serial>", order)
    wide = rf"%\1h = loop.read \2 : {dtype}\n      %\1 = loop.cast extf %\1h : {dtype} to f32"
    return READ.sub(wide, text)


def through(text: str, dtype: str = "bf16") -> str:
    """The same kernel with a left factor that is computed."""
    read = rf"%uh = loop\.read (.*) : {dtype}\n"
    producer = rf"""%u0 = loop.read \1 : {dtype}
      %u1 = loop.cast extf %u0 : {dtype} to f32
      %u2 = arith.mulf %u1, %u1 : f32
      %uh = loop.cast truncf %u2 : f32 to {dtype}
"""
    return re.sub(read, producer, text)


WHOLE = {"doubles", "integers", "long integers", "bytes", "halves"}
HALVES = {
    name: in_halves(text)
    for name, text in KERNELS.items()
    if name not in WHOLE and "convolution" not in name
}
HALVES["f16"] = in_halves(KERNELS["plain"], "f16")
HALVES["f16 turned"] = in_halves(KERNELS["both turned"], "f16")
HALVES["computed"] = through(HALVES["plain"])
HALVES["computed and turned"] = through(HALVES["left turned"])
CONVOLUTIONS = {
    name: in_halves(text, order="<serial>")
    for name, text in KERNELS.items()
    if "convolution" in name
}
"""In the order that they have before a machine's is named."""
