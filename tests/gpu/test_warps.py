"""What the lanes of a warp do together, against loops over them."""

from collections.abc import Sequence

import numpy as np
import pytest

from emulator.errors import DeadlockError
from small_kernels import covers, numbers, run, words

WARP = 32


def manual_shuffle(
    mode: str, values: Sequence[int], by: int, clamp: int
) -> tuple[list[int], list[int]]:
    """The loop in the manual."""
    found, inside = [], []
    for lane in range(WARP):
        bval, cval, segmask = by & 31, clamp & 31, clamp >> 8 & 31
        most = lane & segmask | cval & ~segmask
        least = lane & segmask
        if mode == "up":
            j, ok = lane - bval, lane - bval >= most
        elif mode == "down":
            j, ok = lane + bval, lane + bval <= most
        elif mode == "bfly":
            j, ok = lane ^ bval, lane ^ bval <= most
        else:
            j = least | bval & ~segmask
            ok = j <= most
        found.append(values[j if ok else lane])
        inside.append(int(ok))
    return found, inside


@pytest.mark.device
@covers("shfl.sync.mode.b32")
@pytest.mark.parametrize("mode", ["up", "down", "bfly", "idx"])
@pytest.mark.parametrize("width", [32, 16, 4])
@pytest.mark.parametrize("by", [0, 1, 3, 16, 31])
def test_shuffles(mode: str, width: int, by: int) -> None:
    clamp = (WARP - width) << 8 | (0 if mode == "up" else 31)
    x = numbers(2 * WARP)
    body = f"""
    ld.global.u32 %r1, [%g0];
    shfl.sync.{mode}.b32 %r2|%p1, %r1, {by}, {clamp}, -1;
    selp.u32 %r3, 1, 0, %p1;
    st.global.u32 [%g1], %r2;
    st.global.u32 [%g2], %r3;"""
    values, inside = run(body, [x], [x, x], threads=2 * WARP)
    for warp in range(2):
        part = slice(WARP * warp, WARP * warp + WARP)
        wanted = manual_shuffle(mode, x[part].tolist(), by, clamp)
        assert (values[part].tolist(), inside[part].tolist()) == wanted


@pytest.mark.device
@covers("vote.sync.mode.pred", "vote.sync.mode.b32")
@pytest.mark.parametrize("bits", [0, 0xFFFFFFFF, 0x80000001, 0x0000FFFF])
def test_votes(bits: int) -> None:
    body = f"""
    shr.b32 %r1, {bits}, %t;
    and.b32 %r1, %r1, 1;
    setp.ne.u32 %p1, %r1, 0;
    vote.sync.ballot.b32 %r2, %p1, -1;
    vote.sync.all.pred %p2, %p1, -1;
    vote.sync.any.pred %p3, %p1, -1;
    vote.sync.uni.pred %p4, %p1, -1;
    selp.u32 %r3, 1, 0, %p2;
    selp.u32 %r4, 2, 0, %p3;
    selp.u32 %r5, 4, 0, %p4;
    or.b32 %r3, %r3, %r4;
    or.b32 %r3, %r3, %r5;
    st.global.u32 [%g0], %r2;
    st.global.u32 [%g1], %r3;"""
    ballot, flags = run(body, [], [words(WARP)] * 2)
    uniform = bits in (0, 0xFFFFFFFF)
    wanted = (bits == 0xFFFFFFFF) * 1 + (bits != 0) * 2 + uniform * 4
    assert (ballot == bits).all()
    assert (flags == wanted).all()


@pytest.mark.device
@covers("match.any.sync.type", "match.all.sync.type")
def test_matches() -> None:
    x = np.array([each // 3 % 5 for each in range(WARP)] + [7] * WARP, np.uint32)
    body = """
    ld.global.u32 %r1, [%g0];
    match.any.sync.b32 %r2, %r1, -1;
    match.all.sync.b32 %r3|%p1, %r1, -1;
    selp.u32 %r4, 1, 0, %p1;
    cvt.u64.u32 %d1, %r1;
    match.any.sync.b64 %r5, %d1, -1;
    sub.u32 %r5, %r5, %r2;
    add.u32 %r4, %r4, %r5;
    st.global.u32 [%g1], %r2;
    st.global.u32 [%g2], %r3;
    st.global.u32 [%g3], %r4;"""
    same, members, flags = run(body, [x], [x] * 3, threads=2 * WARP)
    for warp in (x[:WARP], x[WARP:]):
        for lane, value in enumerate(warp):
            wanted = sum(1 << each for each in range(WARP) if warp[each] == value)
            assert same[lane + (WARP if warp is not x[:WARP] and warp[0] == 7 else 0)] == wanted
    assert members.tolist() == [0] * WARP + [0xFFFFFFFF] * WARP
    assert flags.tolist() == [0] * WARP + [1] * WARP


@pytest.mark.device
@covers("redux.sync.op.type")
@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("add.u32", lambda x: sum(x) % (1 << 32)),
        ("min.u32", min),
        ("max.u32", max),
        ("add.s32", lambda x: sum(x) % (1 << 32)),
        ("min.s32", lambda x: min(x, key=lambda each: each - (each >> 31 << 32))),
        ("max.s32", lambda x: max(x, key=lambda each: each - (each >> 31 << 32))),
        ("and.b32", lambda x: np.bitwise_and.reduce(x)),
        ("or.b32", lambda x: np.bitwise_or.reduce(x)),
        ("xor.b32", lambda x: np.bitwise_xor.reduce(x)),
    ],
)
def test_reductions(what, wanted) -> None:
    x = numbers(2 * WARP)
    body = f"""
    ld.global.u32 %r1, [%g0];
    redux.sync.{what} %r2, %r1, -1;
    st.global.u32 [%g1], %r2;"""
    (found,) = run(body, [x], [x], threads=2 * WARP)
    for part in (slice(0, WARP), slice(WARP, 2 * WARP)):
        assert (found[part] == wanted(x[part].tolist())).all()


@covers("activemask.b32", "bra{.uni}", "elect.sync")
def test_lanes_that_went_apart_are_active_alone() -> None:
    body = """
    and.b32 %r1, %t, 1;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra odd;
    activemask.b32 %r2;
    bra.uni out;
odd:
    activemask.b32 %r2;
    elect.sync _|%p2, 0xAAAAAAAA;
    @%p2 add.u32 %r2, %r2, 1;
out:
    st.global.u32 [%g0], %r2;"""
    (found,) = run(body, [], [words(WARP)])
    assert found.tolist() == [0x55555555, 0xAAAAAAAB] + [0x55555555, 0xAAAAAAAA] * 15


@pytest.mark.device
def test_halves_of_a_warp_shuffle_for_themselves() -> None:
    body = """
    setp.lt.u32 %p1, %t, 16;
    selp.b32 %r1, 0xFFFF, 0xFFFF0000, %p1;
    redux.sync.add.u32 %r2, %t, %r1;
    st.global.u32 [%g0], %r2;"""
    (found,) = run(body, [], [words(WARP)])
    assert found.tolist() == [sum(range(16))] * 16 + [sum(range(16, 32))] * 16


@pytest.mark.device
def test_lanes_meet_again_after_a_loop_of_their_own() -> None:
    """Each goes round as often as its number says; then all shuffle."""
    body = """
    mov.u32 %r1, 0;
again:
    setp.ge.u32 %p1, %r1, %t;
    @%p1 bra done;
    add.u32 %r1, %r1, 1;
    bra again;
done:
    shfl.sync.bfly.b32 %r2, %r1, 31, 31, -1;
    st.global.u32 [%g0], %r2;"""
    (found,) = run(body, [], [words(WARP)])
    assert found.tolist() == list(reversed(range(WARP)))


@covers("bar.warp.sync")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "setp.eq.u32 %p1, %t, 3;\n@%p1 exit;\nshfl.sync.idx.b32 %r1, %t, 0, 31, -1;",
            "thread (0, 0, 0) of block (0, 0, 0) waits for thread (3, 0, 0), which has left",
        ),
        (
            "setp.eq.u32 %p1, %t, 3;\n@%p1 bra over;\nshfl.sync.idx.b32 %r1, %t, 0, 31, -1;\n"
            "over:\nbar.warp.sync -1;",
            "waits for the other lanes of its warp, and thread (3, 0, 0) waits in line",
        ),
        ("bar.warp.sync 1;", "thread (1, 0, 0) of block (0, 0, 0) is not in its own mask 0x1"),
        (
            "setp.lt.u32 %p1, %t, 16;\nselp.b32 %r1, 0xFFFF, -1, %p1;\nbar.warp.sync %r1;",
            "in which other lanes have another mask",
        ),
        (
            "setp.lt.u32 %p1, %t, 16;\nselp.b32 %r1, 0xFFFF, 0xFFFF0000, %p1;\n"
            "shfl.sync.bfly.b32 %r2, %t, 16, 31, %r1;",
            "takes a value from lane 16, which does not take part",
        ),
    ],
)
def test_lanes_that_are_not_there(body: str, said: str) -> None:
    with pytest.raises(DeadlockError) as error:
        run(body)
    assert said in str(error.value)
    assert str(error.value).startswith("line ")


def test_a_warp_that_is_not_whole() -> None:
    with pytest.raises(DeadlockError, match="waits for lane 16 of its warp, which does not exist"):
        run("shfl.sync.idx.b32 %r1, %t, 0, 31, -1;", threads=16)
