"""The program between kernels: launches, and effects carried out by the runtime or a C function."""

from collections.abc import Callable, Mapping, Sequence

from xdsl.ir import Operation, SSAValue

from stepwell.compiler.dialects.llvm.types import i32, i64, ptr
from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.loop.host import AssertOp, CustomOp, HostOp, LaunchOp
from stepwell.compiler.dialects.loop.types import buffer_type
from stepwell.compiler.lower.loop_to_llvm.callees import Callee
from stepwell.compiler.lower.loop_to_llvm.context import fail, read
from stepwell.compiler.lower.loop_to_llvm.frame import Frame, FunctionFrame
from stepwell.runtime.context import Error, Word
from stepwell.runtime.errors import CompileError


def launch(frame: Frame, op: LaunchOp) -> None:
    """A call; where it failed the caller fails, too, and the context already knows why."""
    build = frame.build
    callee = frame.program.callees[op.callee.string_value()]
    arguments = _arguments(frame, op, callee)
    if not callee.may_fail:
        build.call_void(callee.body, arguments)
        return
    status = build.call(callee.body, arguments, i32)
    _function(frame, op)
    with build.if_(build.icmp("ne", status, 0)):
        build.ret(1)


def _arguments(frame: Frame, op: LaunchOp, callee: Callee) -> list[SSAValue]:
    """As `functions.parameters` lists them."""
    bound = op.bindings.sizes
    context = [frame.context] if callee.needs_context else []
    shown = [_function(frame, op).shown_sizes] if callee.may_show else []
    given = [frame.values[argument] for argument in op.arguments]
    return [*context, *shown, *given, *(frame.sizes.value(bound[name]) for name in callee.sizes)]


def assert_(frame: Frame, op: AssertOp) -> None:
    build, function = frame.build, _function(frame, op)
    with build.if_(build.xor(frame.values[op.condition], 1)):
        fail(build, function.context, Error.ASSERTION, op.site.data)


def host(frame: Frame, op: HostOp) -> None:
    build, function = frame.build, _function(frame, op)
    site = op.site.data
    pointers = _stored(frame, [frame.values[argument] for argument in op.arguments])
    arguments = [function.context, build.constant(i64, site), pointers, function.shown_sizes]
    status = build.call(read(build, function.context, Word.HOST), arguments, i32)
    with build.if_(build.icmp("ne", status, 0)):
        fail(build, function.context, Error.HOST, site)


def custom(frame: Frame, op: CustomOp) -> None:
    """`sizes` are the sizes of all buffers, one after the other."""
    build, function = frame.build, _function(frame, op)
    number = frame.program.imports[op.symbol.data]
    table = read(build, function.context, Word.IMPORTS)
    pointers = _stored(frame, [frame.values[argument] for argument in op.arguments])
    shapes = [buffer_type(argument).shape for argument in op.arguments]
    sizes = _stored(frame, [frame.sizes.value(size) for shape in shapes for size in shape])
    address = build.load(build.gep(table, number, i64), ptr)
    status = build.call(address, [pointers, sizes], i32)
    with build.if_(build.icmp("ne", status, 0)):
        fail(build, function.context, Error.CUSTOM, number)


def _function(frame: Frame, op: Operation) -> FunctionFrame:
    """The frame of a function: a task can neither fail nor take its turn among effects."""
    if not isinstance(frame, FunctionFrame):
        sentence = f"{op.name} may fail or has an effect, but stands within loop.parallel"
        raise CompileError("SW0241", sentence, where=source_line(op.location))
    return frame


def _stored(frame: Frame, values: Sequence[SSAValue]) -> SSAValue:
    """The values in an array on the stack."""
    build = frame.build
    place = frame.room(i64, max(len(values), 1))
    for number, value in enumerate(values):
        build.store(value, build.gep(place, number, i64))
    return place


BETWEEN_KERNELS: Mapping[type[Operation], Callable[..., None]] = {
    LaunchOp: launch,
    AssertOp: assert_,
    HostOp: host,
    CustomOp: custom,
}
