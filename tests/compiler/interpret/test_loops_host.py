"""The host form in the loop interpreter: programs of kernels, control flow and ordered effects."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from loop_text import parse_module
from stepwell.compiler.interpret.loops import SiteError, run_function
from stepwell.runtime.errors import StepwellError

Array = NDArray[np.generic]
F32 = np.float32

KERNELS = """
loop.kernel @double<K: 0>(%x: !loop.buffer<[K] x f32>) -> (%y: !loop.buffer<[K] x f32>) {
  loop.nest [%i : K] {
    %a = loop.read %x[%i] : f32
    %b = arith.addf %a, %a : f32
    loop.write %b, %y[%i] : f32
  }
}
loop.func @put(%v: index) -> (%y: !loop.buffer<[] x i64>) {
  %c0 = arith.constant 0 : index
  %w = loop.cast index %v : index to i64
  loop.store %w, %y[%c0] : i64 to !loop.buffer<[] x i64>
}
loop.kernel @step<K: 0>(%x: !loop.buffer<[K] x f32>, %n: !loop.buffer<[] x i64>)
    -> (%y: !loop.buffer<[K] x f32>, %m: !loop.buffer<[] x i64>) {
  loop.nest [%i : K] {
    %a = loop.read %x[%i] : f32
    %b = arith.addf %a, %a : f32
    loop.write %b, %y[%i] : f32
  }
  loop.nest [] {
    %a = loop.read %n[] : i64
    %one = arith.constant 1 : i64
    %b = arith.subi %a, %one : i64
    loop.write %b, %m[] : i64
  }
}
"""
"""Two kernels, and a function that takes a scalar."""


def module_of(body: str) -> str:
    return (
        KERNELS
        + f"""
loop.func @main<N: 0>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N] x f32>) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  {body}
}}"""
    )


def run(body: str, x: Sequence[float], **options: object) -> list[float]:
    """What `body` makes of `x`, in %y, which begins with -1 everywhere."""
    y = np.full(len(x), -1, F32)
    module = parse_module(module_of(body))
    run_function(module, "main", [np.array(x, F32), y], {"N": len(x)}, **options)
    return y.tolist()


B = "!loop.buffer<[N] x f32>"
I = "!loop.buffer<[] x i64>"  # noqa: E741


def test_launches_bind_sizes() -> None:
    body = f"""
  %t = loop.alloc : {B}
  loop.launch @double <K = N> (%x, %t) : {B}, {B}
  %part = loop.view %y[N - 2] : {B} to !loop.buffer<[2] x f32>
  %head = loop.view %t[(2) * %c1 + -1] : {B} to !loop.buffer<[2] x f32>
  loop.launch @double <K = 2> (%head, %part) : !loop.buffer<[2] x f32>, !loop.buffer<[2] x f32>
"""
    assert run(body, [1, 2, 3, 4]) == [-1, -1, 8, 12]


def test_launches_are_checked() -> None:
    with pytest.raises(StepwellError, match=r"%x needs float32\[8\], but was given float32\[4\]"):
        run(f"loop.launch @double <K = 2*N> (%x, %y) : {B}, {B}", [1, 2, 3, 4])
    with pytest.raises(ValueError, match="there is no kernel or function @triple"):
        run(f"loop.launch @triple <K = N> (%x, %y) : {B}, {B}", [1])


def test_functions_take_scalars() -> None:
    body = f"""
  %n = loop.alloc : {I}
  loop.for %i = %c0 to %c1 step 1 {{
    loop.launch @put <> (%c1, %n) : index, {I}
    loop.yield
  }}
  %v = loop.load %n[%c0] : {I} to i64
  %f = loop.cast sitofp %v : i64 to f32
  loop.store %f, %y[%c0] : f32 to {B}
"""
    assert run(body, [0, 0]) == [1, -1]


def test_while_repeats_on_buffers() -> None:
    body = f"""
  %n = loop.alloc : {I}
  %three = arith.constant 3 : index
  %zero = arith.constant 0 : i64
  loop.launch @put <> (%three, %n) : index, {I}
  loop.copy %x, %y : {B} to {B}
  loop.while {{
    %v = loop.load %n[%c0] : {I} to i64
    %more = loop.compare gt %v, %zero : i64
    loop.condition %more
  }} do {{
    loop.launch @step <K = N> (%y, %n, %y, %n) : {B}, {I}, {B}, {I}
  }}
"""
    assert run(body, [1, 2]) == [8, 16]


def test_copies_are_of_one_count() -> None:
    body = f"%n = loop.alloc : {I}\n loop.copy %x, %n : {B} to {I}"
    with pytest.raises(StepwellError, match="different numbers of elements"):
        run(body, [1, 2])


def test_effects_happen_in_order() -> None:
    seen: list[tuple[int, list[float]]] = []

    def host(site: int, buffers: Sequence[Array]) -> None:
        seen.append((site, [float(b.sum()) for b in buffers]))

    body = f"""
  "loop.host"(%x) <{{site = #nd.number<3>}}> : ({B}) -> ()
  loop.launch @double <K = N> (%x, %y) : {B}, {B}
  "loop.host"(%x, %y) <{{site = #nd.number<1>}}> : ({B}, {B}) -> ()
"""
    assert run(body, [1, 2], host=host) == [2, 4]
    assert seen == [(3, [3.0]), (1, [3.0, 6.0])]
    assert run(body, [1, 2]) == [2, 4]


def test_assertions_stop_the_program() -> None:
    body = f"""
  %v = loop.load %x[%c0] : {B} to f32
  %zero = arith.constant 0.0 : f32
  %c = loop.compare gt %v, %zero : f32
  "loop.assert"(%c) <{{site = #nd.number<5>}}> : (i1) -> ()
  loop.launch @double <K = N> (%x, %y) : {B}, {B}
"""
    assert run(body, [1]) == [2]
    with pytest.raises(SiteError, match="the assertion of site 5 does not hold") as caught:
        run(body, [-1])
    assert caught.value.site == 5


def test_custom_symbols_are_python_functions() -> None:
    body = f'loop.custom "my_square" (%x, %y) : {B}, {B}'

    def square(buffers: Sequence[Array], sizes: Mapping[str, int]) -> int:
        buffers[1][:] = buffers[0] ** 2
        return sizes["N"] - 3

    assert run(body, [1, 2, 3], custom={"my_square": square}) == [1, 4, 9]
    with pytest.raises(StepwellError, match="my_square returned -1"):
        run(body, [1, 2], custom={"my_square": square})
    with pytest.raises(StepwellError, match="no Python function was given for the C symbol"):
        run(body, [1])


def test_exceptions_tell_the_op() -> None:
    def host(site: int, buffers: Sequence[Array]) -> None:
        raise KeyError("host")

    body = f'"loop.host"(%x) <{{site = #nd.number<3>}}> : ({B}) -> () loc("model.py":7:1)'
    with pytest.raises(KeyError, match="host") as caught:
        run(body, [1], host=host)
    assert len(caught.value.__notes__) == 1
    assert caught.value.__notes__[0].startswith("in loop.host")
    assert 'loc("model.py":7:1)' in caught.value.__notes__[0]
