"""The builder: constants once, operands as numbers, structured control flow that verifies."""

import re

import pytest
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, StringAttr
from xdsl.dialects.llvm import ConstantOp
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import (
    array,
    f32,
    i1,
    i8,
    i32,
    i64,
    ptr,
    struct,
    vector,
)
from stepwell.compiler.dialects.llvm_builder import LlvmBuilder, Parameter


@pytest.fixture
def b() -> LlvmBuilder:
    return LlvmBuilder.define("f", [ptr, i64, f32, i1], i64)


def verified(b: LlvmBuilder) -> ModuleOp:
    module = ModuleOp([b.function])
    module.verify()
    return module


def ops(b: LlvmBuilder) -> list[str]:
    return [op.name.removeprefix("llvm.") for block in b.region.blocks for op in block.ops]


def test_a_constant_stands_once_at_the_top(b: LlvmBuilder) -> None:
    n = b.arguments[1]
    with b.loop(0, n) as loop:
        b.add(b.add(loop.index, 7), 7)
    b.ret(7)
    module = verified(b)
    constants = [op for op in module.walk() if isinstance(op, ConstantOp)]
    assert sorted(op.value.value.data for op in constants) == [0, 1, 7]
    assert [op.name for op in b.entry.ops][:3] == ["llvm.mlir.constant"] * 3


@pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (1, 0), (float("inf"), float("-inf"))])
def test_unequal_numbers_are_two_constants(b: LlvmBuilder, one: float, other: float) -> None:
    assert b.constant(f32, one) is not b.constant(f32, other)
    assert b.constant(f32, one) is b.constant(f32, one)


def test_a_number_takes_the_type_of_the_other_operand(b: LlvmBuilder) -> None:
    assert b.fadd(1.5, b.arguments[2]).type == f32
    wide = b.splat(b.arguments[2], 8)
    assert b.fmul(wide, 2.0).type == vector(f32, 8)
    with pytest.raises(TypeError, match="one of 1 and 2 must be a value"):
        b.add(1, 2)
    with pytest.raises(TypeError, match="is no constant of type"):
        b.constant(ptr, 1)


def test_vectors_have_constants_for_all_lanes_or_each(b: LlvmBuilder) -> None:
    assert "dense<3> : vector<4xi32>" in str(b.constant(vector(i32, 4), 3).owner)
    assert "dense<[0, 1, 2, 3]>" in str(b.iota(vector(i32, 4)).owner)


def test_ops_carry_the_location_that_was_set(b: LlvmBuilder) -> None:
    place = FileLineColLoc(StringAttr("model.py"), IntAttr(3), IntAttr(1))
    b.location = place
    assert isinstance(value := b.add(b.arguments[1], 5), SSAValue)
    assert value.owner.location == place


def test_a_loop_carries_values(b: LlvmBuilder) -> None:
    n = b.arguments[1]
    with b.loop(0, n, 4, carried=[n, b.constant(f32, 0.0)]) as loop:
        assert [value.type for value in loop.carried] == [i64, f32]
        loop.yields(b.add(loop.carried[0], loop.index), loop.carried[1])
    b.ret(loop.results[0])
    verified(b)
    assert ops(b).count("cond_br") == 2


@pytest.mark.parametrize(("high", "nonempty"), [(8, False), (None, True)])
def test_a_loop_that_runs_at_least_once_is_not_guarded(
    b: LlvmBuilder, high: int | None, nonempty: bool
) -> None:
    bound = b.arguments[1] if high is None else high
    with b.loop(0, bound, nonempty=nonempty):
        pass
    b.ret(0)
    verified(b)
    assert ops(b).count("cond_br") == 1


def test_a_loop_must_yield_what_it_carries(b: LlvmBuilder) -> None:
    with (
        pytest.raises(ValueError, match="the loop has 1 values, but 0 are yielded"),
        b.loop(0, b.arguments[1], carried=[b.arguments[1]]),
    ):
        pass


def test_a_choice_joins_its_values(b: LlvmBuilder) -> None:
    _, n, _, condition = b.arguments
    with b.if_(condition) as choice:
        choice.yields(b.add(n, 1))
        choice.otherwise()
        with b.if_(condition) as inner:
            inner.yields(n)
            inner.otherwise()
            inner.yields(b.mul(n, 2))
        choice.yields(*inner.results)
    b.ret(*choice.results)
    verified(b)


def test_a_choice_may_have_no_else_and_may_return(b: LlvmBuilder) -> None:
    place, n, _, condition = b.arguments
    with b.if_(condition):
        b.store(n, place)
    with b.if_(condition):
        b.ret(1)
    with b.if_(condition) as choice:
        b.ret(2)
        choice.otherwise()
        choice.yields(n)
    b.ret(*choice.results)
    verified(b)


def test_a_choice_without_else_has_no_values(b: LlvmBuilder) -> None:
    with (
        pytest.raises(ValueError, match="otherwise"),
        b.if_(b.arguments[3]) as choice,
    ):
        choice.yields(b.arguments[1])


def test_both_sides_of_a_choice_have_as_many_values(b: LlvmBuilder) -> None:
    def one_sided() -> None:
        with b.if_(b.arguments[3]) as choice:
            choice.yields(b.arguments[1])
            choice.otherwise()

    with pytest.raises(ValueError, match="first side of a choice has 1 values, but 0 are yielded"):
        one_sided()


def test_a_while_loop_tests_before_each_step(b: LlvmBuilder) -> None:
    n = b.arguments[1]
    with b.while_(n) as loop:
        (rest,) = loop.carried
        loop.test(b.icmp("ne", rest, 0))
        loop.yields(b.lshr(rest, 1))
    b.ret(*loop.results)
    verified(b)


def test_bools_are_bytes_in_memory(b: LlvmBuilder) -> None:
    place, _, _, condition = b.arguments
    b.store(condition, place)
    assert b.load(place, vector(i1, 8)).type == vector(i1, 8)
    accesses = [op for op in b.entry.ops if op.name in ("llvm.load", "llvm.store")]
    assert [op.operand_types[0] for op in accesses] == [i8, ptr]
    assert accesses[1].result_types == (vector(i8, 8),)
    b.ret(0)
    verified(b)


def test_vectors_lie_anywhere_an_element_may(b: LlvmBuilder) -> None:
    b.load(b.arguments[0], vector(f32, 16))
    assert "alignment = 4 : i64" in str(b.entry.last_op)


def test_indices_are_constants_or_values(b: LlvmBuilder) -> None:
    place, n, *_ = b.arguments
    b.gep(place, [n, 3], array(f32, 4))
    assert re.search(r"\[%\w+, 3\] : \(!llvm.ptr, i64\)", str(b.entry.last_op))
    assert b.gep(place, b.iota(vector(i64, 8)), f32).type == vector(ptr, 8)
    assert b.gep(place, 1 << 40, f32).type == ptr
    b.ret(0)
    verified(b)


def test_aggregates_know_their_fields(b: LlvmBuilder) -> None:
    pair = b.poison(struct(i64, array(f32, 2)))
    assert b.extract_value(pair, 1, 0).type == f32
    with pytest.raises(TypeError, match="has no field 0"):
        b.extract_value(pair, 0, 0)
    b.ret(b.extract_value(pair, 0))
    verified(b)


def test_a_function_states_linkage_and_promises() -> None:
    b = LlvmBuilder.define(
        "f",
        [Parameter(ptr, ("noalias", "readonly")), i64],
        internal=True,
        attributes=["noredzone", ("prefer-vector-width", "512")],
    )
    b.ret()
    text = str(verified(b))
    assert "llvm.func internal @f(" in text
    assert "{llvm.noalias, llvm.readonly}" in text
    assert 'passthrough = ["noredzone", ["prefer-vector-width", "512"]]' in text


def test_declarations_have_no_body_to_build() -> None:
    function = LlvmBuilder.define("f").function
    function.body.detach_block(0)
    with pytest.raises(ValueError, match="f is a declaration"):
        LlvmBuilder(function)


def test_the_stack_grows_once(b: LlvmBuilder) -> None:
    with b.loop(0, b.arguments[1]):
        b.store(b.arguments[1], b.alloca(i64, 4, 64))
    b.ret(0)
    verified(b)
    assert [op.name for op in b.entry.ops].count("llvm.alloca") == 1
