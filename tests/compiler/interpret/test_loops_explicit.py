"""The explicit form in the loop interpreter: loops, vectors, masks, threads, checked accesses."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from loop_text import parse_kernel
from stepwell.compiler.interpret.loops import run_kernel
from stepwell.runtime.errors import StepwellError

Array = NDArray[np.generic]
F32 = np.float32

SIGNATURE = "(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>)"
CONSTANTS = """
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %n = loop.index N
"""


def run(body: str, x: Sequence[float], *, seed: int = 0) -> list[float]:
    """What `body` makes of `x`, in %y, which begins with -1 everywhere."""
    kernel = parse_kernel(f"loop.kernel @k<N: 0>{SIGNATURE} {{ {CONSTANTS} {body} }}")
    y = np.full(len(x), -1, F32)
    run_kernel(kernel, [np.array(x, F32), y], {"N": len(x)}, seed=seed)
    return y.tolist()


X, Y = "!loop.buffer<[N] x f32>", "!loop.buffer<[N] x f32>"
V = "vector<4xf32>"
M = "vector<4xi1>"

DOUBLED = f"""
  loop.for %i = %c0 to %n step 4 {{
    %m = loop.mask %i, %n : {M}
    %v = loop.load %x[%i] where %m : {M} : {X} to {V}
    %w = arith.addf %v, %v : {V}
    loop.store %w, %y[%i] where %m : {M} : {V} to {Y}
    loop.yield
  }}"""


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 11])
def test_masked_vectors_stop_at_the_end(length: int) -> None:
    assert run(DOUBLED, range(length)) == [2 * i for i in range(length)]


def test_unmasked_vectors_do_not() -> None:
    body = f"%v = loop.load %x[%c4] : {X} to {V}"
    with pytest.raises(StepwellError, match="the offset 7 is outside %x, which has 7 elements"):
        run(body, range(7))
    body = f"%v = loop.load %x[%c0] : {X} to {V}\n loop.store %v, %y[%c1] : {V} to {Y}"
    with pytest.raises(StepwellError, match="the offset 4 is outside %y, which has 4 elements"):
        run(body, range(4))


def test_masked_lanes_are_zero_and_not_accessed() -> None:
    body = f"""
  %m = loop.mask %c1, %c4 : {M}
  %v = loop.load %x[%c0] where %m : {M} : {X} to {V}
  loop.store %v, %y[%c0] : {V} to {Y}
"""
    assert run(body, [5, 6, 7, 8]) == [5, 6, 7, 0]
    with pytest.raises(StepwellError, match="the offset 2 is outside %x"):
        run(body, [5, 6])


def test_scalars_with_masks() -> None:
    body = f"""
  loop.for %i = %c0 to %n step 1 {{
    %m = loop.compare lt %i, %c1 : index
    %v = loop.load %x[%i] where %m : i1 : {X} to f32
    loop.store %v, %y[%i] : f32 to {Y}
    loop.yield
  }}
  %never = arith.constant false
  %z = loop.load %x[%n] where %never : i1 : {X} to f32
  loop.store %z, %y[%n] where %never : i1 : f32 to {Y}
"""
    assert run(body, [5, 6, 7]) == [5, 0, 0]


def test_carried_values() -> None:
    body = f"""
  %zero = arith.constant 0.0 : f32
  %a, %b = loop.for %i = %c0 to %n step 1 carry(%p = %zero : f32, %q = %zero : f32) {{
    %v = loop.load %x[%i] : {X} to f32
    %s = arith.addf %q, %v : f32
    loop.yield %q, %s : f32, f32
  }}
  loop.store %a, %y[%c0] : f32 to {Y}
  loop.store %b, %y[%c1] : f32 to {Y}
"""
    assert run(body, [1, 2, 3])[:2] == [3, 6]


def test_a_loop_that_does_not_run_keeps_its_initial_values() -> None:
    body = f"""
  %zero = arith.constant 7.0 : f32
  %a = loop.for %i = %c4 to %c1 step 1 carry(%p = %zero : f32) {{
    %s = arith.addf %p, %p : f32
    loop.yield %s : f32
  }}
  loop.store %a, %y[%c0] : f32 to {Y}
"""
    assert run(body, [0]) == [7]


def test_branches() -> None:
    body = f"""
  loop.for %i = %c0 to %n step 1 {{
    %c = loop.compare lt %i, %c1 : index
    %v = loop.if %c {{
      %a = loop.load %x[%i] : {X} to f32
      loop.yield %a : f32
    }} else {{
      %a = arith.constant 9.0 : f32
      loop.yield %a : f32
    }} : f32
    loop.store %v, %y[%i] : f32 to {Y}
    loop.yield
  }}
"""
    assert run(body, [5, 6, 7]) == [5, 9, 9]


def test_gather_and_scatter() -> None:
    body = f"""
  %at = loop.lanes %c0 : vector<4xindex>
  %three = arith.constant dense<[3, 1, 2, 9]> : vector<4xindex>
  %m = loop.mask %c1, %c4 : {M}
  %v = loop.gather %x[%three : vector<4xindex>] where %m : {M} : {X} to {V}
  loop.scatter %v, %y[%at : vector<4xindex>] : {V} to {Y}
"""
    assert run(body, [5, 6, 7, 8]) == [8, 6, 7, 0]
    with pytest.raises(StepwellError, match="the offset 9 is outside %x"):
        run(body.replace(f"where %m : {M} ", ""), [5, 6, 7, 8])


def test_scatter_to_one_place_is_refused() -> None:
    body = f"""
  %at = arith.constant dense<[3, 1, 1, 0]> : vector<4xindex>
  %v = loop.load %x[%c0] : {X} to {V}
  %m = loop.mask %c0, %MASKED : {M}
  loop.scatter %v, %y[%at : vector<4xindex>] where %m : {M} : {V} to {Y}
"""
    assert run(body.replace("%MASKED", "%c1"), [5, 6, 7, 8]) == [-1, -1, -1, 5]
    with pytest.raises(StepwellError, match="two lanes store to the same offset"):
        run(body.replace("%MASKED", "%c4"), [5, 6, 7, 8])


def test_lanes_of_vectors() -> None:
    body = f"""
  %v = loop.load %x[%c0] : {X} to {V}
  %a = "loop.extract"(%v) <{{lane = #nd.number<2>}}> : ({V}) -> f32
  %s = loop.splat %a : f32 to {V}
  %w = loop.shuffle %v, %s <[7, 0, 3, 4]> : {V} to {V}
  %m = loop.mask %c1, %c1 : {M}
  %any = loop.any %m : {M}
  %r = loop.if %any {{
    loop.yield %v : {V}
  }} else {{
    loop.yield %w : {V}
  }} : {V}
  loop.store %r, %y[%c0] : {V} to {Y}
"""
    assert run(body, [5, 6, 7, 8]) == [7, 5, 8, 7]


def test_selects_and_scalar_functions_take_vectors() -> None:
    body = f"""
  %v = loop.load %x[%c0] : {X} to {V}
  %z = arith.constant dense<0.0> : {V}
  %c = loop.mask %c0, %c1 : {M}
  %e = math.exp %v : {V}
  %o = arith.mulf %e, %z : {V}
  %r = loop.select %c, %v, %o : {M}, {V}
  loop.store %r, %y[%c0] : {V} to {Y}
"""
    assert run(body, [-5, 6, -7, 8]) == [-5, 0, 0, 0]


def test_a_loaded_vector_does_not_change_with_its_memory() -> None:
    body = f"""
  %v = loop.load %x[%c0] : {X} to {V}
  loop.for %i = %c0 to %n step 1 {{
    %z = arith.constant 0.0 : f32
    loop.store %z, %x[%i] : f32 to {X}
    loop.yield
  }}
  loop.store %v, %y[%c0] : {V} to {Y}
"""
    assert run(body, [1, 2, 3, 4]) == [1, 2, 3, 4]


def test_prefetches_may_be_out_of_range() -> None:
    assert run(f"loop.prefetch %x[%n] : {X}", [1]) == [-1]


def test_a_fence_changes_nothing() -> None:
    assert run("loop.fence", [1]) == [-1]


STACK = "!loop.buffer<[4] x f32>"


def test_stack_and_views() -> None:
    body = f"""
  %s = loop.stack : {STACK}
  %v = loop.load %x[%c0] : {X} to {V}
  loop.store %v, %s[%c0] : {V} to {STACK}
  %part = loop.view %s[%c1 + 1] : {STACK} to !loop.buffer<[2] x f32>
  %a = loop.load %part[%c1] : !loop.buffer<[2] x f32> to f32
  loop.store %a, %y[%c0] : f32 to {Y}
"""
    assert run(body, [1, 2, 3, 4]) == [4, -1, -1, -1]
    with pytest.raises(StepwellError, match="the offset 19 is outside %s, which has 16 elements"):
        run(body.replace("%c1 + 1]", "%c4 + -1]"), [1, 2, 3, 4])


def test_workspace_is_bytes() -> None:
    kernel = parse_kernel("""
loop.kernel @k<N: 0>(%x: !loop.buffer<[N] x f32>)
    -> (%y: !loop.buffer<[N] x f32>, %w: !loop.buffer<[4*N + 64] x i8>) {
  %c0 = arith.constant 0 : index
  %n = loop.index N
  %t = loop.view %w[64] : !loop.buffer<[4*N + 64] x i8> to !loop.buffer<[N] x f32>
  loop.copy %x, %t : !loop.buffer<[N] x f32> to !loop.buffer<[N] x f32>
  loop.copy %t, %y : !loop.buffer<[N] x f32> to !loop.buffer<[N] x f32>
}""")
    x, y, w = np.arange(3, dtype=F32), np.empty(3, F32), np.zeros(76, np.uint8)
    run_kernel(kernel, [x, y, w], {"N": 3})
    assert y.tolist() == x.tolist()
    assert w[64:].tobytes() == x.tobytes()


RACE = f"""
  loop.parallel %t to %n {{
    %v = loop.load %y[%c0] : {Y} to f32
    %one = arith.constant 1.0 : f32
    %two = arith.constant 2.0 : f32
    %i = loop.cast index %t : index to i32
    %f = loop.cast sitofp %i : i32 to f32
    %d = arith.mulf %v, %two : f32
    %w = arith.addf %d, %f : f32
    loop.store %w, %y[%c0] : f32 to {Y}
  }}
"""


def test_threads_run_in_an_order_that_exposes_races() -> None:
    assert len({tuple(run(RACE, range(20), seed=seed)) for seed in range(4)}) > 1
    assert run(RACE, range(20), seed=1) == run(RACE, range(20), seed=1)


def test_threads_run_once_each() -> None:
    body = f"""
  loop.parallel %t to %n {{
    %v = loop.load %x[%t] : {X} to f32
    %w = arith.addf %v, %v : f32
    loop.store %w, %y[%t] : f32 to {Y}
  }}
"""
    assert run(body, range(50)) == [2 * i for i in range(50)]


@pytest.mark.parametrize("seed", range(4))
def test_ranges_cover_what_threads_share_once(seed: int) -> None:
    body = f"""
  loop.parallel %t, %behind to %n {{
    loop.for %i = %t to %behind step 1 {{
      %v = loop.load %x[%i] : {X} to f32
      %before = loop.load %y[%i] : {Y} to f32
      %w = arith.addf %v, %before : f32
      loop.store %w, %y[%i] : f32 to {Y}
      loop.yield
    }}
  }}
"""
    assert run(body, range(50), seed=seed) == [i - 1 for i in range(50)]


def test_elements_of_loads_must_fit() -> None:
    with pytest.raises(StepwellError, match="vector<4xi32> is no element of"):
        run(f"%v = loop.load %x[%c0] : {X} to vector<4xi32>", [])
