"""Which plans are near another."""

import pytest

from loop_text import parse_kernel
from stepwell.compiler.lower.strategies import STRATEGIES, Strategy
from stepwell.compiler.lower.strategies.gemm import Gemm
from stepwell.compiler.lower.strategies.map import Map
from stepwell.compiler.machines.x86 import X86_64_V3, X86_64_V4
from stepwell.compiler.tuning.neighbours import neighbours

PRODUCT = """
loop.kernel @product(%a: !loop.buffer<[9, 3] x f32>, %b: !loop.buffer<[3, 9] x f32>)
    -> (%c: !loop.buffer<[9, 9] x f32>) {
  loop.nest [%i : 9, %j : 9] {
    %s = loop.fold fma <serial, 1024> [%k : 3] {
      %u = loop.read %a[%i, %k] : f32
      %v = loop.read %b[%k, %j] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %c[%i, %j] : f32
  }
}"""


def around(strategy: Strategy, wide: bool = True) -> list[Strategy]:
    machine = X86_64_V4 if wide else X86_64_V3
    return neighbours(strategy, parse_kernel(PRODUCT), machine)


@pytest.mark.parametrize("kind", STRATEGIES.values())
def test_neighbours_are_others_that_are_allowed(kind: type[Strategy]) -> None:
    found = around(kind())
    assert found
    assert kind() not in found
    for each in found:
        assert type(each).of(dict(each.plan.data.parameters)) == each


def test_numbers_go_up_and_down_by_one_and_by_half() -> None:
    heights = {each.mr for each in around(Gemm(mr=8)) if isinstance(each, Gemm)}
    assert heights == {8, 4, 7, 9, 16}


def test_a_number_is_0_only_where_that_stands_for_doing_without() -> None:
    found = [each for each in around(Gemm(mr=1, ahead=1)) if isinstance(each, Gemm)]
    assert {each.mr for each in found} == {1, 2}
    assert {each.task for each in around(Map(task=1)) if isinstance(each, Map)} >= {0, 1, 2}
    assert {each.ahead for each in found} == {0, 1, 2}


def test_names_come_and_go_one_by_one() -> None:
    found = [each.pack for each in around(Gemm(pack=("left",))) if isinstance(each, Gemm)]
    assert set(found) == {(), ("left",), ("left", "right")}


@pytest.mark.parametrize(("wide", "widths"), [(True, {64, 32}), (False, {64, 32, 16})])
def test_vectors_are_no_wider_than_the_machines(wide: bool, widths: set[int]) -> None:
    start = Map(bytes=64 if wide else 32)
    found = {each.bytes for each in around(start, wide) if isinstance(each, Map)} | {64}
    assert found == widths


def test_another_strategy_that_fits_is_near() -> None:
    assert any(isinstance(each, Map) for each in around(Gemm()))
    assert any(isinstance(each, Gemm) for each in around(Map()))


def test_what_is_not_kept_past_the_caches_stays_so() -> None:
    assert {each.stream for each in around(Map(stream=0)) if isinstance(each, Map)} == {0}
    assert {each.stream for each in around(Map(stream=1)) if isinstance(each, Map)} >= {0, 1}
