"""Blocks of tensor ops as values: copying them, closing them, and their free variables."""

from collections.abc import Callable, Sequence

from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.ops.emission import current, emitting
from stepwell.compiler.ops.structure import YieldOp
from stepwell.compiler.ops.value import Value


def inline(block: Block, arguments: Sequence[Value]) -> list[Value]:
    """Copies the ops of a closed block here; what it yields."""
    copies: dict[SSAValue, SSAValue] = {
        old: new.ssa for old, new in zip(block.args, arguments, strict=True)
    }
    emitter = current()
    for op in block.ops:
        if op is block.last_op:
            return [Value(copies.get(operand, operand)) for operand in op.operands]
        copy = op.clone(copies)
        copy.location = op.location
        append(emitter.block, copy)
    return []


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
    return written_block(types, lambda arguments: inline(block, arguments))


def replace(op: Operation, values: Sequence[Value]) -> None:
    """Puts other values in the place of an op's results, and drops it."""
    for result, value in zip(op.results, values, strict=True):
        result.replace_all_uses_with(value.ssa)
    op.detach()
    op.erase()


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


def lift(block: Block, values: Sequence[SSAValue], at: int = 0) -> None:
    """Turns free variables into arguments of the block, from position `at`."""
    for offset, value in enumerate(values):
        argument = block.insert_arg(value.type, at + offset)
        argument.name_hint = value.name_hint
        value.replace_uses_with_if(argument, lambda use: _lies_in(use.operation, block))


def _lies_in(op: Operation, block: Block) -> bool:
    home = op.parent_block()
    while home is not None and home is not block:
        owner = home.parent_op()
        home = None if owner is None else owner.parent_block()
    return home is block
