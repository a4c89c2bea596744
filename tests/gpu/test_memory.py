"""Loads and stores in every space, atomic operations, and what is refused."""

import ml_dtypes
import numpy as np
import pytest

from emulator.errors import AccessError
from small_kernels import covers, numbers, run, words

WARP = 32


@pytest.mark.device
@covers("ld{.order}{.scope}{.space}{.cache}{.nc}{.hint}{.ahead}{.many}.type")
@covers("st{.order}{.scope}{.space}{.cache}{.hint}{.many}.type")
@pytest.mark.parametrize(("many", "type", "size"), [
    ("", "b8", 1), ("", "b16", 2), ("", "b32", 4), ("", "f64", 8), (".v2", "u8", 1),
    (".v2", "b16", 2), (".v2", "f32", 4), (".v2", "b64", 8), (".v4", "u8", 1), (".v4", "b32", 4),
])  # fmt: skip
@pytest.mark.parametrize("space", ["", ".global", ".shared"])
def test_vectors_of_all_widths(many: str, type: str, size: int, space: str) -> None:
    count = int(many[2:] or 1)
    bank = "d" if size == 8 else "r"
    names = ", ".join(f"%{bank}{each + 1}" for each in range(count))
    names = f"{{{names}}}" if many else names
    x = numbers(WARP * 4 * size).view(np.uint8)[: WARP * count * size]
    if space == ".shared":
        there, back = "mov.u64 %d20, tile;", "[%d21]"
        place = f"{there}\nmad.lo.u64 %d21, %i, {count * size}, %d20;"
    else:
        place, back = f"mad.lo.u64 %d21, %i, {count * size}, %a1;", "[%d21]"
    body = f"""
    mad.lo.u64 %d10, %i, {count * size}, %a0;
    {place}
    ld.global.nc{many}.{type} {names}, [%d10];
    st{space}{many}.{type} {back}, {names};
    bar.sync 0;
    ld{space}{many}.{type} {names}, {back};
    mad.lo.u64 %d11, %i, {count * size}, %a1;
    st.global{many}.{type} [%d11], {names};"""
    top = ".shared .align 16 .b8 tile[1024];"
    (found,) = run(body, [x], [x], top=top)
    assert (found == x).all()


@pytest.mark.device
def test_narrow_loads_extend() -> None:
    x = np.array([0x80, 0x7F, 0xFF, 0] * 8, np.uint8)
    body = """
    add.u64 %d1, %a0, %i;
    ld.global.s8 %r1, [%d1];
    ld.global.u8 %r2, [%d1];
    shl.b32 %r2, %r2, 16;
    and.b32 %r1, %r1, 0xFFFF;
    or.b32 %r1, %r1, %r2;
    st.global.u32 [%g1], %r1;"""
    (found,) = run(body, [x], [words(WARP)])
    signed = x.view(np.int8).astype(np.int32) & 0xFFFF
    assert (found == signed + (x.astype(np.int32) << 16)).all()


@pytest.mark.device
@covers("cvta{.to}.space.type", "isspacep.space")
def test_generic_addresses_lead_to_their_space() -> None:
    body = """
    .local .align 4 .b8 own[8];
    mov.u64 %d1, tile;
    mad.lo.u64 %d1, %i, 4, %d1;
    cvta.shared.u64 %d2, %d1;
    st.u32 [%d2], %t;
    ld.shared.u32 %r1, [%d1];
    mov.u64 %d3, own;
    cvta.local.u64 %d4, %d3;
    st.u32 [%d4+4], %r1;
    ld.local.u32 %r2, [own+4];
    cvta.to.local.u64 %d5, %d4;
    ld.local.u32 %r3, [%d5+4];
    add.u32 %r2, %r2, %r3;
    isspacep.shared %p1, %d2;
    isspacep.local %p2, %d4;
    isspacep.global %p3, %a0;
    isspacep.global %p4, %d2;
    and.pred %p1, %p1, %p2;
    and.pred %p1, %p1, %p3;
    not.pred %p4, %p4;
    and.pred %p1, %p1, %p4;
    @!%p1 mov.u32 %r2, 0;
    cvta.global.u64 %d6, %g0;
    st.u32 [%d6], %r2;"""
    (found,) = run(body, [], [words(WARP)], top=".shared .align 4 .b8 tile[128];")
    assert (found == 2 * np.arange(WARP)).all()


@pytest.mark.device
def test_constants_and_variables_have_their_initial_values() -> None:
    top = ".const .align 4 .b8 c[8] = {1, 2, 3, 4};\n.global .align 4 .u32 v = 7;"
    body = """
    ld.const.u32 %r1, [c];
    ld.const.u32 %r2, [c+4];
    ld.global.u32 %r3, [v];
    add.u32 %r1, %r1, %r2;
    add.u32 %r1, %r1, %r3;
    st.global.u32 [%g0], %r1;"""
    (found,) = run(body, [], [words(WARP)], top=top)
    assert (found == 0x04030201 + 7).all()


POINTERS = """
.global .align 4 .u32 v[2] = {7, 9};
.global .align 16 .u64 pointers[2] = {v, generic(v)+4};
"""
FOLLOWED = """
    ld.global.v2.u64 {%d1, %d2}, [pointers];
    ld.global.u32 %r1, [%d1];
    ld.u32 %r2, [%d2];
    mad.lo.u32 %r1, %r1, 10, %r2;
    st.global.u32 [%g0], %r1;"""


@pytest.mark.device
def test_variables_hold_the_addresses_of_others() -> None:
    (found,) = run(FOLLOWED, [], [words(WARP)], top=POINTERS)
    assert (found == 79).all()


def test_vectors_of_variables_are_aligned() -> None:
    body = FOLLOWED.replace("[pointers]", "[pointers+8]")
    with pytest.raises(AccessError, match="pointers, which is not a multiple of 16"):
        run(body, [], [words(WARP)], top=POINTERS)


ATOMICS = {
    "add.u32": lambda old, x: (old + x) % (1 << 32),
    "min.u32": min,
    "max.u32": max,
    "and.b32": lambda old, x: old & x,
    "or.b32": lambda old, x: old | x,
    "xor.b32": lambda old, x: old ^ x,
    "exch.b32": lambda old, x: x,
    "inc.u32": lambda old, x: 0 if old >= x else old + 1,
    "dec.u32": lambda old, x: x if old == 0 or old > x else old - 1,
}


@covers("atom{.sem}{.scope}{.space}.op.type", "red{.sem}{.scope}{.space}.op.type")
@pytest.mark.parametrize("what", ATOMICS)
@pytest.mark.parametrize("space", ["global", "shared"])
def test_atomics_take_threads_one_after_another(what: str, space: str) -> None:
    """Threads 0 to 2 of each group of four meet at a word; then comes thread 3."""
    x = numbers(WARP) >> np.uint32(28)
    last = f"atom.{space}.{what} %r9," if what.startswith("exch") else f"red.{space}.{what}"
    body = f"""
    {"mov.u64 %d1, tile" if space == "shared" else "mov.u64 %d1, %a2"};
    shr.u64 %d2, %i, 2;
    mad.lo.u64 %d3, %d2, 4, %d1;
    and.b32 %r2, %t, 3;
    setp.eq.u32 %p1, %r2, 0;
    setp.eq.u32 %p2, %r2, 3;
    mov.u32 %r3, 5;
    @%p1 st.{space}.u32 [%d3], %r3;
    bar.sync 0;
    ld.global.u32 %r1, [%g0];
    @!%p2 atom.{space}.{what} %r4, [%d3], %r1;
    @%p2 {last} [%d3], %r1;
    @%p2 ld.{space}.u32 %r4, [%d3];
    st.global.u32 [%g1], %r4;"""
    top = ".shared .align 4 .b8 tile[32];"
    outputs = [words(WARP), words(8)] if space == "global" else [words(WARP)]
    before, *_ = run(body, [x], outputs, top=top)
    for group in range(0, WARP, 4):
        value, wanted = 5, []
        for each in x[group : group + 4].tolist():
            wanted.append(value)
            value = ATOMICS[what](value, each)
        assert before[group : group + 4].tolist() == [*wanted[:3], value]


def test_compare_and_swap() -> None:
    x = np.zeros(1, np.uint32)
    body = """
    add.u32 %r1, %t, 1;
    atom.global.cas.b32 %r2, [%a0], %t, %r1;
    st.global.u32 [%g1], %r2;"""
    (found,) = run(body, [x], [words(WARP)])
    assert found.tolist() == list(range(WARP))


@covers("atom{.sem}{.scope}{.space}.op.noftz.type", "red{.sem}{.scope}{.space}.op.noftz.type")
@pytest.mark.parametrize(
    ("type", "dtype"),
    [
        ("f32", np.float32),
        ("f64", np.float64),
        ("noftz.f16", np.float16),
        ("noftz.bf16", ml_dtypes.bfloat16),
        ("noftz.f16x2", np.float16),
        ("noftz.bf16x2", ml_dtypes.bfloat16),
    ],
)
def test_sums_of_floats_round_one_after_another(type: str, dtype) -> None:
    x = (np.random.default_rng(0).standard_normal(2 * WARP) * 10).astype(dtype)
    wide = 2 if "x2" in type else 1
    x = x[: WARP * wide]
    size = x.itemsize * wide
    register = {2: "%h1", 4: "%r1", 8: "%d1"}[size]
    body = f"""
    mad.lo.u64 %d5, %i, {size}, %a0;
    ld.global.b{8 * size} {register}, [%d5];
    red.global.add.{type} [%a1], {register};
    atom.global.add.{type} {register.replace("1", "2")}, [%a2], {register};"""
    start = np.zeros(wide, dtype)
    wanted = start.reshape(wide)
    for row in x.reshape(-1, wide):
        wanted = (wanted + row).astype(dtype)
    body = f"""
    setp.ne.u32 %p1, %t, 0;
    mov.b64 %d6, 0;
    cvt.u32.u64 %r6, %d6;
    cvt.u16.u64 %h6, %d6;
    @!%p1 st.global.b{8 * size} [%a1], {register.replace("1", "6")};
    @!%p1 st.global.b{8 * size} [%a2], {register.replace("1", "6")};
    bar.sync 0;{body}"""
    one, two = run(body, [x], [start, start])
    assert (one == wanted).all()
    assert (two == wanted).all()


@pytest.mark.device
def test_global_sums_of_f32_lose_what_is_subnormal() -> None:
    x = np.array([1e-40], np.float32)
    body = "red.global.add.f32 [%a0], 0f000116C2;\nred.shared.add.f32 [tile], 0f000116C2;"
    body = (
        f"st.shared.b32 [tile], 0;\n{body}\nld.shared.b32 %r1, [tile];\nst.global.b32 [%g1], %r1;"
    )
    body += "\nld.global.b32 %r2, [%a0];\nst.global.b32 [%a1+4], %r2;"
    top = ".shared .align 4 .b8 tile[4];"
    (found,) = run(body, [x], [np.zeros(2, np.float32)], top=top, threads=1)
    assert found.view(np.uint32).tolist() == [0x116C2, 0]


REFUSED = {
    "st.global.u32 [%g0+4], %t;": "thread (31, 0, 0) of block (0, 0, 0) uses 4 bytes at byte 128 "
    "of y0, which is outside: it has 128 bytes",
    "st.global.u32 [%g0-4], %t;": "thread (0, 0, 0) of block (0, 0, 0) uses 4 bytes at byte -4 of",
    "st.global.u16 [%g0+1], %t;": "uses 2 bytes at byte 1 of y0, which is not a multiple of 2",
    "st.global.v2.u32 [%g0], {%t, %t};": "thread (1, 0, 0) of block (0, 0, 0) uses 8 bytes at byte",
    "ld.global.u32 %r1, [%g0];": "of y0, of which byte 0 was never written",
    "st.shared.u32 [tile+128], %t;": "uses 4 bytes at byte 128 of tile, which is outside",
    "st.shared.u32 [tile+1], %t;": "bytes at byte 1 of tile, which is not a multiple of 4",
    "ld.shared.u32 %r1, [tile];": "bytes at byte 0 of tile, of which byte 0 was never written",
    "st.local.u32 [own+8], %t;": "bytes at byte 8 of own, which is outside: it has 8 bytes",
    "ld.local.u32 %r1, [own];": "of which byte 0 was never written",
    "ld.param.u32 %r1, [p0+8];": "the parameters of k, which is outside: it has 8 bytes",
    "st.const.u32 [c], %t;": "of c, which is constant",
    "st.global.u32 [16], %t;": "uses the address 0x10, where there is no global memory",
    "mov.u64 %d1, 0;\nst.u32 [%d1], %t;": "uses the address 0x0, where there is no memory",
    "st.global.u32 [tile], %t;": "where there is no global memory",
    "cvta.shared.u64 %d1, %i;\nst.global.u32 [%d1], 7;": "where there is no global memory",
}


@pytest.mark.parametrize("body", REFUSED)
def test_accesses_that_are_refused(body: str) -> None:
    top = ".shared .align 16 .b8 tile[128];\n.const .align 4 .u32 c = 1;"
    with pytest.raises(AccessError) as error:
        run(f".local .align 4 .b8 own[8];\n{body}", [], [words(WARP)], top=top)
    assert REFUSED[body] in str(error.value)
    assert str(error.value).startswith("line ")


@pytest.mark.device
@covers("prefetch{.space}.level", "nanosleep.u32", "griddepcontrol.what")
def test_hints_do_nothing() -> None:
    body = """
    prefetch.global.L2 [%a0];
    nanosleep.u32 10;
    griddepcontrol.wait;
    st.global.u32 [%g0], %t;"""
    (found,) = run(body, [], [words(WARP)])
    assert found.tolist() == list(range(WARP))
