"""Blocks of tensor ops as values: copying them, closing them, and their free variables."""

from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import LocationAttr, StringAttr
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import Rewriter

from stepwell.compiler.dialects.construct import append, construct, operands_of
from stepwell.compiler.dialects.sizes import SymbolsAttr
from stepwell.compiler.ops.emission import current, emitting
from stepwell.compiler.ops.structure import PRIVATE, FuncOp, ReturnOp, YieldOp
from stepwell.compiler.ops.value import Value


def inline(block: Block, arguments: Sequence[Value]) -> list[Value]:
    """Copies the ops of a closed block here; what it yields."""
    copies: dict[SSAValue, SSAValue] = {
        old: new.ssa for old, new in zip(block.args, arguments, strict=True)
    }
    home = current().block
    *ops, last = block.ops
    for op in ops:
        append(home, again(op, copies))
    return [Value(copies.get(operand, operand)) for operand in last.operands]


def again(op: Operation, copies: dict[SSAValue, SSAValue]) -> Operation:
    """A detached copy of an op, with copies of its operands; its results join them.

    For ops without regions it takes a third of the time of `clone`.
    """
    if op.regions:
        return op.clone(copies)
    operands = [copies.get(operand, operand) for operand in operands_of(op)]
    copy = construct(type(op), operands, op.result_types, op.properties, op.location)
    copy.attributes.update(op.attributes)
    for old, new in zip(op.results, copy.results, strict=True):
        new.name_hint = old.name_hint
        copies[old] = new
    return copy


def written_block(
    types: Sequence[Attribute], write: Callable[[list[Value]], Sequence[Value]]
) -> Block:
    """A closed block over arguments of these types, which yields what `write` makes of them."""
    block = Block(arg_types=types)
    with emitting(block, current().location):
        close(block, [value.ssa for value in write(list(map(Value, block.args)))])
    return block


def written(types: Sequence[Attribute], write: Callable[[list[Value]], Sequence[Value]]) -> Region:
    """The same as a region."""
    return Region(written_block(types, write))


def copied(block: Block) -> Block:
    """A closed block again."""
    types = [argument.type for argument in block.args]
    result = written_block(types, lambda arguments: inline(block, arguments))
    for old, new in zip(block.args, result.args, strict=True):
        new.name_hint = old.name_hint
    return result


def as_function(
    name: str, symbols: SymbolsAttr, block: Block, location: LocationAttr, *, private: bool = False
) -> FuncOp:
    """A closed block, which it takes over, as a function with these symbols."""
    last = end_of(block)
    values = tuple(last.operands)
    block.erase_op(last)
    append(block, construct(ReturnOp, values, (), {}, location))
    properties: dict[str, Attribute] = {"sym_name": StringAttr(name), "symbols": symbols}
    if private:
        properties["sym_visibility"] = StringAttr(PRIVATE)
    return construct(FuncOp, (), (), properties, location, regions=[Region(block)])


def replace(op: Operation, values: Sequence[Value]) -> None:
    """Puts other values in the place of an op's results, and drops it."""
    Rewriter.replace_op(op, (), [value.ssa for value in values])


def end_of(block: Block) -> Operation:
    """The op that a block ends with, whose operands are what the block gives."""
    last = block.last_op
    assert last is not None
    return last


def close(block: Block, values: Sequence[SSAValue]) -> None:
    """Ends a block with these values."""
    append(block, construct(YieldOp, values, (), {}, current().location))


def free_variables(block: Block) -> tuple[SSAValue, ...]:
    """The values that ops of the block, and of regions in it, use and nothing in it defines."""
    defined: set[SSAValue] = set(block.args)
    used: dict[SSAValue, None] = {}
    for op in block.walk():
        defined.update(op.results)
        for region in op.regions:
            for inner in region.blocks:
                defined.update(inner.args)
        used.update(dict.fromkeys(op.operands))
    return tuple(value for value in used if value not in defined)


def lift(block: Block, values: Sequence[SSAValue], behind: int = 0) -> None:
    """Turns free variables into arguments of the block, the first ones or behind so many."""
    for position, value in enumerate(values, behind):
        argument = block.insert_arg(value.type, position)
        argument.name_hint = value.name_hint
        value.replace_uses_with_if(argument, lambda use: block.is_ancestor(use.operation))
