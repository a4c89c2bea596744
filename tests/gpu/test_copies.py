"""Asynchronous copies arrive when they are waited for; who looks before that is told."""

import numpy as np
import pytest

from emulator.errors import AccessError, ParseError, RaceError
from small_kernels import covers, numbers, run, words

TILE = ".shared .align 16 .b8 tile[2048];"
COPY = """
    mov.u64 %d1, tile;
    mad.lo.u64 %d2, %i, 16, %d1;
    mad.lo.u64 %d3, %i, 16, %a0;
    cp.async.cg.shared.global [%d2], [%d3], 16{size};
    {commit}
    {wait}
    {barrier}
    xor.b32 %r1, %t, {with_};
    mul.wide.u32 %d4, %r1, 16;
    add.u64 %d4, %d4, %d1;
    ld.shared.v4.u32 {{%r2, %r3, %r4, %r5}}, [%d4];
    mad.lo.u64 %d5, %i, 16, %a1;
    st.global.v4.u32 [%d5], {{%r2, %r3, %r4, %r5}};"""
GOOD = {
    "size": "",
    "commit": "cp.async.commit_group;",
    "wait": "cp.async.wait_group 0;",
    "barrier": "bar.sync 0;",
    "with_": 63,
}


@pytest.mark.device
@covers("cp.async.cache.to.global{.hint}{.ahead}", "cp.async.commit_group")
@covers("cp.async.wait_group")
@pytest.mark.parametrize("late", [True, False])
def test_what_was_waited_for_is_there(late: bool) -> None:
    x = numbers(256)
    (found,) = run(COPY.format(**GOOD), [x], [x], threads=64, top=TILE, late=late)
    assert (found.reshape(64, 4) == x.reshape(64, 4)[::-1]).all()


@pytest.mark.device
@covers("cp.async.wait_all")
def test_copies_in_no_group_are_waited_for_by_all() -> None:
    x = numbers(256)
    changes = {**GOOD, "commit": "", "wait": "cp.async.wait_all;"}
    (found,) = run(COPY.format(**changes), [x], [x], threads=64, top=TILE)
    assert (found.reshape(64, 4) == x.reshape(64, 4)[::-1]).all()


def test_copies_in_no_group_are_waited_for_by_no_other() -> None:
    x = numbers(256)
    with pytest.raises(AccessError, match="to which a copy is still under way"):
        run(COPY.format(**{**GOOD, "commit": ""}), [x], [x], threads=64, top=TILE)


@pytest.mark.parametrize("wait", ["", "cp.async.wait_group 1;"])
def test_a_wait_that_is_missing_or_for_too_few(wait: str) -> None:
    body = COPY.format(**{**GOOD, "wait": wait})
    with pytest.raises(AccessError) as error:
        run(body, [numbers(256)], [words(256)], threads=64, top=TILE)
    assert "thread (0, 0, 0) of block (0, 0, 0) uses 16 bytes at byte 1008 of tile" in str(
        error.value
    )


def test_a_wait_without_a_barrier_is_for_oneself_alone() -> None:
    x = numbers(256)
    run(COPY.format(**{**GOOD, "barrier": "", "with_": 0}), [x], [x], threads=64, top=TILE)
    with pytest.raises(RaceError):
        run(COPY.format(**{**GOOD, "barrier": ""}), [x], [x], threads=64, top=TILE)


def test_a_copy_to_where_others_still_read() -> None:
    body = COPY.format(**GOOD) + "\ncp.async.cg.shared.global [%d2], [%d3], 16;"
    x = numbers(256)
    for ordered in ("", "\nbar.sync 0;"):
        with pytest.raises(RaceError, match="reads it in"):
            run(f"{body}{ordered}\ncp.async.wait_all;", [x], [x], threads=64, top=TILE)


def test_a_wait_is_for_the_copies_of_who_waits() -> None:
    half = "setp.lt.u32 %p1, %t, 32;\n@%p1 cp.async.wait_group 0;"
    with pytest.raises(AccessError, match="to which a copy is still under way"):
        run(
            COPY.format(**{**GOOD, "wait": half}),
            [numbers(256)],
            [words(256)],
            threads=64,
            top=TILE,
        )


def test_a_source_that_changes_while_it_is_copied() -> None:
    body = COPY.format(**{**GOOD, "wait": "{change}", "barrier": "bar.sync 0;", "with_": 0})
    change = "xor.b32 %r9, %t, 32;\nmad.wide.u32 %d9, %r9, 16, %a0;\nst.global.u32 [%d9], %t;\n"
    body = body.replace("{change}", change)
    body = body.replace("bar.sync 0;", "bar.sync 0;\ncp.async.wait_group 0;")
    with pytest.raises(RaceError, match=r"`st.global.u32 \[%d9\], %t`: .* of x0, .*`cp.async.cg"):
        run(body, [numbers(256)], [words(256)], threads=64, top=TILE)


@pytest.mark.device
@pytest.mark.parametrize("bytes", [0, 4, 8, 12, 16])
def test_what_is_not_read_is_zero(bytes: int) -> None:
    x = numbers(256)
    (found,) = run(COPY.format(**{**GOOD, "size": f", {bytes}"}), [x], [x], threads=64, top=TILE)
    wanted = x.reshape(64, 4)[::-1].copy()
    wanted[:, bytes // 4 :] = 0
    assert (found.reshape(64, 4) == wanted).all()


GROUPS = """
    mov.u64 %d1, tile;
    mad.lo.u64 %d2, %i, 4, %d1;
    mov.u64 %d3, %g0;
    {copies}
    cp.async.wait_group 1;
    ld.shared.u32 %r1, [%d2];
    ld.shared.u32 %r2, [%d2+{second}];
    add.u32 %r1, %r1, %r2;
    st.global.u32 [%g1], %r1;"""
THREE = "\n".join(
    f"cp.async.ca.shared.global [%d2+{256 * each}], [%d3+{256 * each}], 4;\ncp.async.commit_group;"
    for each in range(3)
)


@pytest.mark.device
def test_groups_are_waited_for_in_their_order() -> None:
    """Of three groups the oldest two have arrived."""
    x = numbers(192)
    body = GROUPS.format(copies=THREE, second=256)
    (found,) = run(body, [x], [words(64)], threads=64, top=TILE)
    assert (found == x[:64] + x[64:128]).all()


def test_a_group_that_may_be_under_way_must_not_be_looked_at() -> None:
    with pytest.raises(AccessError, match="a copy is still under way"):
        run(GROUPS.format(copies=THREE, second=512), [numbers(192)], [words(64)], top=TILE)


@pytest.mark.parametrize(
    ("copy", "kind", "said"),
    [
        ("cp.async.cg.shared.global [tile], [%a0], 8;", ParseError, "8 bytes cannot be copied so"),
        ("cp.async.cg.shared.global [tile], [%a0+8], 16, 8;", AccessError, "not a multiple of 16"),
        ("cp.async.cg.shared.global [tile+8], [%a0], 16;", AccessError, "not a multiple of 16"),
        ("cp.async.cg.shared.global [tile+2048], [%a0], 16;", AccessError, "which is outside"),
        (
            "cp.async.cg.shared.global [tile], [%a0+128], 16;\ncp.async.wait_all;",
            AccessError,
            "of x0, which is outside: it has 128 bytes",
        ),
    ],
)
def test_copies_that_are_refused(copy: str, kind: type[Exception], said: str) -> None:
    body = f"setp.eq.u32 %p1, %t, 0;\n@!%p1 exit;\n{copy}"
    with pytest.raises(kind, match=said):
        run(body, [np.arange(32, dtype=np.uint32)], top=TILE)
