"""Grids whose threads work together block by block: their places, shared memory and barriers."""

from collections.abc import Callable, Mapping

from xdsl.dialects import gpu
from xdsl.dialects.builtin import ModuleOp, i8
from xdsl.dialects.llvm import GlobalOp
from xdsl.ir import Attribute, Operation, Region, SSAValue

from stepwell.compiler.dialects.construct import append, construct
from stepwell.compiler.dialects.gpu.memory import SharedOp
from stepwell.compiler.dialects.llvm.types import array, i32, size
from stepwell.compiler.dialects.loop.types import buffer, buffer_type
from stepwell.compiler.dialects.sizes import NumberAttr
from stepwell.compiler.lower.grids.launch import BLOCK, SEGMENTS, THREAD, empty_body
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.types import in_memory
from stepwell.compiler.lower.writer import Bound, Writer
from stepwell.runtime.sizes import Size

BARRIER = "llvm.nvvm.barrier.cta.sync.aligned.all"
SHARED = 3
"""The address space of what the threads of a block have in common."""
SHARED_BYTES = 48 << 10
"""That a block of any GPU may have of it, as far as they are fixed when it is compiled."""
ALIGNMENT = 64
"""In bytes, of the place where it begins."""


def in_blocks(
    writer: Writer, count: Bound, threads: int, inside: Callable[[Writer, Bound, Bound], None]
) -> None:
    """A grid of so many blocks of so many threads: `inside` writes what one of them does, given the
    numbers of its block and of the thread in it."""
    body = empty_body()
    within = Writer(body)
    within.location = writer.location
    inside(within, body.args[BLOCK], body.args[THREAD])
    append(body, construct(gpu.TerminatorOp, location=writer.location))
    one = writer.value(1)
    extents = (writer.value(count), one, one, writer.value(threads), one, one)
    writer.effect(gpu.LaunchOp, extents, (), SEGMENTS, [Region(body)])


def share(writer: Writer, count: int, element: Attribute) -> SSAValue:
    """Memory of the block for so many elements."""
    return writer.effect(SharedOp, (), (buffer((Size.of(count),), element),)).results[0]


def share_rest(writer: Writer, bytes: Size, most: int) -> SSAValue:
    """So many bytes of the block's memory that the launch adds: there may be more of them, and as
    many as the sizes of a call tell, up to `most`."""
    dynamic = {"dynamic": NumberAttr(most)}
    return writer.effect(SharedOp, (), (buffer((bytes,), i8),), dynamic).results[0]


def shared_bytes(inside: Operation, *, fixed: bool = False) -> int:
    """What a block of a grid has at most of it, or what it has in any case, if that is `fixed`."""
    return sum(
        op.dynamic.data if op.dynamic else (type.count.static or 0) * size(type.element)
        for op in inside.walk()
        if isinstance(op, SharedOp) and not (op.dynamic and fixed)
        for type in [buffer_type(op.result)]
    )


def most_shared(module: ModuleOp) -> int:
    """What a block of any grid has of it."""
    grids = (op for op in module.walk() if isinstance(op, gpu.LaunchOp))
    return max(map(shared_bytes, grids), default=0)


def wait(writer: Writer) -> None:
    """What any thread of the block has written to shared memory, all see from here on."""
    writer.effect(gpu.BarrierOp, ())


# As instructions.


def shared(frame: Frame, op: SharedOp) -> None:
    type = buffer_type(op.result)
    count, linkage = (0, "external") if op.dynamic else (type.count.static, "internal")
    assert count is not None
    name, kind = frame.program.unique("shared"), array(in_memory(type.element), count)
    made = GlobalOp(kind, name, linkage, SHARED, alignment=ALIGNMENT)
    made.location = op.location
    frame.program.add(made)
    frame.values[op.result] = frame.build.address_of(name, SHARED)


def barrier(frame: Frame, op: gpu.BarrierOp) -> None:
    frame.build.intrinsic_void(BARRIER, [frame.build.constant(i32, 0)])


STATEMENTS: Mapping[type[Operation], Callable[..., None]] = {
    SharedOp: shared,
    gpu.BarrierOp: barrier,
}
