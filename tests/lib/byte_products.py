"""Products of bytes, or of bf16, for tests: kernels, how their operands may lie."""

from products import LAYOUTS, laid_out

SIGNS = {"s": "extsi", "u": "extui", "b": "extf"}


def product(
    signs: str = "ss",
    *,
    swap: bool = False,
    **layout: str,
) -> str:
    """A kernel of one product, whose sums are used twice; "bb" is one of bf16."""
    ((a, at_a), (b, at_b), (c, at_c)), axes, over = laid_out(**layout)
    text = f"""
loop.kernel @product<M: 0, N: 0, K: 0>(
    %a: !loop.buffer<[{a}] x i8>, %b: !loop.buffer<[{b}] x i8>, %bias: !loop.buffer<[N] x i32>)
    -> (%c: !loop.buffer<[{c}] x i32>) {{
  loop.nest [{axes}] {{
    %s = loop.fold fma <serial, 1024> [{over}] {{
      %u = loop.read %a[{at_a}] : i8
      %v = loop.read %b[{at_b}] : i8
      %p = loop.cast {SIGNS[signs[0]]} %u : i8 to i32
      %q = loop.cast {SIGNS[signs[1]]} %v : i8 to i32
      loop.yield {"%q, %p" if swap else "%p, %q"} : i32, i32
    }} : i32
    %n = loop.read %bias[%j] : i32
    %t = arith.addi %s, %n : i32
    %r = arith.maxsi %t, %s : i32
    loop.write %r, %c[{at_c}] : i32
  }}
}}"""
    for integer, float in FLOATS.items() if signs == "bb" else ():
        text = text.replace(integer, float)
    return text


FLOATS = {
    "i32": "f32",
    "i8": "bf16",
    "<serial, 1024>": "<pairs>",
    "arith.addi": "arith.addf",
    "arith.maxsi": "arith.maximumf",
}


WORDS = {
    "left": "M, 4*K: %i, (4) * %k + %g",
    "right": "N, K, 32, 4: %j, %k, %h, %g",
    "out": "M, 32*N: %i, (32) * %j + %h",
    "axes": "%i : M, %j : N, %h : 32",
    "over": "%k : K, %g : 4",
}
"""As weights lie: panels of 32 lanes, each with words of four neighbours along the fold."""
KERNELS = {
    **{f"{signs}": product(signs) for signs in ("ss", "us", "su", "uu")},
    **{name: product(**layout) for name, layout in LAYOUTS.items()},
    "terms swapped": product("us", swap=True),
    "both turned without signs": product("uu", **LAYOUTS["both turned"]),
    "result turned": product("su", **LAYOUTS["result turned"]),
    "windows": product("us", left="M + K: %i + %k"),
    **{f"right in words, {signs}": product(signs, **WORDS) for signs in ("us", "su", "ss")},
}
