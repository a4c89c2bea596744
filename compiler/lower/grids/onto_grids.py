"""The pass `onto-grids`: what a program for a GPU does to memory, the GPU's threads do.

A `loop.parallel` becomes a grid with a thread for each index. What is left between grids and is
more than a copy of a whole buffer becomes a grid of one thread. Sizes, indices, control flow and
launches stay with the host, which reads from the GPU's memory only what decides its way.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects import arith, gpu
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.compiler.dialects.construct import append, construct, operands_of
from stepwell.compiler.dialects.loop.explicit import (
    ForOp,
    GatherOp,
    IfOp,
    LoadOp,
    ParallelOp,
    ScatterOp,
    StoreOp,
)
from stepwell.compiler.dialects.loop.host import (
    EFFECTS,
    TERMINATORS,
    CopyOp,
    FuncOp,
    LaunchOp,
    WhileOp,
)
from stepwell.compiler.dialects.loop.nests import KernelOp, YieldOp
from stepwell.compiler.lower.grids.launch import BLOCK, THREAD, empty_body, launch
from stepwell.compiler.lower.grids.owners import (
    Owner,
    Write,
    elements_of,
    may_be_shared,
    root_of,
    threads_for,
    writes_of,
)
from stepwell.compiler.lower.writer import Bound, Writer

THREADS = 256
"""Of a block, in grids with a thread for each index."""
WARP = 32
FEWEST = 64
"""Of a block that is one of several."""
BLOCKS = 264
"""Twice as many as a card has multiprocessors."""

HOSTS = (LaunchOp, gpu.LaunchOp, ParallelOp, *EFFECTS)
"""What only the host does."""
ACCESSES = (LoadOp, StoreOp, GatherOp, ScatterOp)
STRUCTURES = (ForOp, IfOp, WhileOp)


@final
@dataclass(frozen=True)
class OntoGrids(ModulePass):
    """Of kernels those whose plans are expanded."""

    name = "onto-grids"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for each in op.ops:
            if isinstance(each, FuncOp | KernelOp):
                _convert(each.body.block)


def _convert(block: Block) -> None:
    """Moves each run of ops between those of the host onto the GPU, if one of them works there."""
    run: list[Operation] = []
    hosted = set(_hosted(block))
    for op in list(block.ops):
        if op not in hosted:
            run.append(op)
            continue
        if _acts(op):
            _move(run, op)
            run = []
        if isinstance(op, ParallelOp):
            _thread_for_each(op)
        elif not isinstance(op, gpu.LaunchOp):
            for region in op.regions:
                _convert(region.block)
    if run:
        _move(run, None)


def _hosted(block: Block) -> Iterator[Operation]:
    """The ops of a block that the host runs: what decides its way, and what that needs."""
    needed: set[Operation] = set()
    told = _told(block)
    for op in reversed(list(block.ops)):
        if op in needed or _is_hosts(op, told):
            needed.update(_sources(op))
            yield op


def _told(block: Block) -> set[Operation]:
    """The ops of a block that the GPU's memory has told something."""
    told: set[Operation] = set()
    for op in block.ops:
        if isinstance(op, LoadOp) or any(each.owner in told for each in operands_of(op)):
            told.add(op)
    return told


def _is_hosts(op: Operation, told: Set[Operation]) -> bool:
    if isinstance(op, STRUCTURES):
        inside = list(op.walk())
        works = any(isinstance(each, ACCESSES) for each in inside)
        return any(isinstance(each, HOSTS) for each in inside) or not works
    if isinstance(op, CopyOp):
        return op not in told
    return isinstance(op, (*HOSTS, *TERMINATORS))


def _sources(op: Operation) -> Iterator[Operation]:
    """What computes the values that an op uses, also in its regions."""
    for each in op.walk():
        for operand in operands_of(each):
            if isinstance(operand.owner, Operation):
                yield operand.owner


def _acts(op: Operation) -> bool:
    """Whether it matters what happened to memory before an op."""
    return isinstance(op, (*HOSTS, *ACCESSES, *STRUCTURES, CopyOp, *TERMINATORS))


def _move(run: Sequence[Operation], before: Operation | None) -> None:
    """Of a run of ops those that write, each after what it needs, as grids; others stay. Writes
    to the same buffer, one after the other, are one grid."""
    group: list[Operation] = []
    target: SSAValue | None = None
    for op in run:
        writes = writes_of([op])
        if writes and target not in (None, root_of(writes[0].target)):
            _launch(group, op)
            group = []
        target = root_of(writes[0].target) if writes else target
        group.append(op)
    _launch(group, before)


def _launch(group: Sequence[Operation], before: Operation | None) -> None:
    """A group of ops as a grid, unless all that they do is compute; what is used behind them
    stays. Where they cannot be shared out they are one thread's, or the host's if they copy."""
    if not writes_of(group):
        return
    inside = set(group)
    for op in reversed(group):
        if any(_around(use.operation, op) not in inside for x in op.results for use in x.uses):
            inside.discard(op)
    moved = [op for op in group if op in inside]
    writes, shared = writes_of(moved), may_be_shared(moved)
    if not shared and any(isinstance(each, CopyOp) for each in writes):
        return
    parent, outside, body = moved[-1].parent, Block(), empty_body()
    assert parent is not None
    writer = Writer(outside)
    writer.location = moved[0].location
    for op in moved:
        op.detach()
        body.add_op(op)
    blocks: Bound = 1
    size = 1
    if shared:
        elements = elements_of(writes[0])
        count = threads_for(elements)
        size = min(count, THREADS)
        blocks = writer.ceiling(writer.smaller(writer.extent(elements), count), size)
        _own(body, size, count, writes)
    grid, block, one = (writer.value(each) for each in (blocks, size, 1))
    outside.add_op(launch(grid, block, one, body, writer.location))
    _put(parent, before, outside)


def _own(body: Block, size: int, count: int, writes: Sequence[Write]) -> None:
    """A thread for each number below `count`, as far as there are so many elements."""
    place = Block()
    writer = Writer(place)
    writer.location = writes[0].location
    first = writer.multiply(body.args[BLOCK], size)
    owner = Owner(writer.value(writer.add(first, body.args[THREAD])), count)
    for each in writes:
        owner.take(each)
    Rewriter.inline_block(place, InsertPoint.at_start(body))


def _around(op: Operation, sibling: Operation) -> Operation | None:
    """The op in the block of another that holds this one, or is it."""
    found: Operation | None = op
    while found is not None and found.parent is not sibling.parent:
        found = found.parent_op()
    return found


def _thread_for_each(op: ParallelOp) -> None:
    """A grid of as many blocks as there are threads for all indices; the last block has some that
    do nothing."""
    parent, outside, body = op.parent, Block(), empty_body()
    assert parent is not None
    count = _known(op.bound)
    size = THREADS if count is None else _block_of(count)
    writer = Writer(outside)
    writer.location = op.location
    blocks = writer.value(writer.ceiling(op.bound if count is None else count, size))
    threads, one = writer.value(size), writer.value(1)
    _where_inside(op, body, size)
    made = launch(blocks, threads, one, body, op.location)
    made.attributes.update(op.attributes)
    outside.add_op(made)
    _put(parent, op, outside)
    op.detach()
    op.erase()


def _block_of(count: int) -> int:
    """Threads of a block, of which there are fewer where multiprocessors would have none."""
    if count <= THREADS:
        return -(-max(count, 1) // WARP) * WARP
    return min(THREADS, max(FEWEST, count // BLOCKS // WARP * WARP))


def _where_inside(op: ParallelOp, body: Block, size: int) -> None:
    """The loop's body in that of a grid, for the threads that have an index of the loop."""
    writer, block = Writer(body), op.body.block
    writer.location = op.location
    first = writer.multiply(body.args[BLOCK], size)
    index = writer.value(writer.add(first, body.args[THREAD]))
    condition = writer.compare("lt", index, op.bound)
    block.args[0].replace_all_uses_with(index)
    block.erase_arg(block.args[0])
    op.body.detach_block(block)
    choice = construct(IfOp, (condition,), location=op.location)
    for each in (block, Block()):
        append(each, construct(YieldOp, location=op.location))
        choice.add_region(Region(each))
    body.add_op(choice)


def _known(bound: SSAValue) -> int | None:
    """A bound that is a constant."""
    match bound.owner:
        case arith.ConstantOp(value=IntegerAttr(type=IndexType()) as value):
            return value.value.data
        case _:
            return None


def _put(block: Block, before: Operation | None, made: Block) -> None:
    """The ops of a block before one of another, or at that one's end."""
    for op in list(made.ops):
        op.detach()
        if before is None:
            block.add_op(op)
        else:
            block.insert_op_before(op, before)
