"""Barriers, and threads that wait there for others that never come."""

import pytest

from emulator.block import Order
from emulator.errors import DeadlockError, EmulationError
from small_kernels import covers, run, words

FIRST_WARP = "setp.lt.u32 %p1, %t, 32;\n"


def test_threads_that_have_left() -> None:
    body = FIRST_WARP + "@%p1 exit;\nbar.sync 0;"
    with pytest.raises(DeadlockError) as error:
        run(body, threads=64)
    assert str(error.value).startswith("line ")
    assert str(error.value).endswith(
        "`bar.sync 0`: thread (32, 0, 0) of block (0, 0, 0) waits for 64 threads, of which 32 do "
        "not come: thread (0, 0, 0) has left"
    )


def test_threads_that_wait_elsewhere() -> None:
    body = FIRST_WARP + "@%p1 bra one;\nbar.sync 1;\nbra out;\none: bar.sync 2;\nout:"
    with pytest.raises(DeadlockError, match=r"thread \(0, 0, 0\) waits in line .*bar\.sync 2`"):
        run(body, threads=64)


@pytest.mark.parametrize("order", Order)
def test_a_barrier_that_only_some_lanes_of_a_warp_reach(order: Order) -> None:
    body = "setp.lt.u32 %p1, %t, 16;\n@%p1 bra one;\nbar.sync 0;\nbra out;\none:\nbar.sync 0;\nout:"
    with pytest.raises(DeadlockError) as error:
        run(body, order=order)
    assert "`bar.sync 0`: divergent barrier: thread (" in str(error.value)
    assert "waits for the other lanes of its warp" in str(error.value)


@covers("barrier{.cta}.sync", "barrier{.cta}.sync.aligned")
def test_barriers_that_need_no_whole_warp() -> None:
    body = "setp.lt.u32 %p1, %t, 16;\n@%p1 bra one;\nbarrier.sync 0;\nbra out;\none:\n"
    run(body + "barrier.sync 0;\nout:")
    with pytest.raises(DeadlockError, match="divergent barrier"):
        run((body + "barrier.sync 0;\nout:").replace("sync", "sync.aligned"))


@pytest.mark.device
def test_warps_meet_at_different_lines() -> None:
    body = FIRST_WARP + "@%p1 bra one;\nbar.sync 0;\nbra out;\none:\nbar.sync 0;\nout:"
    run(body, threads=64)


@pytest.mark.device
def test_barriers_open_for_each_group_of_threads() -> None:
    """Two pairs of warps meet at one barrier, one after the other or each for itself."""
    body = """
    shr.u32 %r1, %t, 6;
    add.u32 %r1, %r1, 1;
    bar.sync %r1, 64;
    st.global.u32 [%g0], %r1;"""
    (found,) = run(body, [], [words(128)], threads=128)
    assert found.tolist() == [1] * 64 + [2] * 64


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("bar.sync 16;", "not barrier 16 of 64 threads"),
        ("bar.sync 0, 33;", "not barrier 0 of 33 threads"),
        (FIRST_WARP + "@%p1 bar.sync 0, 64;\n@!%p1 bar.sync 0, 32;", "waits for"),
        ("bar.arrive 0, 64;\n" + FIRST_WARP + "@%p1 bar.arrive 0, 64;\n@%p1 bar.arrive 0, 64;",
         "comes to barrier 0 again before it opened"),
    ],
)  # fmt: skip
def test_barriers_used_wrongly(body: str, said: str) -> None:
    with pytest.raises(DeadlockError, match=said):
        run(body, threads=64)


@pytest.mark.device
@covers("bar{.cta}.red.join.u32", "bar{.cta}.red.join.pred")
def test_barriers_that_count() -> None:
    body = """
    setp.lt.u32 %p1, %t, 5;
    bar.red.popc.u32 %r1, 0, %p1;
    bar.red.and.pred %p2, 0, 64, %p1;
    bar.red.or.pred %p3, 0, %p1;
    selp.u32 %r2, 100, 0, %p2;
    selp.u32 %r3, 1000, 0, %p3;
    add.u32 %r1, %r1, %r2;
    add.u32 %r1, %r1, %r3;
    st.global.u32 [%g0], %r1;"""
    (found,) = run(body, [], [words(64)], threads=64)
    assert (found == 1005).all()


def test_a_loop_without_end() -> None:
    with pytest.raises(EmulationError, match=r"block \(0, 0, 0\) comes to no end"):
        run("again:\nbra again;")


@covers("trap")
def test_a_trap() -> None:
    with pytest.raises(EmulationError, match=r"thread \(3, 0, 0\) of block .* comes to a trap"):
        run("setp.eq.u32 %p1, %t, 3;\n@%p1 trap;")
