"""The host's side of a program for a GPU: launches, copies and reads through the driver."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from xdsl.dialects import gpu
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import SSAValue

from stepwell.compiler.dialects.gpu.memory import SharedOp
from stepwell.compiler.dialects.llvm.cursor import Operand
from stepwell.compiler.dialects.llvm.types import i32, i64, ptr, size, void
from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.loop.explicit import LoadOp
from stepwell.compiler.dialects.loop.host import CopyOp, CustomOp, HostOp
from stepwell.compiler.dialects.loop.types import buffer_type
from stepwell.compiler.lower.grids.blocks import SHARED_BYTES, shared_bytes
from stepwell.compiler.lower.grids.frame import GridFrame
from stepwell.compiler.lower.grids.versions import NARROW
from stepwell.compiler.lower.loop_to_llvm import host
from stepwell.compiler.lower.loop_to_llvm.context import Error, Word, fail, read
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.program import Program
from stepwell.compiler.lower.loop_to_llvm.types import as_integer, in_memory
from stepwell.compiler.lower.writer import ZERO
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size

NO_LETTER = re.compile(r"[^a-zA-Z0-9_]")


@final
@dataclass
class Device:
    """The GPU's side of a program."""

    program: Program
    kernels: list[str] = field(default_factory=list[str])
    """Their names, by the numbers that the host knows them by."""

    def kernel(self, function: str) -> str:
        """The name of a new kernel that this function launches, in letters that PTX has."""
        self.kernels.append(f"{NO_LETTER.sub('_', function)}_{len(self.kernels)}")
        return self.kernels[-1]


def launch(device: Device, frame: Frame, op: gpu.LaunchOp) -> None:
    """The body becomes a kernel of the GPU, and the op a call of the driver, unless there is no
    block to run."""
    build, number = frame.build, len(device.kernels)
    grid = _outlined(device, frame, op)
    extents = [build.trunc(frame.values[each], i32) for each in _extents(op)]
    added = _added(op)
    if added.static is None:
        bytes = build.trunc(frame.sizes.value(added), i32)
    else:
        bytes = build.constant(i32, added.static)
    with build.if_(build.icmp("ne", frame.values[op.gridSizeX], 0)):
        table = read(build, frame.context, Word.KERNELS)
        kernel = build.load(build.gep(table, number, i64), ptr)
        stream = read(build, frame.context, Word.STREAM)
        nothing = build.null()
        parameters = _parameters(frame, grid.given)
        _call(frame, Word.LAUNCH, [kernel, *extents, bytes, stream, parameters, nothing])


def _outlined(device: Device, frame: Frame, op: gpu.LaunchOp) -> GridFrame:
    body = op.body.block
    name = device.kernel(frame.build.function.sym_name.data)
    _expect_room(name, op)
    build = device.program.define(
        name, (), void, op.location, internal=False, attributes=_bounds(op)
    )
    index = i32 if NARROW in op.attributes else i64
    grid = GridFrame(frame, device.program, build, body, index)
    grid.lower(body)
    build.ret()
    grid.close()
    return grid


def _added(op: gpu.LaunchOp) -> Size:
    """Bytes of shared memory that a block has beyond what is fixed when it is compiled."""
    shared = [each for each in op.walk() if isinstance(each, SharedOp)]
    return sum((each.result.type.count for each in shared if each.dynamic), start=ZERO)


def _expect_room(name: str, op: gpu.LaunchOp) -> None:
    """Raises CompileError SW0258 for a block that takes more shared memory than there is."""
    taken = shared_bytes(op, fixed=True)
    if taken > SHARED_BYTES:
        raise CompileError(
            "SW0258",
            f"a block of {name} takes {taken} bytes of shared memory; it may have {SHARED_BYTES}",
            where=source_line(op.location),
        )


def _bounds(op: gpu.LaunchOp) -> Sequence[tuple[str, str]]:
    """Tells the assembler how many threads a block has, and that one block at a time is enough: it
    may use all their registers, where it would rather keep some in memory to have more blocks."""
    counts = [_known(each) for each in (op.blockSizeX, op.blockSizeY, op.blockSizeZ)]
    if None in counts:
        return ()
    return [("nvvm.reqntid", ",".join(map(str, counts))), ("nvvm.minctasm", "1")]


def _known(value: SSAValue) -> int | None:
    match value.owner:
        case ConstantOp(value=IntegerAttr() as number):
            return number.value.data
        case _:
            return None


def _extents(op: gpu.LaunchOp) -> Sequence[SSAValue]:
    return [
        *(op.gridSizeX, op.gridSizeY, op.gridSizeZ),
        *(op.blockSizeX, op.blockSizeY, op.blockSizeZ),
    ]


def _parameters(frame: Frame, given: Sequence[SSAValue]) -> SSAValue:
    """A table of the places of the values."""
    build, count = frame.build, max(len(given), 1)
    slots, table = frame.room(i64, count), frame.room(i64, count)
    for number, value in enumerate(given):
        place = build.gep(slots, number, i64)
        build.store(value, place)
        build.store(place, build.gep(table, number, i64))
    return table


def read_back(frame: Frame, op: LoadOp) -> None:
    """One element, for which the host waits until the stream has come to it."""
    element, here = in_memory(buffer_type(op.source).element), frame.room(i64, 1)
    _copy(frame, here, frame.place(op.source, op.offset), size(element))
    wait(frame)
    frame.values[op.result] = frame.build.load(here, frame.type_of(op.result))


def copy(frame: Frame, op: CopyOp) -> None:
    type = buffer_type(op.source)
    bytes = frame.sizes.operand(type.count * size(as_integer(type.element)))
    _copy(frame, frame.values[op.target], frame.values[op.source], bytes)


def _copy(frame: Frame, target: SSAValue, source: SSAValue, bytes: Operand) -> None:
    build = frame.build
    places = [build.ptrtoint(target), build.ptrtoint(source), build.value(bytes, i64)]
    _call(frame, Word.COPY, [*places, read(build, frame.context, Word.STREAM)])


def wait(frame: Frame) -> None:
    _call(frame, Word.WAIT, [read(frame.build, frame.context, Word.STREAM)])


def show(frame: Frame, op: HostOp) -> None:
    """The callback reads the operands from the GPU, when all that was launched is done."""
    wait(frame)
    host.host(frame, op)


def refuse(frame: Frame, op: CustomOp) -> None:
    """Raises CompileError SW0242: a C function reads memory of the host."""
    raise CompileError(
        "SW0242",
        f"the C function {op.symbol.data} cannot be called in a program for a GPU",
        where=source_line(op.location),
    )


def _call(frame: Frame, word: Word, arguments: Sequence[SSAValue]) -> None:
    """Calls a function of the driver; another status than 0 ends the entry."""
    build = frame.build
    status = build.call(read(build, frame.context, word), arguments, i32)
    with build.if_(build.icmp("ne", status, 0)):
        fail(build, frame.context, Error.DEVICE, build.zext(status, i64))
