"""Which guards hold between any two rows at which they hold."""

import pytest

from loop_text import parse_kernel
from stepwell.compiler.dialects.loop.nests import FoldOp
from stepwell.compiler.lower.analysis import Analysis
from stepwell.compiler.lower.guards import is_bound

KERNEL = """
loop.kernel @sums(%x: !loop.buffer<[9] x f32>) -> (%y: !loop.buffer<[9] x f32>) {{
  loop.nest [%i : 9] {{
    %s = loop.fold add <serial> [%k : 3] {{
      %zero = arith.constant 0 : index
      %nine = loop.index 9
      %at = loop.index %i + %k + -1
      %low = loop.compare ge %at, %zero : index
      %high = loop.compare {high} %at, %nine : index
      %inside = arith.{both} %low, %high : i1
      %v = loop.read %x[%i + %k + -1] where %inside : f32
      %none = arith.constant 0.0 : f32
      %t = loop.select %inside, %v, %none : i1, f32
      loop.yield %t : f32
    }} : f32
    loop.write %s, %y[%i] : f32
  }}
}}"""


@pytest.mark.parametrize(
    ("high", "both", "bounds"),
    [
        ("lt", "andi", True),
        ("le", "andi", True),
        ("ne", "andi", False),
        ("eq", "andi", False),
        ("lt", "ori", False),
    ],
)
def test_comparisons_that_bound_an_index_hold_between_two_rows(
    high: str, both: str, bounds: bool
) -> None:
    (nest,) = parse_kernel(KERNEL.format(high=high, both=both)).nests
    analysis = Analysis(nest)
    (fold,) = (op for op in nest.walk() if isinstance(op, FoldOp))
    guard = analysis.guards[fold]
    assert is_bound(guard, lambda value: True) is bounds
    assert not is_bound(guard, lambda value: False)
