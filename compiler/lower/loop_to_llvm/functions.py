"""Kernels and functions, and the entry points through which the runtime calls them."""

from collections.abc import Sequence

from xdsl.ir import SSAValue

from stepwell.compiler.dialects.llvm.types import i32, i64, ptr, void
from stepwell.compiler.dialects.llvm_builder import Parameter
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.lower.loop_to_llvm.callees import Callee
from stepwell.compiler.lower.loop_to_llvm.context import read
from stepwell.compiler.lower.loop_to_llvm.frame import FunctionFrame
from stepwell.compiler.lower.loop_to_llvm.program import Program
from stepwell.compiler.lower.loop_to_llvm.types import lowered
from stepwell.runtime.context import Word

ALONE = Parameter(ptr, ("noalias",))


def parameters(callee: Callee) -> list[Parameter]:
    """The context, the sizes that were given to the entry point, the arguments, and the symbols."""
    given = [
        ALONE
        if isinstance(argument.type, BufferType) and number not in callee.shared
        else Parameter(lowered(argument.type))
        for number, argument in enumerate(callee.arguments)
    ]
    leading = [Parameter(ptr)] * (callee.needs_context + callee.may_show)
    return [*leading, *given, *[Parameter(i64)] * len(callee.sizes)]


def define(program: Program, callee: Callee) -> None:
    """`void NAME(context, sizes, arguments, symbols)`, or i32 if it may fail: 0, or 1 if it did."""
    build = program.define(
        callee.body,
        parameters(callee),
        i32 if callee.may_fail else void,
        callee.definition.location,
    )
    given = iter(build.arguments)
    context = next(given) if callee.needs_context else None
    shown = next(given) if callee.may_show else None
    arguments = {argument: next(given) for argument in callee.arguments}
    symbols = dict(zip(callee.sizes, given, strict=True))
    frame = FunctionFrame(program, build, symbols, context, shown)
    frame.values.update(arguments)
    frame.lower(callee.definition.body.block)
    build.ret(0 if callee.may_fail else None)
    frame.close()


def define_entry(program: Program, callee: Callee) -> None:
    """`i32 NAME(context, arguments, sizes)`, which finds its buffers and sizes in two arrays.

    How many there are in each stands in `NAME.takes`, for the loader to compare.
    """
    build = program.define(
        callee.name, (ptr, ptr, ptr), i32, callee.definition.location, internal=False
    )
    context, table, sizes = build.arguments
    taken = len(callee.arguments) - (callee.arena is not None)
    counts = taken, len(callee.sizes)
    program.export(f"{callee.name}.takes", counts, callee.definition.location)
    buffers = [build.load(build.gep(table, number, i64), ptr) for number in range(taken)]
    if callee.arena is not None:
        buffers.append(read(build, context, Word.WORKSPACE))
    symbols = [build.load(build.gep(sizes, n, i64), i64) for n in range(len(callee.sizes))]
    leading: Sequence[SSAValue] = (
        *([context] if callee.needs_context else ()),
        *([sizes] if callee.may_show else ()),
    )
    arguments = [*leading, *buffers, *symbols]
    if callee.may_fail:
        build.ret(build.call(callee.body, arguments, i32))
    else:
        build.call_void(callee.body, arguments)
        build.ret(0)
