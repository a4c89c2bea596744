"""Products of matrices for tests: kernels, how their operands may lie, and sizes."""

import re
from collections.abc import Mapping

from hypothesis import strategies as st

LAYOUTS: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "right turned": {"right": "N, K: %j, %k"},
    "left turned": {"left": "K, M: %k, %i"},
    "both turned": {"left": "K, M: %k, %i", "right": "N, K: %j, %k"},
    "result turned": {"out": "N, M: %j, %i"},
    "batch": {
        "left": "3, M, K: %h, %i, %k",
        "right": "3, K, N: %h, %k, %j",
        "out": "3, M, N: %h, %i, %j",
        "axes": "%h : 3, %i : M, %j : N",
    },
    "batch of one operand": {
        "left": "3, M, K: %h, %i, %k",
        "out": "3, M, N: %h, %i, %j",
        "axes": "%h : 3, %i : M, %j : N",
    },
    "right in panels": {
        "right": "3, K, N: %h, %k, %j",
        "out": "M, 3, N: %i, %h, %j",
        "axes": "%i : M, %h : 3, %j : N",
    },
}
"""How operands and the result lie, and the axes of the nest, where that is not as in `PLAIN`."""

PLAIN = {
    "left": "M, K: %i, %k",
    "right": "K, N: %k, %j",
    "out": "M, N: %i, %j",
    "axes": "%i : M, %j : N",
    "over": "%k : K",
}

lengths = st.sampled_from([0, 1, 2, 3, 7, 8, 15, 16, 17, 33, 50, 70])
"""Of the axes M, N and K."""


def laid_out(**layout: str) -> tuple[list[tuple[str, str]], str, str]:
    """The shape and the indices of left, right and out; the nest's axes; those of its fold."""
    parts = {**PLAIN, **layout}
    shapes = [parts[name].split(": ") for name in ("left", "right", "out")]
    return [(shape, indices) for shape, indices in shapes], parts["axes"], parts["over"]


def fixed(text: str, m: int, n: int, k: int) -> str:
    """The kernel for these sizes."""
    text = re.sub("<M: [03], N: 0, K: 0>", "", text).replace("M + K", str(m + k))
    for name, size in (("M", m), ("N", n), ("K", k)):
        text = re.sub(rf"\b{name}\b", str(size), text)
    return text


ORDER = "<serial, 16>"
"""Of the sums, but for a few."""


def product(
    *,
    dtype: str = "f32",
    swap: bool = False,
    epilogue: bool = True,
    **layout: str,
) -> str:
    """A kernel of one product, with a bias and a residual behind it."""
    ((a, at_a), (b, at_b), (c, at_c)), axes, over = laid_out(**layout)
    terms = "%v, %u" if swap else "%u, %v"
    finish = f"""
    %n = loop.read %bias[%j] : {dtype}
    %t = arith.addf %s, %n : {dtype}
    %o = loop.read %old[{at_c}] : {dtype}
    %r = arith.maximumf %t, %o : {dtype}"""
    return f"""
loop.kernel @product<M: 0, N: 0, K: 0>(
    %a: !loop.buffer<[{a}] x {dtype}>, %b: !loop.buffer<[{b}] x {dtype}>,
    %bias: !loop.buffer<[N] x {dtype}>, %old: !loop.buffer<[{c}] x {dtype}>)
    -> (%c: !loop.buffer<[{c}] x {dtype}>) {{
  loop.nest [{axes}] {{
    %s = loop.fold fma {ORDER} [{over}] {{
      %u = loop.read %a[{at_a}] : {dtype}
      %v = loop.read %b[{at_b}] : {dtype}
      loop.yield {terms} : {dtype}, {dtype}
    }} : {dtype}{finish if epilogue else ""}
    loop.write {"%r" if epilogue else "%s"}, %c[{at_c}] : {dtype}
  }}
}}"""


KERNELS = {
    **{name: product(**layout) for name, layout in LAYOUTS.items()},
    "doubles": product(dtype="f64"),
    "bare": product(epilogue=False),
    "integers": product(epilogue=False, dtype="i32"),
    "long integers": product(epilogue=False, dtype="i64"),
    "bytes": product(epilogue=False, dtype="i8"),
    "terms swapped": product(swap=True),
    "batch turned": product(
        left="3, M, K: %h, %i, %k",
        right="3, N, K: %h, %j, %k",
        out="M, 3, N: %i, %h, %j",
        axes="%i : M, %h : 3, %j : N",
    ),
    "two axes folded": product(
        left="M, 3, K: %i, %g, %k", right="3, K, N: %g, %k, %j", over="%g : 3, %k : K"
    ),
    "two axes folded apart": product(
        left="3, M, K: %g, %i, %k", right="3, K, N: %g, %k, %j", over="%g : 3, %k : K"
    ),
}
HALVES = """
loop.kernel @halves<M: 0, N: 0, K: 0>(
    %a: !loop.buffer<[M, K] x bf16>, %b: !loop.buffer<[K, N] x bf16>)
    -> (%c: !loop.buffer<[M, N] x bf16>) {
  loop.nest [%i : M, %j : N] {
    %s = loop.fold fma <serial, 1024> [%k : K] {
      %u = loop.read %a[%i, %k] : bf16
      %v = loop.read %b[%k, %j] : bf16
      %p = loop.cast extf %u : bf16 to f32
      %q = loop.cast extf %v : bf16 to f32
      loop.yield %p, %q : f32, f32
    } : f32
    %r = loop.cast truncf %s : f32 to bf16
    loop.write %r, %c[%i, %j] : bf16
  }
}"""
KERNELS["halves"] = HALVES
RESIDUAL = "    %o = loop.read %old[%i, %j] : f32\n"
KERNELS["residual first"] = (
    product().replace(RESIDUAL, "").replace("    %s = ", f"{RESIDUAL}    %s = ")
)
CHOSEN = "      %two = loop.index 2\n      %at = arith.minsi %i, %two : index\n"
KERNELS["rows chosen"] = product(left="M, K: %at, %k").replace(
    "      %u = ", f"{CHOSEN}      %u = "
)


def convolution(stride: int = 1, padded: bool = True) -> str:
    """Images of M by 7 pixels with K channels, windows of 3 by 3, N results."""
    low = 1 if padded else 0
    sizes = [f"floordiv({size} + {2 * low - 3}, {stride}) + 1" for size in ("M", "7")]
    height, width = (f"max({size}, 0)" for size in sizes)
    h, w = (f"({stride}) * %{axis} + %d{axis} + {-low}" for axis in ("h", "w"))
    guard = f"""
      %zi = arith.constant 0 : index
      %ih = loop.index {h}
      %iw = loop.index {w}
      %sh = loop.index M
      %sw = loop.index 7
      %c0 = loop.compare ge %ih, %zi : index
      %c1 = loop.compare lt %ih, %sh : index
      %c2 = loop.compare ge %iw, %zi : index
      %c3 = loop.compare lt %iw, %sw : index
      %c4 = arith.andi %c0, %c1 : i1
      %c5 = arith.andi %c2, %c3 : i1
      %c = arith.andi %c4, %c5 : i1"""
    select = """
      %zero = arith.constant 0.0 : f32
      %nothing = arith.constant -0.0 : f32
      %p = loop.select %c, %u, %zero : i1, f32
      %q = loop.select %c, %v, %nothing : i1, f32"""
    where = " where %c" if padded else ""
    return f"""
loop.kernel @convolution<M: 3, N: 0, K: 0>(
    %x: !loop.buffer<[2, M, 7, K] x f32>, %k: !loop.buffer<[3, 3, K, N] x f32>,
    %bias: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[2, {height}, {width}, N] x f32>) {{
  loop.nest [%b : 2, %h : {height}, %w : {width}, %n : N] {{
    %s = loop.fold fma <serial> [%dh : 3, %dw : 3, %i : K] {{{guard if padded else ""}
      %u = loop.read %x[%b, {h}, {w}, %i]{where} : f32
      %v = loop.read %k[%dh, %dw, %i, %n]{where} : f32{select if padded else ""}
      loop.yield {"%p, %q" if padded else "%u, %v"} : f32, f32
    }} : f32
    %o = loop.read %bias[%n] : f32
    %r = arith.addf %s, %o : f32
    loop.write %r, %y[%b, %h, %w, %n] : f32
  }}
}}"""


KERNELS["convolution"] = convolution()
KERNELS["convolution with strides"] = convolution(2)
KERNELS["convolution without padding"] = convolution(padded=False)
