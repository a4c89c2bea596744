"""Versions of kernels: which sizes each is for, and that all give the bits of the nests."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing import examples
from gpu_kernels import agree_on_gpu, ptx_of_kernel
from loop_text import parse_kernel
from products import KERNELS
from stepwell.compiler.lower.grids import versions
from stepwell.compiler.lower.grids.multiples import multiples_in

pytestmark = pytest.mark.device
ADD = """
loop.kernel @add<A: 1, B: 1, C: 0>(
    %x: !loop.buffer<[A, B, C] x T>,
    %b: !loop.buffer<[B] x T>,
    %s: !loop.buffer<[A, C] x T>
) -> (%y: !loop.buffer<[A, B, C] x T>) {
  loop.nest [%i : A, %j : B, %k : C] {
    %u = loop.read %x[%i, %j, %k] : T
    %v = loop.read %b[%j] : T
    %w = loop.read %s[%i, %k] : T
    %p = arith.addf %u, %v : T
    %q = arith.addf %p, %w : T
    loop.write %q, %y[%i, %j, %k] : T
  }
}
"""
CENTRED = """
loop.kernel @centred<B: 1, N: 1>(
    %x: !loop.buffer<[B, N] x f32>
) -> (%y: !loop.buffer<[B, N] x f32>) {
  %m = loop.local : !loop.buffer<[B] x f32>
  loop.nest [%i : B] {
    %a = loop.fold add <lanes, 4096> [%k : N] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %a, %m[%i] : f32
  }
  loop.nest [%i : B, %k : N] {
    %a = loop.read %m[%i] : f32
    %v = loop.read %x[%i, %k] : f32
    %d = arith.subf %v, %a : f32
    loop.write %d, %y[%i, %k] : f32
  }
}
"""
SQUARES = """
loop.kernel @squares<B: 1, N: 1>(%x: !loop.buffer<[B, N] x f32>)
    -> (%y: !loop.buffer<[B, N] x f32>) {
  %t = loop.local : !loop.buffer<[B, N] x f32>
  loop.nest [%i : B, %k : N] {
    %v = loop.read %x[%i, %k] : f32
    %w = arith.mulf %v, %v : f32
    loop.write %w, %t[%i, %k] : f32
  }
  loop.nest [%i : B, %k : N] {
    %a = loop.fold add <lanes, 4096> [%l : N] {
      %v = loop.read %t[%i, %l] : f32
      loop.yield %v : f32
    } : f32
    %v = loop.read %t[%i, %k] : f32
    %q = arith.divf %v, %a : f32
    loop.write %q, %y[%i, %k] : f32
  }
}
"""
SHIFTED = """
loop.kernel @shifted<B: 1, N: 4>(
    %x: !loop.buffer<[B, N] x f32>,
    %s: !loop.buffer<[B] x f32>
) -> (%y: !loop.buffer<[B, N - 1] x f32>) {
  loop.nest [%i : B, %k : N - 1] {
    %v = loop.read %x[%i, %k + 1] : f32
    %a = loop.read %s[%i] : f32
    %d = arith.subf %v, %a : f32
    loop.write %d, %y[%i, %k] : f32
  }
}
"""
PLACES = """
loop.kernel @places<B: 1, N: 1>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[B, N] x i64>) {
  loop.nest [%i : B, %k : N] {
    %n = loop.cast index %k : index to i64
    %m = loop.cast index %i : index to i64
    %s = arith.subi %n, %m : i64
    loop.write %s, %y[%i, %k] : i64
  }
}
"""
WIDE = re.compile(r"(div|rem|mul\.lo|mad\.lo)\.[us]64")
SINGLE = re.compile(r"(ld|st)\.global(\.nc)?\.b\d")


def versions_in(ptx: str) -> Sequence[str]:
    return re.split(r"(?=\.visible \.entry)", ptx)[1:]


def test_the_host_chooses_among_vectors_single_elements_and_wide_indices() -> None:
    aligned, single, wide = versions_in(ptx_of_kernel(ADD.replace("T", "f32")))
    assert not WIDE.search(aligned + single)
    assert WIDE.search(wide)
    assert "ld.global.nc.v4.b32" in aligned
    assert len(SINGLE.findall(aligned)) == 1, "what all lanes have in common"
    assert "v4" not in single + wide


def test_of_fixed_sizes_there_is_one_version() -> None:
    fixed = re.sub("<A.*0>", "", ADD.replace("T", "f32"), count=1)
    for name, size in zip("ABC", (8, 6, 128), strict=True):
        fixed = re.sub(rf"\b{name}\b", str(size), fixed)
    (only,) = versions_in(ptx_of_kernel(fixed))
    assert not WIDE.search(only)
    (large,) = versions_in(ptx_of_kernel(fixed.replace("128", str(1 << 30))))
    assert WIDE.search(large)


def test_known_bounds_leave_no_choice() -> None:
    add = ADD.replace("T", "f32")
    bounded = add.replace("A: 1, B: 1, C: 0", "A: 1 to 100, B: 1 to 100, C: 0 to 100")
    assert len(versions_in(ptx_of_kernel(bounded))) == 2
    assert len(versions_in(ptx_of_kernel(add))) == 3
    assert len(versions_in(ptx_of_kernel(SHIFTED))) == 2, "never aligned"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ADD.replace("T", "f32"), {"C": 4}),
        (ADD.replace("T", "f64"), {"C": 2}),
        (CENTRED, {"N": 4}),
        (KERNELS["plain"], {"K": 4, "N": 4}),
        (PLACES, {"N": 2}),
    ],
)
def test_rows_decide_whether_vectors_are_aligned(text: str, expected: dict[str, int]) -> None:
    assert multiples_in(parse_kernel(text)) == expected


lengths = st.sampled_from([1, 3, 4, 7, 8, 64, 68, 70])


@examples(15)
@given(
    text=st.sampled_from(
        [ADD.replace("T", "f32"), ADD.replace("T", "f64"), CENTRED, SQUARES, PLACES]
    ),
    b=st.sampled_from([1, 3, 5]),
    n=lengths,
    room=st.sampled_from([1 << 30, 8]),
)
def test_every_version_gives_the_bits_of_the_nests(text: str, b: int, n: int, room: int) -> None:
    sizes = {"A": b, "B": 2, "C": n} if "<A" in text else {"B": b, "N": n}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(versions, "ROOM", room)
        agree_on_gpu(text, sizes, special=True)


@pytest.mark.parametrize("sizes", [(70, 68, 36), (33, 66, 20), (33, 68, 21)], ids=str)
@pytest.mark.parametrize("room", [1 << 30, 8])
def test_products_in_all_versions_give_the_bits_of_the_nests(
    sizes: tuple[int, int, int], room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "ROOM", room)
    agree_on_gpu(KERNELS["plain"], dict(zip("MNK", sizes, strict=True)), special=True)
