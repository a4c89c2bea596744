"""The strategy `dots`: products of bytes, of any signs and layout, under any parameters."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byte_products import KERNELS, product
from drawing import examples
from expanding import agree, expanded
from loop_text import parse_kernel
from products import LAYOUTS, fixed, lengths
from stepwell.compiler.dialects.llvm.types import i8, i32, vector
from stepwell.compiler.dialects.loop.explicit import DotOp, LoadOp, StoreOp
from stepwell.compiler.lower.strategies import choose_plan
from stepwell.compiler.lower.strategies.dots import Dots
from stepwell.compiler.lower.strategies.gemm import Gemm
from stepwell.compiler.machines import MACHINES
from stepwell.compiler.machines.dots import DOTS
from stepwell.compiler.targets.cpu import host
from stepwell.runtime.errors import CompileError

MACHINE = MACHINES["x86-64-v4-vnni"]
BF16 = "znver4"
PAIRS = {
    **{name: product("bb", **layout) for name, layout in LAYOUTS.items()},
    "terms swapped": product("bb", swap=True),
}
RUNS_HERE = [dot.name for dot in DOTS.values() if host().has(dot)]


@st.composite
def plans(draw: st.DrawFn, dots: Sequence[str] = ("vpdpbusd", "vpmaddwd")) -> Dots:
    dot = draw(st.sampled_from(dots))
    bytes, mr = draw(st.sampled_from([32, 64])), draw(st.sampled_from([1, 2, 3, 5, 9, 14, 20]))
    nv, mc, nc = draw(st.integers(1, 3)), draw(st.integers(0, 30)), draw(st.integers(1, 200))
    return Dots(bytes, mr, nv, mc, nc, dot)


@pytest.mark.parametrize("name", KERNELS)
@examples(6)
@given(plan=plans(), m=lengths, n=lengths, k=lengths, static=st.booleans())
def test_any_plan_gives_the_bits_of_the_nests(
    name: str, plan: Dots, m: int, n: int, k: int, static: bool
) -> None:
    text, sizes = KERNELS[name], {"M": m, "N": n, "K": k}
    if static:
        text, sizes = fixed(text, max(m, 3), max(n, 2), max(k, 2)), {}
    agree(text, sizes, plan)


@pytest.mark.parametrize("name", PAIRS)
@examples(6)
@given(plan=plans(("vdpbf16ps",)), m=lengths, n=lengths, k=lengths, static=st.booleans())
def test_any_plan_gives_the_bits_of_pairs(
    name: str, plan: Dots, m: int, n: int, k: int, static: bool
) -> None:
    text, sizes = PAIRS[name], {"M": m, "N": n, "K": k}
    if static:
        text, sizes = fixed(text, max(m, 3), max(n, 2), max(k, 2)), {}
    agree(text, sizes, plan, special=True, machine=BF16)


@pytest.mark.skipif("vdpbf16ps" not in RUNS_HERE, reason="this processor has no such instruction")
@pytest.mark.parametrize("name", PAIRS)
def test_machine_code_gives_the_bits_of_pairs(name: str) -> None:
    plan, sizes = Dots(64, 5, 2, 10, 70, "vdpbf16ps"), {"M": 35, "N": 75, "K": 41}
    agree(PAIRS[name], sizes, special=True, native=True, machine=BF16)
    agree(fixed(PAIRS[name], 35, 100, 40), {}, plan, native=True, machine=BF16)


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_are_left_to_the_instruction(name: str) -> None:
    plan = choose_plan(parse_kernel(PAIRS[name]), MACHINES[BF16])
    assert isinstance(plan, Dots)
    assert plan.dot == "vdpbf16ps"
    with pytest.raises(CompileError, match="SW0235: x86-64-v4-vnni has no instruction"):
        choose_plan(parse_kernel(PAIRS[name]), MACHINE)


@pytest.mark.parametrize("signs", ["ss", "uu", "us", "su"])
@pytest.mark.parametrize("dot", ["sdot", "udot"])
def test_instructions_of_other_processors_have_the_bits_too(dot: str, signs: str) -> None:
    plan = Dots(16, 3, 2, 5, 20, dot)
    if signs[1] != dot[0] and signs[1] != {"sdot": "s", "udot": "u"}[dot]:
        with pytest.raises(CompileError, match=f"SW0234: {dot} does not compute these products"):
            agree(product(signs), {"M": 7, "N": 21, "K": 19}, plan)
    else:
        agree(product(signs), {"M": 7, "N": 21, "K": 19}, plan)


@pytest.mark.parametrize("dot", [dot for dot in RUNS_HERE if dot != "vdpbf16ps"])
@pytest.mark.parametrize("name", KERNELS)
def test_machine_code_gives_the_bits_of_the_nests(name: str, dot: str) -> None:
    plan = Dots(host().vector_bytes, 5, 2, 10, 70, dot)
    agree(KERNELS[name], {"M": 35, "N": 75, "K": 42}, plan, native=True)
    agree(fixed(KERNELS[name], 35, 100, 40), {}, plan, native=True)


@pytest.mark.parametrize("name", KERNELS)
def test_it_is_chosen_for_products_of_bytes(name: str) -> None:
    plan = choose_plan(parse_kernel(KERNELS[name]), MACHINE)
    assert isinstance(plan, Dots)
    assert plan.dot == "vpdpbusd"


def test_each_machine_has_its_instruction() -> None:
    kernel = parse_kernel(product())
    found = {name: choose_plan(kernel, machine) for name, machine in MACHINES.items()}
    dots = {name: plan.dot for name, plan in found.items() if isinstance(plan, Dots)}
    assert dots["x86-64-v3"] == dots["x86-64-v4"] == "vpmaddwd"
    assert dots["x86-64-v3-vnni"] == dots["x86-64-v4-vnni"] == "vpdpbusd"


def test_words_are_read_where_they_lie() -> None:
    """For the instruction that takes four; for others they are taken apart."""
    text = fixed(KERNELS["right in words, us"], 64, 4, 64)
    for dot, copied in (("vpdpbusd", 0), ("vpmaddwd", 4)):
        ops = list(expanded(text, Dots(64, 8, 2, 0, 0, dot)).walk())
        reads = [op for op in ops if isinstance(op, LoadOp) and op.source.name_hint == "b"]
        assert {op.result.type for op in reads} == {vector(i8, 64)}
        stored = [op for op in ops if isinstance(op, StoreOp) and op.value.type == vector(i32, 16)]
        assert len(stored) == 8 * 2 + copied


def test_other_products_are_left_to_gemm() -> None:
    wide = product().replace("x i8>", "x i32>").replace("] : i8", "] : i32")
    pattern = r"%([pq]) = loop.cast extsi %(.) : i8 to i32"
    wide = re.sub(pattern, r"%\1 = arith.addi %\2, %\2 : i32", wide)
    assert isinstance(choose_plan(parse_kernel(wide), MACHINE), Gemm)
    agree(wide, {"M": 7, "N": 21, "K": 19})


def test_the_sums_of_a_tile_are_added_to_where_they_are() -> None:
    kernel = expanded(fixed(product("us"), 64, 64, 64), Dots(64, 6, 4, 0, 0, "vpdpbusd"))
    dots = [op for op in kernel.walk() if isinstance(op, DotOp)]
    assert len(dots) == (6 + 64 % 6) * 4, "of signs that fit no sum has a start"


def test_a_row_alone_is_left_to_gemm() -> None:
    text = product("uu", left="K: %k", out="N: %j", axes="%j : N")
    assert isinstance(choose_plan(parse_kernel(text), MACHINE), Gemm)
    agree(text, {"M": 1, "N": 21, "K": 19})


def test_sums_along_several_axes_are_left_to_gemm() -> None:
    text = product(left="3, M, K: %g, %i, %k", right="3, K, N: %g, %k, %j", over="%g : 3, %k : K")
    assert isinstance(choose_plan(parse_kernel(text), MACHINE), Gemm)
    agree(text, {"M": 5, "N": 21, "K": 19})


def test_small_products_are_left_to_one_thread() -> None:
    for size, shared in ((32, 0), (1024, 1)):
        plan = choose_plan(parse_kernel(fixed(product(), size, size, size)), MACHINE)
        assert isinstance(plan, Dots)
        assert (plan.mc > 0) == shared


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ("dot = vpdpbusd, bytes = 48", "the strategy dots has no parameter bytes = 48"),
        ("dot = vpdp", "the strategy dots has no parameter dot = vpdp"),
        ("dot = udot", "udot does not compute these products in 8 by 3 vectors of 64 bytes"),
        ("dot = sdot", "sdot does not compute these products in 8 by 3 vectors of 64 bytes"),
    ],
)
def test_a_plan_that_is_none_is_refused(plan: str, sentence: str) -> None:
    text = product().replace("x i32>) {", f"x i32>) plan <dots, {plan}> {{")
    with pytest.raises(CompileError) as caught:
        expanded(text)
    assert caught.value.sentence == sentence
