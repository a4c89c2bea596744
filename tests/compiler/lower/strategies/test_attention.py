"""The strategy `attention`: scores of some rows at a time, with the bits of the nests."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing import examples
from expanding import agree, expanded
from loop_text import parse_kernel
from stepwell.compiler.dialects.loop.explicit import GatherOp, ParallelOp
from stepwell.compiler.dialects.loop.host import ViewOp
from stepwell.compiler.lower.strategies import choose_plan
from stepwell.compiler.lower.strategies.attention import Attention
from stepwell.compiler.machines import MACHINES

MACHINE = MACHINES["x86-64-v4"]
CAUSAL = """
    %qi = loop.index %q
    %ki = loop.index %k
    %sees = loop.compare ge %qi, %ki : index
    %never = arith.constant -1.0e9 : f32
    %seen = loop.select %sees, %scaled, %never : i1, f32"""
MASKED = """
    %sees = loop.read %mask[%q, %k] : i1
    %never = arith.constant -1.0e9 : f32
    %seen = loop.select %sees, %scaled, %never : i1, f32"""


def attention(
    axes: str = "%b : B, %h : 2",
    *,
    query: str = "B, 2, Q, 5: %b, %h, %q, %d",
    key: str = "B, 2, K, 5: %b, %h, %k, %d",
    value: str = "B, 2, K, 20: %b, %h, %k, %e",
    out: str = "B, 2, Q, 20: %b, %h, %q, %e",
    mask: str = "",
) -> str:
    """Softmax of products, and sums with its weights, for Q queries and K keys."""
    sizes = {"q": query, "k": key, "v": value, "o": out}
    shape = {name: each.split(": ")[0] for name, each in sizes.items()}
    at = {name: each.split(": ")[1] for name, each in sizes.items()}
    outer = "".join(f"{size}, " for size in re.findall(r": (\w+)", axes))
    here = "".join(f"%{name}, " for name in re.findall(r"%(\w+)", axes))
    loops = f"{axes}, " if axes else ""
    seen = "%seen" if mask else "%scaled"
    return f"""
loop.kernel @attention<B: 0, K: 0, Q: 0>(
    %x: !loop.buffer<[{shape["q"]}] x f32>, %y: !loop.buffer<[{shape["k"]}] x f32>,
    %z: !loop.buffer<[{shape["v"]}] x f32>, %mask: !loop.buffer<[Q, K] x i1>)
    -> (%o: !loop.buffer<[{shape["o"]}] x f32>) {{
  %s = loop.local : !loop.buffer<[{outer}Q, K] x f32>
  loop.nest [{loops}%q : Q, %k : K] {{
    %r = loop.fold fma <serial, 4> [%d : 5] {{
      %u = loop.read %x[{at["q"]}] : f32
      %v = loop.read %y[{at["k"]}] : f32
      loop.yield %u, %v : f32, f32
    }} : f32
    %half = arith.constant 0.5 : f32
    %scaled = arith.mulf %r, %half : f32{mask}
    loop.write {seen}, %s[{here}%q, %k] : f32
  }}
  %m = loop.local : !loop.buffer<[{outer}Q] x f32>
  loop.nest [{loops}%q : Q] {{
    %r = loop.fold max <any> [%k : K] {{
      %v = loop.read %s[{here}%q, %k] : f32
      loop.yield %v : f32
    }} : f32
    loop.write %r, %m[{here}%q] : f32
  }}
  %p = loop.local : !loop.buffer<[{outer}Q, K] x f32>
  loop.nest [{loops}%q : Q, %k : K] {{
    %v = loop.read %s[{here}%q, %k] : f32
    %n = loop.read %m[{here}%q] : f32
    %t = arith.subf %v, %n : f32
    %r = math.exp %t : f32
    loop.write %r, %p[{here}%q, %k] : f32
  }}
  %t = loop.local : !loop.buffer<[{outer}Q] x f32>
  loop.nest [{loops}%q : Q] {{
    %r = loop.fold add <lanes, 4096> [%k : K] {{
      %v = loop.read %p[{here}%q, %k] : f32
      loop.yield %v : f32
    }} : f32
    loop.write %r, %t[{here}%q] : f32
  }}
  %w = loop.local : !loop.buffer<[{outer}Q, K] x f32>
  loop.nest [{loops}%q : Q, %k : K] {{
    %v = loop.read %p[{here}%q, %k] : f32
    %n = loop.read %t[{here}%q] : f32
    %r = arith.divf %v, %n : f32
    loop.write %r, %w[{here}%q, %k] : f32
  }}
  loop.nest [{loops}%q : Q, %e : 20] {{
    %r = loop.fold fma <serial, 16> [%k : K] {{
      %u = loop.read %w[{here}%q, %k] : f32
      %v = loop.read %z[{at["v"]}] : f32
      loop.yield %u, %v : f32, f32
    }} : f32
    loop.write %r, %o[{at["o"]}] : f32
  }}
}}"""


KERNELS = {
    "plain": attention(),
    "causal": attention(mask=CAUSAL),
    "masked": attention(mask=MASKED),
    "one head": attention(
        "",
        query="Q, 5: %q, %d",
        key="K, 5: %k, %d",
        value="K, 20: %k, %e",
        out="Q, 20: %q, %e",
    ),
    "heads inside": attention(
        query="B, Q, 2, 5: %b, %q, %h, %d",
        key="B, K, 2, 5: %b, %k, %h, %d",
        value="B, K, 2, 20: %b, %k, %h, %e",
        out="B, Q, 2, 20: %b, %q, %h, %e",
    ),
    "keys turned": attention(key="B, 2, 5, K: %b, %h, %d, %k"),
    "grouped": attention(
        "%b : B, %h : 2, %g : 3",
        query="B, 2, 3, Q, 5: %b, %h, %g, %q, %d",
        out="B, 2, 3, Q, 20: %b, %h, %g, %q, %e",
        mask=CAUSAL,
    ),
}

plans = st.builds(
    Attention,
    bytes=st.sampled_from([32, 64]),
    mr=st.sampled_from([1, 2, 5, 14]),
    nv=st.integers(1, 3),
    rows=st.sampled_from([1, 4, 16, 64]),
    tasks=st.sampled_from([0, 1, 3, 32]),
)
lengths = st.sampled_from([0, 1, 2, 3, 5, 16, 17, 33, 70])


def fixed(text: str, queries: int, keys: int, batch: str = "B") -> str:
    """The kernel for these numbers of queries and keys."""
    text = re.sub(", K: 0, Q: 0", "", text)
    if batch != "B":
        text = re.sub("<B: 0>", "", text)
    for name, size in (("Q", queries), ("K", keys), ("B", batch)):
        text = re.sub(rf"(?<!%)\b{name}\b", str(size), text)
    return text


@pytest.mark.parametrize("name", KERNELS)
@examples(8)
@given(
    plan=plans,
    queries=lengths,
    keys=lengths,
    batch=st.sampled_from([0, 1, 3]),
    static=st.booleans(),
)
def test_any_plan_gives_the_bits_of_the_nests(
    name: str, plan: Attention, queries: int, keys: int, batch: int, static: bool
) -> None:
    text, sizes = KERNELS[name], {"B": batch, "K": keys, "Q": queries}
    if static:
        queries, keys, sizes = max(1, queries), max(2, keys), {"B": batch}
        text = fixed(text, queries, keys)
    fits = Attention.fits(parse_kernel(text), MACHINE) is None
    assert fits or name == "one head"
    agree(text, sizes, plan if fits else None, special=True)


@pytest.mark.parametrize("name", KERNELS)
def test_machine_code_gives_the_bits_of_the_nests(name: str) -> None:
    text = KERNELS[name]
    agree(text, {"B": 3, "K": 75, "Q": 35}, special=True, native=True)
    agree(text, {"B": 2, "K": 70, "Q": 40}, Attention(64, 4, 2, 8, 3), native=True)
    agree(fixed(text, 35, 100), {"B": 2}, native=True)
    agree(fixed(text, 1, 100), {"B": 2}, native=True)


@pytest.mark.parametrize("name", KERNELS)
def test_it_is_chosen_for_products_with_rows_between_them(name: str) -> None:
    assert isinstance(choose_plan(parse_kernel(KERNELS[name]), MACHINE), Attention)


def test_scores_and_weights_lie_in_one_place() -> None:
    """So do the sums and what is greatest; then there are panels of the keys."""
    kernel = expanded(fixed(KERNELS["plain"], 64, 1024), Attention(rows=16, mr=4))
    sizes = [str(op.result.type) for op in kernel.walk() if isinstance(op, ViewOp)]
    assert sorted(sizes) == sorted(
        f"!loop.buffer<[{shape}] x f32>" for shape in ("16, 1024", "16", str(22 * 48 * 5))
    )


def test_tasks_are_few_and_a_task_keeps_a_tile() -> None:
    for text in (KERNELS["causal"], fixed(KERNELS["causal"], 4096, 4096)):
        kernel = expanded(text, Attention(rows=16, tasks=8))
        size = kernel.arguments[-1].type.shape[0]
        for batch in (8, 800):
            bytes = size.evaluate({"B": batch, "K": 4096, "Q": 4096})
            assert bytes < 8 * (16 * 4096 + 4200 * 5 + 1000) * 4


def test_rows_of_a_tile_stay_in_the_second_cache() -> None:
    for keys in (128, 1024, 8192):
        plan = choose_plan(parse_kernel(fixed(KERNELS["plain"], 8192, keys)), MACHINE)
        assert isinstance(plan, Attention)
        assert plan.rows == plan.mr or plan.rows * keys * 4 <= MACHINE.l2 // 2


def test_few_rows_make_many_pieces() -> None:
    few, many = (
        choose_plan(parse_kernel(fixed(KERNELS["plain"], 512, 64, batch)), MACHINE)
        for batch in ("1", "64")
    )
    assert isinstance(few, Attention)
    assert isinstance(many, Attention)
    assert few.rows < 512 * 2 / 8
    assert few.rows < many.rows


def test_little_is_left_to_one_thread() -> None:
    for queries, shared in ((3, False), (1024, True)):
        kernel = expanded(fixed(KERNELS["plain"], queries, 64, "2"))
        assert any(isinstance(op, ParallelOp) for op in kernel.walk()) is shared


def test_keys_are_never_gathered() -> None:
    kernel = expanded(re.sub(r"\b5\b", "32", fixed(KERNELS["heads inside"], 64, 64)))
    assert not any(isinstance(op, GatherOp) for op in kernel.walk())


PLAIN = KERNELS["plain"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (re.sub(r"%u = loop.read %w\[%b", "%u = loop.read %w[0", PLAIN), "rows"),
        (fixed(PLAIN, 8, 1), "product does not go by"),
        (re.sub(r"fma <serial, 4>", "fma <lanes, 4>", PLAIN), "two products"),
    ],
)
def test_it_refuses_what_is_no_attention(text: str, reason: str) -> None:
    refusal = Attention.fits(parse_kernel(text), MACHINE)
    assert refusal is not None
    assert reason in refusal.reason
