"""The pass `assign-buffers`: every buffer that a function allocates gets a place in one arena.

The arena is the function's last argument: an entry point takes it from its context, any other
function from its caller, for which it is one more buffer. Buffers that are never live together
share memory. Sizes that are multiples of one unit (1; B; floordiv(B + 15, 16)) are laid out
together, large ones first (Y. Pisarchyk, J. Lee, "Efficient memory management for deep neural net
inference", 2020), each in the tightest gap; the areas of different units follow one another.
"""

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import gcd
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Block, BlockArgument, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.traits import IsTerminator

from stepwell.compiler.dialects.construct import construct
from stepwell.compiler.dialects.llvm.types import i8
from stepwell.compiler.dialects.loop.host import AllocOp, FuncOp, LaunchOp, view_at
from stepwell.compiler.dialects.loop.syntax import Function
from stepwell.compiler.dialects.loop.types import BufferType, buffer, buffer_type
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.runtime.sizes import Size

ALIGNMENT = 64
WORKSPACE = "workspace"
"""The attribute of a function whose last argument is its arena."""


@final
@dataclass(frozen=True)
class AssignBuffers(ModulePass):
    """Replaces `loop.alloc` by views of the last argument, for callees before their callers."""

    name = "assign-buffers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        functions = {f.sym_name.data: f for f in op.ops if isinstance(f, FuncOp)}
        done: set[str] = set()
        for function in functions.values():
            _assign(function, functions, done)


def _assign(function: FuncOp, functions: dict[str, FuncOp], done: set[str]) -> None:
    if function.sym_name.data in done:
        return
    done.add(function.sym_name.data)
    for launch in [op for op in function.walk() if isinstance(op, LaunchOp)]:
        callee = functions.get(launch.callee.string_value())
        if callee is not None:
            _assign(callee, functions, done)
            if WORKSPACE in callee.attributes and len(launch.arguments) < len(callee.arguments):
                lend(launch, buffer_type(callee.arguments[-1]).bytes)
    allocations = [op for op in function.walk() if isinstance(op, AllocOp)]
    if allocations:
        _replace(function, allocations)


def with_workspace(function: Function, bytes: Size) -> BlockArgument:
    """One more output of a function or a kernel, of so many bytes."""
    block = function.body.block
    function.properties["outputs"] = NumberAttr(function.outputs.data + 1)
    return block.insert_arg(buffer((bytes,), i8), len(block.args))


def lend(launch: LaunchOp, bytes: Size) -> None:
    """Hands the callee so many bytes, a size of its own symbols, as its workspace."""
    type = buffer((bytes.substitute(launch.bindings.sizes),), i8)
    lent = construct(AllocOp, (), (type,), location=launch.location)
    Rewriter.insert_op(lent, InsertPoint.before(launch))
    launch.operands = (*launch.operands, lent.result)


def _replace(function: FuncOp, allocations: Sequence[AllocOp]) -> None:
    offsets, total = layout(requests(function.body.block, allocations))
    arena = with_workspace(function, total)
    arena.name_hint = WORKSPACE
    function.attributes[WORKSPACE] = UnitAttr()
    for allocation, offset in zip(allocations, offsets, strict=True):
        view = view_at(arena, offset, allocation.result.type, allocation.location)
        Rewriter.replace_op(allocation, view)


@final
@dataclass(frozen=True)
class Request:
    """A buffer of `bytes`, a multiple of 64 where it is static, live from `first` to `last`."""

    bytes: Size
    first: int
    last: int

    @cached_property
    def amount(self) -> int:
        """How often it takes the unit."""
        return gcd(*(coefficient for _, coefficient in self.bytes.polynomial.terms))

    @cached_property
    def unit(self) -> Size:
        return self.bytes // self.amount if self.amount else Size.of(1)


def aligned(bytes: Size) -> Size:
    """The next multiple of 64, in a form that shows it to be one."""
    amount = gcd(*(coefficient for _, coefficient in bytes.polynomial.terms))
    return bytes if amount % ALIGNMENT == 0 else (bytes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def layout(wanted: Sequence[Request]) -> tuple[list[Size], Size]:
    """An offset for each request, all multiples of 64, and the bytes of the arena."""
    offsets: dict[int, Size] = {}
    total = Size.of(0)
    for unit in dict.fromkeys(request.unit for request in wanted):
        area = Area()
        members = [number for number, request in enumerate(wanted) if request.unit == unit]
        for number in sorted(members, key=lambda n: -wanted[n].amount):
            offsets[number] = total + unit * area.place(wanted[number])
        total = total + unit * area.extent
    return [offsets[number] for number in range(len(wanted))], total


@final
@dataclass
class Area:
    """What lies where, in one unit: (start, end, first use, last use) by ascending start.

    Plain tuples, since a program with n buffers compares n² / 2 pairs of them.
    """

    placed: list[tuple[int, int, int, int]] = field(default_factory=list[tuple[int, int, int, int]])
    extent: int = 0

    def place(self, request: Request) -> int:
        """The start of the tightest gap between requests that are live together with this one."""
        amount, first, last = request.amount, request.first, request.last
        gap, best, end = None, 0, 0
        for start, stop, begin, until in self.placed:
            if begin > last or first > until:
                continue
            if start - end >= amount and (gap is None or start - end < gap):
                gap, best = start - end, end
            if stop > end:
                end = stop
        offset = end if gap is None else best
        insort(self.placed, (offset, offset + amount, first, last))
        self.extent = max(self.extent, offset + amount)
        return offset


def requests(block: Block, allocations: Iterable[AllocOp]) -> list[Request]:
    """Each allocation with the time of its first and its last use."""
    times: dict[Operation, tuple[int, int]] = {}
    _number(block, 0, times)
    return [_request(allocation, times) for allocation in allocations]


def _number(block: Block, time: int, times: dict[Operation, tuple[int, int]]) -> int:
    """When each op begins and ends; an op with regions lasts as long as they do."""
    for op in block.ops:
        begin = time
        for region in op.regions:
            for inner in region.blocks:
                time = _number(inner, time + 1, times)
        times[op] = (begin, time)
        time += 1
    return time


def _request(allocation: AllocOp, times: dict[Operation, tuple[int, int]]) -> Request:
    spans = [times[_beside(use, allocation)] for use in _users(allocation.result)]
    first = min((begin for begin, _ in spans), default=times[allocation][0])
    last = max((end for _, end in spans), default=times[allocation][1])
    return Request(aligned(buffer_type(allocation.result).bytes), first, last)


def _users(value: SSAValue) -> Iterator[Operation]:
    """What uses a buffer, or another one that lies in it or may be it."""
    for use in value.uses:
        yield use.operation
        source = use.operation
        if source.has_trait(IsTerminator) and (parent := source.parent_op()) is not None:
            source = parent
        for result in source.results:
            if isinstance(result.type, BufferType):
                yield from _users(result)


def _beside(op: Operation, allocation: AllocOp) -> Operation:
    """The op around `op` that lies in a block around `allocation`: a loop counts as a whole."""
    found, block = None, allocation.parent
    while found is None:
        assert block is not None
        found, block = block.find_ancestor_op_in_block(op), block.parent_block()
    return found
