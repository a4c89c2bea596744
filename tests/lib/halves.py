"""Kernels of products in the order of matrix instructions, made of those of f32."""

import re

from products import KERNELS, LAYOUTS, ORDER, product

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


def of_bytes(first: str, second: str, swap: bool = False, **layout: str) -> str:
    """A kernel of integers whose factors are bytes, with signs (`extsi`) or without (`extui`)."""
    return in_bytes(product(dtype="i32", epilogue=False, swap=swap, **layout), first, second)


def in_bytes(text: str, first: str, second: str) -> str:
    """The same kernel of i32 with factors of bytes."""
    text = re.sub(r"(%[abxk]: !loop\.buffer<\[[^\]]*\] x) i32", r"\1 i8", text)
    for name, kind in (("u", first), ("v", second)):
        wide = rf"%{name}h = loop.read \1 : i8\n  %{name} = loop.cast {kind} %{name}h : i8 to i32"
        text = re.sub(rf"%{name} = loop\.read (.*) : i32", wide, text)
    return text


BYTES = {
    "signed": of_bytes("extsi", "extsi", **LAYOUTS["right turned"]),
    "unsigned": of_bytes("extui", "extui", **LAYOUTS["right turned"]),
    "mixed": of_bytes("extui", "extsi", **LAYOUTS["right turned"]),
    "mixed and swapped": of_bytes("extsi", "extui", swap=True, **LAYOUTS["right turned"]),
    "gathered": of_bytes("extsi", "extui", **LAYOUTS["left turned"]),
    "batch": of_bytes("extsi", "extsi", **LAYOUTS["batch"]),
}
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
WHOLE_CONVOLUTION = in_bytes(
    re.sub("-?0\\.0", "0", KERNELS["convolution"]).replace("f32", "i32").replace("addf", "addi"),
    "extui",
    "extsi",
)
