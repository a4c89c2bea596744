"""Races are found, whatever order the threads ran in, and what is in order is not taken for one."""

import numpy as np
import pytest

from emulator.block import Order
from emulator.errors import RaceError
from small_kernels import covers, run, words

TILE = ".shared .align 16 .b8 tile[1024];"
MIRRORED = """
    mov.u64 %d1, tile;
    mad.lo.u64 %d2, %i, 4, %d1;
    st.shared.u32 [%d2], %t;
    {between}
    xor.b32 %r1, %t, {with_};
    mul.wide.u32 %d3, %r1, 4;
    add.u64 %d3, %d3, %d1;
    ld.shared.u32 %r2, [%d3];
    st.global.u32 [%g0], %r2;"""
"""Each thread reads what another one wrote."""


@pytest.mark.parametrize("order", Order)
def test_a_missing_barrier(order: Order) -> None:
    body = MIRRORED.format(between="", with_=63)
    written = body.replace("st.shared", "st.shared.u32 [%d2], 0;\nbar.sync 0;\nst.shared")
    with pytest.raises(RaceError) as error:
        run(written, [], [words(64)], threads=64, top=TILE, order=order)
    said = str(error.value)
    assert "`ld.shared.u32 %r2, [%d3]`: thread (" in said or "`st.shared.u32 [%d2], %t`" in said
    assert "of tile, and thread (" in said
    assert "with no barrier between the two" in said


@covers("bar{.cta}.sync")
@pytest.mark.parametrize("order", Order)
def test_a_barrier_orders(order: Order) -> None:
    body = MIRRORED.format(between="bar.sync 0;", with_=63)
    (found,) = run(body, [], [words(64)], threads=64, top=TILE, order=order)
    assert found.tolist() == list(reversed(range(64)))


def test_a_barrier_of_the_warp_orders_its_lanes_and_no_others() -> None:
    body = MIRRORED.format(between="bar.warp.sync -1;", with_=31)
    (found,) = run(body, [], [words(64)], threads=64, top=TILE)
    assert found.tolist() == [each ^ 31 for each in range(64)]
    with pytest.raises(RaceError):
        run(body.replace("31", "63"), [], [words(64)], threads=64, top=TILE)


def test_a_barrier_of_the_warp_orders_nothing_behind_it() -> None:
    between = "bar.warp.sync -1;\nst.shared.u32 [%d2], 7;"
    first = "mov.u64 %d1, tile;\nmad.lo.u64 %d2, %i, 4, %d1;\nst.shared.u32 [%d2], 0;\n"
    with pytest.raises(RaceError):
        run(
            first + MIRRORED.format(between=between, with_=31),
            [],
            [words(64)],
            threads=64,
            top=TILE,
        )


def test_a_shuffle_orders_no_memory() -> None:
    body = MIRRORED.format(between="shfl.sync.idx.b32 %r9, %t, 0, 31, -1;", with_=31)
    with pytest.raises(RaceError):
        run(body, [], [words(64)], threads=64, top=TILE)


def test_a_write_after_a_read() -> None:
    """The second round overwrites what the neighbour may still have to read."""
    body = MIRRORED.format(between="bar.sync 0;", with_=1) + "\nst.shared.u32 [%d2], 0;"
    with pytest.raises(RaceError, match="reads it in"):
        run(body, [], [words(64)], threads=64, top=TILE)


@pytest.mark.parametrize("space", ["shared", "global"])
def test_two_writes_of_one_word(space: str) -> None:
    place = "tile" if space == "shared" else "%a0"
    with pytest.raises(RaceError, match=r"writes byte 0 of (tile|y0), and thread \(1, 0, 0\)"):
        run(f"st.{space}.u32 [{place}], 7;", [], [words(32)], top=TILE)


def test_bytes_of_one_word_are_not_one_byte() -> None:
    body = """
    mov.u64 %d1, tile;
    add.u64 %d1, %d1, %i;
    st.shared.u8 [%d1], %t;
    bar.sync 0;
    mov.u64 %d2, tile;
    mad.lo.u64 %d2, %i, 4, %d2;
    setp.lt.u32 %p1, %t, 8;
    mov.u32 %r1, 0;
    @%p1 ld.shared.u32 %r1, [%d2];
    st.global.u32 [%g0], %r1;"""
    (found,) = run(body, [], [words(32)], top=TILE)
    assert (found[:8].view(np.uint8) == np.arange(32)).all()


def test_atomics_race_with_plain_accesses_only() -> None:
    reset = "setp.eq.u32 %p1, %t, 0;\n@%p1 st.shared.u32 [tile], 0;\n{between}\n"
    body = reset + "red.shared.add.u32 [tile], 1;\n{after}\nld.shared.u32 %r1, [tile];"
    body += "\nst.global.u32 [%g0], %r1;"
    good = body.format(between="bar.sync 0;", after="bar.sync 0;")
    (found,) = run(good, [], [words(64)], threads=64, top=TILE)
    assert (found == 64).all()
    for between, after in (("", "bar.sync 0;"), ("bar.sync 0;", "")):
        with pytest.raises(RaceError):
            run(body.format(between=between, after=after), [], [words(64)], threads=64, top=TILE)


HANDOVER = """
    mov.u64 %d1, tile;
    setp.lt.u32 %p1, %t, 32;
    and.b32 %r5, %t, 31;
    mul.wide.u32 %d2, %r5, 4;
    add.u64 %d2, %d2, %d1;
    @%p1 bra producer;
    bar.sync 1, 64;
    ld.shared.u32 %r1, [%d2];
    {release}
    st.global.u32 [%g0], %r1;
    bra out;
producer:
    st.shared.u32 [%d2], %t;
    bar.arrive 1, 64;
    {acquire}
    st.shared.u32 [%d2], 9;
    st.global.u32 [%g0], %t;
out:"""
"""The first warp writes, the second reads, and the first writes again."""


@covers("bar{.cta}.arrive", "barrier{.cta}.arrive{.aligned}")
@pytest.mark.parametrize("order", Order)
def test_barriers_of_some_threads_order_those(order: Order) -> None:
    body = HANDOVER.format(release="barrier.cta.arrive 2, 64;", acquire="bar.sync 2, 64;")
    (found,) = run(body, [], [words(64)], threads=64, top=TILE, order=order)
    assert found.tolist() == [*range(32), *range(32)]
    with pytest.raises(RaceError, match=r"`st.shared.u32 \[%d2\], 9`"):
        run(HANDOVER.format(release="", acquire=""), [], [words(64)], threads=64, top=TILE)


def test_who_arrives_and_does_not_wait_is_before_nobody() -> None:
    """The second warp may still read when the first writes again."""
    body = """
    setp.lt.u32 %p1, %t, 32;
    and.b32 %r5, %t, 31;
    mul.wide.u32 %d2, %r5, 4;
    mov.u64 %d1, tile;
    add.u64 %d2, %d2, %d1;
    @%p1 st.shared.u32 [%d2], 1;
    bar.sync 0;
    @%p1 bra producer;
    ld.shared.u32 %r1, [%d2];
    bar.sync 1, 64;
    bra out;
producer:
    bar.arrive 1, 64;
    st.shared.u32 [%d2], 9;
out:"""
    with pytest.raises(RaceError, match=r"`ld\.shared\.u32 %r1"):
        run(body, threads=64, top=TILE)


BLOCK = "mov.u32 %r8, %ctaid.x;\nmov.u32 %r9, %nctaid.x;\n"


def test_blocks_that_write_one_word() -> None:
    body = "setp.eq.u32 %p1, %t, 0;\n@%p1 st.global.u32 [%a0], %t;"
    with pytest.raises(RaceError) as error:
        run(body, [], [words(1)], blocks=2)
    assert "of block (1, 0, 0) writes byte 0 of y0, and block (0, 0, 0) writes it" in str(
        error.value
    )


def test_a_block_that_reads_what_an_earlier_one_wrote() -> None:
    body = (
        BLOCK
        + """
    setp.eq.u32 %p1, %r8, 0;
    @%p1 st.global.u32 [%g0], %t;
    @!%p1 ld.global.u32 %r1, [%g0];"""
    )
    with pytest.raises(RaceError, match=r"block \(0, 0, 0\) writes it in line"):
        run(body, [], [words(32)], blocks=2)


def test_a_block_that_writes_what_earlier_ones_read() -> None:
    body = (
        BLOCK
        + """
    setp.eq.u32 %p1, %r8, 2;
    @!%p1 ld.global.u32 %r1, [%g0];
    @%p1 st.global.u32 [%g0], %t;"""
    )
    with pytest.raises(RaceError, match="others read it"):
        run(body, [words(32)], [], blocks=3)


LAST = (
    BLOCK
    + """
    mul.wide.u32 %d2, %r8, 4;
    add.u64 %d2, %d2, %a1;
    setp.eq.u32 %p1, %t, 0;
    @!%p1 exit;
    st.global.u32 [%d2], %r8;
    {fence}
    atom.global.add.u32 %r1, [%a0], 1;
    {fence}
    sub.u32 %r9, %r9, 1;
    setp.ne.u32 %p2, %r1, %r9;
    @%p2 exit;
    ld.global.v4.u32 {{%r2, %r3, %r4, %r5}}, [%a1];
    add.u32 %r2, %r2, %r3;
    add.u32 %r2, %r2, %r4;
    add.u32 %r2, %r2, %r5;
    st.global.u32 [%a2], %r2;"""
)
"""Each block leaves a number; the one that comes last adds them up."""


@covers("membar.level", "fence{.sem}.scope", "exit")
@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("fence", ["membar.gl;", "fence.acq_rel.gpu;"])
def test_a_fence_and_an_atomic_operation_order_blocks(fence: str, order: Order) -> None:
    arrays = [words(1)], [words(4), words(1)]
    _, total = run(LAST.format(fence=fence), *arrays, blocks=4, order=order)
    assert total[0] == 6
    for none in ("", "membar.cta;"):
        with pytest.raises(RaceError, match="in one launch"):
            run(LAST.format(fence=none), *arrays, blocks=4, order=order)


STEPS = (
    BLOCK
    + """
    setp.ne.u32 %p1, %t, 0;
    @%p1 exit;
    setp.eq.u32 %p1, %r8, 0;
    setp.eq.u32 %p2, %r8, 1;
    setp.eq.u32 %p3, %r8, 2;
"""
)
"""One thread of each block; what the first three blocks do has a predicate."""
FENCED = "{0} membar.gl;\n{0} atom.global.add.u32 %r1, [%a1+{1}], 1;\n{0} membar.gl;\n"
UNORDERED = {
    "an atomic operation and a plain read": (
        "@%p1 red.global.add.u32 [%a0], 1;\n@%p2 ld.global.u32 %r1, [%a0];"
    ),
    "a fence of an earlier block": "@%p2 st.global.u32 [%a0], 1;\n@%p1 membar.gl;\n"
    "atom.global.add.u32 %r1, [%a1], 1;\nmembar.gl;\n@%p3 ld.global.u32 %r2, [%a0];",
    "what an earlier block has seen": "@%p1 st.global.u32 [%a0], 1;\n"
    + FENCED.format("@%p1", 0)
    + FENCED.format("@%p2", 0)
    + "@%p3 ld.global.u32 %r1, [%a0];",
    "one of two who read": "@!%p3 ld.global.u32 %r1, [%a0];\n"
    + FENCED.format("@%p2", 0)
    + FENCED.format("@%p3", 0)
    + "@%p3 st.global.u32 [%a0], 1;",
}


@pytest.mark.parametrize("what", UNORDERED)
def test_blocks_that_nothing_orders(what: str) -> None:
    with pytest.raises(RaceError, match="in one launch"):
        run(STEPS + UNORDERED[what], [words(2), words(2)], blocks=3)


def test_what_a_block_has_seen_is_before_what_it_says() -> None:
    """The first block tells the second one, which tells the third at another place."""
    body = STEPS + "@%p1 st.global.u32 [%a0], 1;\n" + FENCED.format("@%p1", 0)
    body += FENCED.format("@%p2", 0) + FENCED.format("@%p2", 4) + FENCED.format("@%p3", 4)
    run(body + "@%p3 ld.global.u32 %r2, [%a0];", [words(2), words(2)], blocks=3)


def test_what_is_read_past_the_caches_must_not_be_written() -> None:
    body = "ld.global.nc.u32 %r1, [%g0];\nbar.sync 0;\nst.global.u32 [%g0], %r1;"
    with pytest.raises(RaceError, match="in one launch"):
        run(body, [words(32)])
