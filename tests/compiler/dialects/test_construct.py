"""What the fast constructor makes cannot be told from what xDSL's own makes."""

import pytest
from xdsl.dialects import llvm
from xdsl.dialects.builtin import DenseArrayBase, FileLineColLoc, IntAttr, StringAttr, f32, i1, i32
from xdsl.ir import Block, Operation, Region

from stepwell.compiler.dialects.construct import append, construct, operands_of, result_of

PROPERTIES = {"fastmathFlags": llvm.FastMathAttr(None)}
PLACE = FileLineColLoc(StringAttr("model.py"), IntAttr(3), IntAttr(1))


@pytest.fixture
def block() -> Block:
    block = Block(arg_types=[f32, f32, i1])
    Region([block, Block(arg_types=[f32]), Block()])
    return block


def fields(op: Operation) -> dict[str, object]:
    """All that an op holds, its values and uses by what they stand for."""
    plain = {
        name: getattr(op, name) for name in ("properties", "attributes", "location", "regions")
    }
    return plain | {
        "operands": tuple(op.operands),
        "uses": [
            [use.index for use in operand.uses if use.operation is op] for operand in op.operands
        ],
        "results": [(r.type, r.index, r.op is op, r.first_use, r.name_hint) for r in op.results],
        "successors": tuple(op.successors),
        "successor uses": [(use.operation is op, use.index) for use in op.successor_uses],
        "parent": op.parent,
    }


def test_an_op_has_the_fields_that_create_gives_it(block: Block) -> None:
    x, y, _ = block.args
    fast = construct(llvm.FAddOp, (x, y), (f32,), PROPERTIES, PLACE)
    slow = llvm.FAddOp.create(
        operands=(x, y), result_types=(f32,), properties=PROPERTIES, location=PLACE
    )
    assert fields(fast) == fields(slow)
    assert vars(fast).keys() <= vars(slow).keys()
    for name in vars(slow).keys() - vars(fast).keys():
        assert getattr(fast, name) == getattr(slow, name), name
    fast.verify()


def test_a_terminator_uses_its_successors(block: Block) -> None:
    x, _, condition = block.args
    region = block.parent
    assert region is not None
    _, first, second = region.blocks
    sizes = {"operandSegmentSizes": DenseArrayBase.from_list(i32, [1, 1, 0])}
    op = construct(llvm.CondBrOp, (condition, x), (), sizes, successors=(first, second))
    append(block, op)
    assert block in first.predecessors()
    assert block in second.predecessors()
    op.verify()


def test_properties_are_copied(block: Block) -> None:
    x, y, _ = block.args
    op = construct(llvm.FAddOp, (x, y), (f32,), PROPERTIES)
    op.properties["more"] = StringAttr("x")
    assert "more" not in PROPERTIES


def test_operands_are_seen_and_can_be_replaced(block: Block) -> None:
    x, y, _ = block.args
    op = construct(llvm.FAddOp, (x, x), (f32,), PROPERTIES)
    assert operands_of(op) == (x, x)
    assert x.uses.get_length() == 2
    x.replace_all_uses_with(y)
    assert operands_of(op) == (y, y)
    assert result_of(op) is op.results[0]


def test_append_links_as_add_op_does(block: Block) -> None:
    x, y, _ = block.args
    ops = [construct(llvm.FAddOp, (x, y), (f32,), PROPERTIES) for _ in range(4)]
    append(block, ops[0])
    append(block, ops[1])
    block.add_op(ops[2])
    append(block, ops[3])
    assert list(block.ops) == ops
    assert [op.prev_op for op in ops] == [None, *ops[:-1]]
    assert [op.next_op for op in ops] == [*ops[1:], None]
    assert all(op.parent is block for op in ops)
    assert block.last_op is ops[3]
    block.erase_op(ops[0])
    block.erase_op(ops[3])
    assert list(block.ops) == ops[1:3]
