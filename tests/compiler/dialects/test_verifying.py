"""What the tests' verifier remembers of one op refuses another one as before."""

import pytest
from xdsl.dialects import test
from xdsl.dialects.arith import AndIOp, CmpiOp
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp, StringAttr, i1, i32, i64
from xdsl.dialects.llvm import CallOp, FuncOp, LLVMFunctionType
from xdsl.dialects.scf import ForOp, YieldOp
from xdsl.ir import Attribute, Block, Operation, Region
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.construct import construct


def test_another_number_is_refused_every_time() -> None:
    (value,) = test.TestOp(result_types=[i32]).results
    for _ in range(2):
        construct(AndIOp, [value, value], [i32]).verify()
        for operands, results in ((1, 1), (3, 1), (2, 0), (2, 2)):
            with pytest.raises(VerifyException, match="Expected"):
                construct(AndIOp, [value] * operands, [i32] * results).verify()


def test_other_types_and_properties_are_refused() -> None:
    value, wide = test.TestOp(result_types=[i32, i64]).results
    equal = {"predicate": IntegerAttr(0, i64)}
    construct(AndIOp, [value, value], [i32]).verify()
    construct(CmpiOp, [value, value], [i1], equal).verify()
    for refused in (
        construct(AndIOp, [value, wide], [i32]),
        construct(AndIOp, [value, value], [i64]),
        construct(CmpiOp, [value, value], [i1]),
        construct(CmpiOp, [value, value], [i1], {"predicate": StringAttr("eq")}),
        construct(CmpiOp, [value, value], [i1], {**equal, "other": StringAttr("eq")}),
    ):
        with pytest.raises(VerifyException):
            refused.verify()


def test_other_regions_are_refused() -> None:
    (index, wide) = test.TestOp(result_types=[IndexType(), i64]).results

    def loop(*blocks: Block) -> ForOp:
        return construct(ForOp, [index, index, index], regions=[Region([*blocks])])

    def body(of: Attribute, end: type[Operation] = YieldOp) -> Block:
        return Block([end.create()], arg_types=[of])

    for _ in range(2):
        loop(body(IndexType())).verify()
        for refused in (
            loop(body(IndexType()), body(IndexType())),
            loop(body(wide.type)),
            loop(Block(arg_types=[IndexType()])),
            loop(body(IndexType(), test.TestOp)),
            construct(ForOp, [index, index, index]),
        ):
            with pytest.raises(VerifyException):
                refused.verify()


def test_who_is_called_has_the_name_still() -> None:
    functions = [FuncOp(name, LLVMFunctionType([])) for name in ("first", "second")]
    for _ in range(2):
        module = ModuleOp([*(each.clone() for each in functions), CallOp("second")])
        module.verify()
        second = next(
            each for each in module.ops if each.properties.get("sym_name") == StringAttr("second")
        )
        second.properties["sym_name"] = StringAttr("third")
        with pytest.raises(VerifyException, match="could not be found"):
            module.verify()
        second.properties["sym_name"] = StringAttr("second")
        module.verify()
        second.detach()
        with pytest.raises(VerifyException, match="could not be found"):
            module.verify()


def test_names_of_a_module_around_are_not_seen() -> None:
    inside = ModuleOp([CallOp("first")])
    outside = ModuleOp([FuncOp("first", LLVMFunctionType([])), CallOp("first"), inside])
    for _ in range(2):
        with pytest.raises(VerifyException, match="could not be found"):
            outside.verify()
    inside.detach()
    outside.verify()
