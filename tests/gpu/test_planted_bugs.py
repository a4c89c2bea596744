"""Kernels as the compiler writes them, with a mistake in their PTX: the emulator names each."""

import re
from collections.abc import Callable
from functools import partial

import pytest

from emulator.errors import AccessError, DeadlockError, RaceError
from gpu_kernels import agree_on_gpu
from halves import HALVES
from long_folds import BOTH
from products import KERNELS, fixed
from stepwell.compiler.lower.grids.crews import Crews
from stepwell.compiler.lower.grids.tensor import Tensor
from stepwell.compiler.lower.grids.tiles import Tiles
from stepwell.compiler.lower.grids.transposed import Transposed

TURNED = """
loop.kernel @turned(%x: !loop.buffer<[64, 64] x f32>) -> (%y: !loop.buffer<[64, 64] x f32>) {
  loop.nest [%i : 64, %j : 64] {
    %v = loop.read %x[%j, %i] : f32
    loop.write %v, %y[%i, %j] : f32
  }
}
"""
turned = partial(agree_on_gpu, TURNED, {}, Transposed())
long_rows = partial(agree_on_gpu, BOTH, {}, Crews())
tiles = partial(agree_on_gpu, fixed(KERNELS["plain"], 64, 64, 64), {}, Tiles(64, 64))
tensor = partial(agree_on_gpu, fixed(HALVES["plain"], 64, 64, 160), {}, Tensor(64, 64))


def without(pattern: str) -> Callable[[str], str]:
    """All that matches is left out; something does."""

    def change(ptx: str) -> str:
        found, count = re.subn(pattern, "", ptx)
        assert count
        return found

    return change


def moved(bytes: int) -> Callable[[str], str]:
    """The first vector that is written goes elsewhere."""
    pattern = re.compile(r"(st\.global\.v4\.b32\s+\[%rd\d+)(\+\d+)?\]")
    return lambda ptx: pattern.sub(rf"\g<1>+{bytes}]", ptx, count=1)


def for_half_of_the_threads(ptx: str) -> str:
    """The barriers."""
    barrier = """{ .reg .pred %half; .reg .b32 %number; mov.u32 %number, %tid.x;
        setp.lt.u32 %half, %number, 128; @%half bar.sync 0; }"""
    return ptx.replace("bar.sync \t0;", barrier)


BARRIER = r"bar\.sync\s+0;"
PLANTED = {
    "rows without a barrier": (long_rows, without(BARRIER), RaceError, "no barrier between"),
    "squares without a barrier": (turned, without(BARRIER), RaceError, "no barrier between"),
    "products without a barrier": (tiles, without(BARRIER), RaceError, "no barrier between"),
    "copies that nobody waits for": (
        tensor,
        without(r"cp\.async\.wait_group\s+\d+;"),
        AccessError,
        "copy",
    ),
    "a vector behind the end": (turned, moved(1 << 20), AccessError, "which is outside"),
    "a vector between others": (turned, moved(4), AccessError, "not a multiple of 16"),
    "a barrier for some": (turned, for_half_of_the_threads, DeadlockError, "bar"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_bug_is_found(planted: str) -> None:
    run, changed, kind, said = PLANTED[planted]
    run()
    with pytest.raises(kind, match=said):
        run(changed=changed)
