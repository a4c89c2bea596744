"""The pass `join-steps`: loops give the same bits, whether or not the steps come out even."""

from dataclasses import replace

import numpy as np
import pytest
from xdsl.context import Context

from expanding import same
from loop_text import parse_module
from stepwell.compiler.interpret.loops import run_function
from stepwell.compiler.lower.choose_plans import ChoosePlans
from stepwell.compiler.lower.expand_plans import ExpandPlans
from stepwell.compiler.lower.join_steps import JoinSteps
from stepwell.compiler.machines import MACHINES, X86_64_V3
from stepwell.compiler.passes.share_buffers import ShareBuffers
from stepwell.compiler.passes.swap_buffers import SwapBuffers

TYPE = "!loop.buffer<[4000] x f32>"
PROGRAM = """
loop.kernel @blur(%x: TYPE, %z: TYPE) -> (%y: TYPE) {
  loop.nest [%i : 4000] {
    %k = loop.index %i
    %one = loop.index 1
    %end = loop.index 3999
    %zero = arith.constant 0.0 : f32
    %half = arith.constant 0.5 : f32
    %above = loop.compare ge %k, %one : index
    %below = loop.compare lt %k, %end : index
    %in = arith.andi %above, %below : i1
    %u = loop.read %x[%i + -1] where %in : f32
    %v = loop.read %x[%i + 1] where %in : f32
    %s = arith.addf %u, %v : f32
    %m = arith.mulf %s, %half : f32
    %r = loop.select %in, %m, %zero : i1, f32
    loop.write %r, %y[%i] : f32
  }
}
loop.func @blurs(%x: TYPE) -> (%y: TYPE) {
  %next = loop.alloc : TYPE
  %view = loop.view %x[0] : TYPE to TYPE
  loop.copy %x, %y : TYPE to TYPE
  %low = loop.index 3
  %high = loop.index HIGH
  loop.for %i = %low to %high step 1 {
    loop.launch @blur <>(%y, %x, %next) : TYPE, TYPE, TYPE
    loop.copy %next, %y : TYPE to TYPE
    loop.yield
  }
}
"""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose last cache does not hold the arrays."""
    machine = replace(X86_64_V3, name="small", l1=1 << 10, l2=16 << 10, l3=16 << 10)
    monkeypatch.setitem(MACHINES, "small", machine)


def program(count: int, old: str = "", new: str = "") -> str:
    text = PROGRAM.replace(old, new) if old else PROGRAM
    return text.replace("TYPE", TYPE).replace("HIGH", str(3 + count))


def joined(text: str, machine: str = "small") -> str:
    """The module behind the pass."""
    module = parse_module(text)
    JoinSteps(machine).apply(Context(), module)
    module.verify()
    return str(module)


@pytest.mark.parametrize(("count", "launches"), [(1, 1), (2, 1), (16, 1), (22, 1), (25, 2)])
def test_loops_give_the_same(count: int, launches: int) -> None:
    text = program(count)
    x = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    expected, found = np.empty_like(x), np.empty_like(x)
    run_function(parse_module(text), "blurs", [x, expected], {})
    module = parse_module(joined(text))
    assert str(module).count("loop.launch") == launches
    assert ("<wave" in str(module)) == (count > 1)
    for each in (ChoosePlans("small"), ShareBuffers(), SwapBuffers(), ExpandPlans()):
        each.apply(Context(), module)
    assert str(module).count("loop.copy") == 1 + launches
    run_function(module, "blurs", [x, found], {})
    assert same(expected, found)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("step 1", "step 2"),
        ("loop.copy %next, %y", "loop.copy %next, %view"),
        ("loop.copy %next, %y", "loop.copy %x, %y"),
        ("(%y: TYPE) {\n  %next = loop.alloc : TYPE", "(%y: TYPE, %next: TYPE) {"),
        ("%high = loop.index HIGH", "%high = loop.index (2) * %low"),
        ("(%y, %x, %next)", "(%y, %view, %next)"),
        ("(%y, %x, %next)", "(%y, %y, %next)"),
    ],
)
def test_other_loops_stay(old: str, new: str) -> None:
    text = program(16, old, new)
    assert joined(text) == str(parse_module(text))


def test_loops_that_carry_something_stay() -> None:
    text = program(16, "step 1 {", "step 1 carry(%a = %low : index) {")
    text = text.replace("loop.for", "%c = loop.for").replace("loop.yield", "loop.yield %i : index")
    assert joined(text) == str(parse_module(text))


def test_loops_on_a_gpu_stay() -> None:
    text = program(16).replace("4000", "40000000")
    assert "<wave" in joined(text, "x86-64-v3")
    assert joined(text, "sm_90a") == str(parse_module(text))


def test_names_are_new() -> None:
    assert "@blur_by_16(" in joined(program(16))
    assert "@blur_by_16_(" in joined(program(16, "@blurs", "@blur_by_16"))
