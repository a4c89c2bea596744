"""The dialect `llvm` holds upstream's ops and ours, each name once, with honest effects."""

import pytest
from xdsl.dialects import llvm as upstream
from xdsl.ir import Operation
from xdsl.traits import is_side_effect_free
from xdsl.transforms.common_subexpression_elimination import cse
from xdsl.transforms.dead_code_elimination import region_dce

from stepwell.compiler.dialects.llvm import LLVM, OURS
from stepwell.compiler.dialects.llvm.types import f32, i64, pointer, ptr, vector
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder

BETTER = frozenset(
    {
        "llvm.fcmp",  # takes vectors
        "llvm.getelementptr",  # takes vectors
        "llvm.intr.fabs",  # is pure
        "llvm.intr.masked.store",  # takes integers, states its effect
        "llvm.load",  # atomic in its printed form; states its effect
        "llvm.select",  # takes vectors
        "llvm.store",  # atomic in its printed form; states its effect
    }
)
"""Upstream's ops that ours replace, and why."""


def test_upstream_has_not_caught_up() -> None:
    gained = {op.name for op in upstream.LLVM.operations} & {op.name for op in OURS} - BETTER
    assert not gained, f"xDSL has {gained} now: delete ours, or say in BETTER what they do better"


def test_ours_are_still_better_than_something() -> None:
    assert BETTER <= {op.name for op in upstream.LLVM.operations}
    assert BETTER <= {op.name for op in OURS}


def test_names_are_unique_and_none_is_lost() -> None:
    names = [op.name for op in LLVM.operations]
    assert len(names) == len(set(names))
    assert {op.name for op in upstream.LLVM.operations} <= set(names)
    assert list(LLVM.attributes) == list(upstream.LLVM.attributes)


def test_every_op_of_ours_says_what_it_does_to_memory() -> None:
    effects = {"NoMemoryEffect", "MemoryEffect"}
    silent = [
        op.name
        for op in OURS
        if not any(effects & {c.__name__ for c in type(t).__mro__} for t in op.traits)
    ]
    assert not silent


@pytest.fixture
def b() -> LlvmBuilder:
    return LlvmBuilder.define("f", [ptr, i64])


def last(b: LlvmBuilder) -> Operation:
    op = b.block.last_op
    assert op is not None
    return op


def test_reads_may_go_and_writes_may_not(b: LlvmBuilder) -> None:
    place, number = b.arguments
    b.load(place, i64)
    b.fabs(b.constant(f32, 1.0))
    b.store(number, place)
    b.load(place, i64, ordering="acquire")
    b.ret()
    region_dce(b.region)
    kept = [op.name for op in b.entry.ops]
    assert kept == ["llvm.store", "llvm.load", "llvm.return"]


def test_equal_loads_join_unless_something_is_stored_between(b: LlvmBuilder) -> None:
    place, number = b.arguments
    first, second = b.load(place, i64), b.load(place, i64)
    b.store(b.add(first, second), place)
    third = b.load(place, i64)
    b.store(b.add(third, number), place)
    b.ret()
    cse(b.function)
    assert [op.name for op in b.entry.ops].count("llvm.load") == 2


def test_an_ordered_access_is_never_free(b: LlvmBuilder) -> None:
    place, number = b.arguments
    b.store(number, place, ordering="release")
    assert not is_side_effect_free(last(b))
    b.atomicrmw("add", place, 1, "monotonic")
    assert not is_side_effect_free(last(b))
    b.fence("seq_cst")
    assert not is_side_effect_free(last(b))


def test_types_are_interned() -> None:
    assert vector(f32, 8) is vector(f32, 8)
    assert pointer(0) is ptr
    assert pointer(3) is pointer(3)
