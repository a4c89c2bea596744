"""Nests of the loop interpreter: index grids, reads and writes, and the errors of wrong ones."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loop_text import parse_kernel
from stepwell.compiler.interpret.loops import nests, run_kernel
from stepwell.runtime.errors import StepwellError

Array = NDArray[np.generic]


def kernel_error(text: str, arrays: Sequence[Array], **sizes: int) -> str:
    with pytest.raises(StepwellError) as caught:
        run_kernel(parse_kernel(text), arrays, sizes, count_writes=True)
    return str(caught.value)


CONVOLUTION = """
loop.kernel @convolution<N: 0, H: 1>(%x: !loop.buffer<[N, 2, H, 7] x f32>,
    %w: !loop.buffer<[4, 2, 3, 3] x f32>) -> (%y: !loop.buffer<[N, 4, H, 4] x f32>) {
  loop.nest [%n : N, %o : 4, %h : H, %v : 4] {
    %zero = arith.constant 0 : index
    %high = loop.index H
    %wide = arith.constant 7 : index
    %s = loop.fold fma <serial, 1024> [%c : 2, %i : 3, %j : 3] {
      %row = loop.index %h + %i + -1
      %column = loop.index (2) * %v + %j + -1
      %a = loop.compare ge %row, %zero : index
      %b = loop.compare lt %row, %high : index
      %d = loop.compare ge %column, %zero : index
      %e = loop.compare lt %column, %wide : index
      %ab = arith.andi %a, %b : i1
      %de = arith.andi %d, %e : i1
      %inside = arith.andi %ab, %de : i1
      %p = loop.read %x[%n, %c, %h + %i + -1, (2) * %v + %j + -1] where %inside : f32
      %q = loop.read %w[%o, %c, %i, %j] : f32
      loop.yield %p, %q : f32, f32
    } : f32
    loop.write %s, %y[%n, %o, %h, %v] : f32
  }
}"""


@pytest.mark.parametrize("room", [1 << 20, 1 << 8])
def test_convolution_reads_zeros_around_the_image(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nests, "ROOM", room)
    random = np.random.default_rng(0)
    x = random.integers(-9, 9, (2, 2, 5, 7)).astype(np.float32)
    w = random.integers(-9, 9, (4, 2, 3, 3)).astype(np.float32)
    y = np.empty((2, 4, 5, 4), np.float32)
    run_kernel(parse_kernel(CONVOLUTION), [x, w, y], {"N": 2, "H": 5}, count_writes=True)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))[:, :, :, ::2]
    assert y.tolist() == np.einsum("nchvij,ocij->nohv", windows, w).tolist()


@given(
    st.lists(st.integers(0, 6), min_size=3, max_size=3),
    st.integers(1, 60),
)
def test_slabs_are_the_grid(sizes: list[int], room: int) -> None:
    seen = np.zeros(sizes, np.int64)
    for slab in nests.slabs(tuple(sizes), room):
        part = tuple(slice(low, high) for low, high in slab)
        assert 0 < seen[part].size <= room
        seen[part] += 1
    assert (seen == 1).all()


def test_indices_and_sizes_are_values() -> None:
    kernel = parse_kernel("""
loop.kernel @grid<B: 0>() -> (%y: !loop.buffer<[B, 2*B] x i64>) {
  loop.nest [%i : B, %j : 2*B] {
    %at = loop.index (2*B) * %i + %j + -1
    %size = loop.index B
    %sum = arith.addi %at, %size : index
    %v = loop.cast index %sum : index to i64
    loop.write %v, %y[%i, %j] : i64
  }
}""")
    y = np.empty((3, 6), np.int64)
    run_kernel(kernel, [y], {"B": 3}, count_writes=True)
    assert y.tolist() == (np.arange(18).reshape(3, 6) - 1 + 3).tolist()


def test_a_read_may_follow_a_read() -> None:
    kernel = parse_kernel("""
loop.kernel @gather<N: 0>(%x: !loop.buffer<[5] x f32>, %i: !loop.buffer<[N] x i32>)
    -> (%y: !loop.buffer<[N] x f32>) {
  loop.nest [%n : N] {
    %at = loop.read %i[%n] : i32
    %index = loop.cast index %at : i32 to index
    %v = loop.read %x[%index] : f32
    loop.write %v, %y[%n] : f32
  }
}""")
    x, y = np.arange(5, dtype=np.float32), np.empty(3, np.float32)
    run_kernel(kernel, [x, np.array([4, 0, 3], np.int32), y], {"N": 3})
    assert y.tolist() == [4, 0, 3]
    with pytest.raises(StepwellError, match=r"the index \[5\] is outside %x"):
        run_kernel(kernel, [x, np.array([4, 5, 3], np.int32), y], {"N": 3})


SOFTMAX = """
loop.kernel @softmax<R: 0>(%x: !loop.buffer<[R, 70] x f32>) -> (%y: !loop.buffer<[R, 70] x f32>) {
  %max = loop.local : !loop.buffer<[R] x f32>
  %exp = loop.local : !loop.buffer<[R, 70] x f32>
  loop.nest [%r : R] {
    %m = loop.fold max <any> [%c : 70] {
      %a = loop.read %x[%r, %c] : f32
      loop.yield %a : f32
    } : f32
    loop.write %m, %max[%r] : f32
  }
  loop.nest [%r : R, %c : 70] {
    %a = loop.read %x[%r, %c] : f32
    %m = loop.read %max[%r] : f32
    %d = arith.subf %a, %m : f32
    %e = math.exp %d : f32
    loop.write %e, %exp[%r, %c] : f32
  }
  loop.nest [%r : R, %c : 70] {
    %s = loop.fold add <lanes, 4096> [%k : 70] {
      %a = loop.read %exp[%r, %k] : f32
      loop.yield %a : f32
    } : f32
    %e = loop.read %exp[%r, %c] : f32
    %q = arith.divf %e, %s : f32
    loop.write %q, %y[%r, %c] : f32
  }
}"""


def test_nests_share_locals() -> None:
    x = np.random.default_rng(1).normal(size=(3, 70)).astype(np.float32)
    y = np.empty_like(x)
    run_kernel(parse_kernel(SOFTMAX), [x, y], {"R": 3}, count_writes=True)
    wide = np.exp(x.astype(np.float64))
    np.testing.assert_allclose(y, wide / wide.sum(axis=1, keepdims=True), rtol=1e-6)


def test_a_kernel_without_axes() -> None:
    kernel = parse_kernel("""
loop.kernel @one(%x: !loop.buffer<[] x f32>) -> (%y: !loop.buffer<[] x f32>) {
  loop.nest [] {
    %a = loop.read %x[] : f32
    %b = arith.addf %a, %a : f32
    loop.write %b, %y[] : f32
  }
}""")
    y = np.empty((), np.float32)
    run_kernel(kernel, [np.array(3, np.float32), y], {}, count_writes=True)
    assert y == 6


def test_a_loop_within_a_body_runs_for_all_lanes() -> None:
    kernel = parse_kernel("""
loop.kernel @powers<N: 0>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) {
  loop.nest [%i : N] {
    %a = loop.read %x[%i] : f32
    %one = arith.constant 1.0 : f32
    %low = arith.constant 0 : index
    %high = arith.constant 3 : index
    %p = loop.for %k = %low to %high step 1 carry(%q = %one : f32) {
      %r = arith.mulf %q, %a : f32
      loop.yield %r : f32
    }
    loop.write %p, %y[%i] : f32
  }
}""")
    y = np.empty(3, np.float32)
    run_kernel(kernel, [np.array([1, 2, 3], np.float32), y], {"N": 3})
    assert y.tolist() == [1, 8, 27]


SHIFTED = """
loop.kernel @shifted<N: 0>(%x: !loop.buffer<[N, 3] x f32>) -> (%y: !loop.buffer<[N, 3] x f32>) {
  loop.nest [%i : N, %j : 3] {
    %a = loop.read %x[%i + 1, %j] : f32 loc("model.py":12:4)
    loop.write %a, %y[%i, %j] : f32
  }
}"""


def test_a_read_out_of_range_tells_where() -> None:
    x = np.zeros((4, 3), np.float32)
    message = kernel_error(SHIFTED, [x, x.copy()], N=4)
    assert message.startswith(
        "SW0281: loop.read: the index [4, 0] is outside %x, whose sizes are [4, 3]"
    )
    assert "--> model.py:12" in message
    assert "loop.read %x[%i + 1, %j] : f32" in message


def test_only_reads_whose_condition_holds_are_checked() -> None:
    guarded = """
loop.kernel @guarded<N: 0>(%x: !loop.buffer<[N] x f32>, %c: !loop.buffer<[4] x i1>)
    -> (%y: !loop.buffer<[4] x f32>) {
  loop.nest [%i : 4] {
    %inside = loop.read %c[%i] : i1
    %a = loop.read %x[%i + -1] where %inside : f32
    loop.write %a, %y[%i] : f32
  }
}"""
    y = np.empty(4, np.float32)
    x = np.array([5, 6], np.float32)
    run_kernel(parse_kernel(guarded), [x, np.array([False, True, True, False]), y], {"N": 2})
    assert y.tolist() == [0, 5, 6, 0]
    run_kernel(parse_kernel(guarded), [x[:0], np.zeros(4, np.bool_), y], {"N": 0})
    assert y.tolist() == [0, 0, 0, 0]
    message = kernel_error(guarded, [x, np.array([False, True, True, True]), y], N=2)
    assert "the index [2] is outside %x" in message


TARGETS = """
loop.kernel @targets<N: 0>() -> (%y: !loop.buffer<[N, N] x i64>) {
  loop.nest [%i : N, %j : N] {
    %v = arith.constant 1 : i64
    loop.write %v, %y[INDEX] : i64
  }
}"""


@pytest.mark.parametrize(
    ("index", "found"),
    [
        ("%i, %i", "an index of %y is written twice"),
        ("%j, (2) * %i", "outside %y"),
        ("%i + -1, %j", "the index [-1, 0] is outside %y"),
    ],
)
def test_wrong_writes(index: str, found: str) -> None:
    y = np.empty((3, 3), np.int64)
    assert found in kernel_error(TARGETS.replace("INDEX", index), [y], N=3)


def test_every_element_is_written_once() -> None:
    halves = """
loop.kernel @halves<N: 0>() -> (%y: !loop.buffer<[2*N] x i64>) {
  %v = arith.constant 1 : i64
  loop.nest [%i : N] { loop.write %v, %y[%i] : i64 }
  loop.nest [%i : N] { loop.write %v, %y[%i + START] : i64 }
}"""
    y = np.empty(6, np.int64)
    run_kernel(parse_kernel(halves.replace("START", "N")), [y], {"N": 3}, count_writes=True)
    message = kernel_error(halves.replace("START", "N - 1"), [y], N=3)
    assert "the nests write element 2 of %y 2 times, not once" in message
    run_kernel(parse_kernel(halves.replace("START", "N - 1")), [y], {"N": 3})


def test_arguments_are_checked() -> None:
    x = np.zeros((4, 3), np.float32)
    assert (
        "SW0284: loop.kernel: the argument %x needs float32[4, 3], but was given int32[4, 3]"
        in (kernel_error(SHIFTED, [x.astype(np.int32), x], N=4))
    )
    assert "but was given float32[3, 4]" in kernel_error(SHIFTED, [x, x.reshape(3, 4)], N=4)
    assert "needs a row-major array" in kernel_error(SHIFTED, [x, np.asfortranarray(x)], N=4)
    assert "SW0283: loop.kernel: no value was given for N" in kernel_error(SHIFTED, [x, x])


def test_sizes_are_checked() -> None:
    assert "N is 0 or more, not -1" in kernel_error(SHIFTED, [], N=-1)
    assert "N is 0 to 3, not 4" in kernel_error(SHIFTED.replace("N: 0", "N: 0 to 3"), [], N=4)


def test_elements_must_fit() -> None:
    wrong = """
loop.kernel @wrong(%x: !loop.buffer<[2] x f64>) -> (%y: !loop.buffer<[2] x f64>) {
  loop.nest [%i : 2] {
    %a = loop.read %x[%i] : f32
    loop.write %a, %y[%i] : f32
  }
}"""
    assert "f32 is no element of !loop.buffer<[2] x f64>" in kernel_error(wrong, [])


def test_locals_hold_no_zeros_by_chance() -> None:
    kernel = parse_kernel("""
loop.kernel @unwritten() -> (%y: !loop.buffer<[2] x f32>) {
  %l = loop.local : !loop.buffer<[2] x f32>
  loop.nest [%i : 2] {
    %a = loop.read %l[%i] : f32
    loop.write %a, %y[%i] : f32
  }
}""")
    y = np.empty(2, np.float32)
    run_kernel(kernel, [y], {})
    assert np.isnan(y).all()
