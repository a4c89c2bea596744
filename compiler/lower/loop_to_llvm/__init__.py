"""From loops to instructions: explicit kernels and functions as a module of the llvm dialect.

One walk in the order of the program: each value of the loop level is mapped to one of the llvm
level, and each op has its handler in a table. Nothing is rewritten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.construct import operands_of
from stepwell.compiler.dialects.locations import source_line
from stepwell.compiler.dialects.loop.host import ConditionOp, FuncOp
from stepwell.compiler.dialects.loop.nests import KernelOp, YieldOp
from stepwell.compiler.lower.loop_to_llvm import divider, extremes, host, math_functions, memory
from stepwell.compiler.lower.loop_to_llvm.callees import imports, survey
from stepwell.compiler.lower.loop_to_llvm.control import STRUCTURES
from stepwell.compiler.lower.loop_to_llvm.frame import Frame
from stepwell.compiler.lower.loop_to_llvm.functions import define, define_entry
from stepwell.compiler.lower.loop_to_llvm.program import Program, Statements
from stepwell.compiler.lower.loop_to_llvm.scalars import INSTRUCTIONS, WITH_PROPERTIES
from stepwell.compiler.machines import X86_64_V4, Machine, machine_named
from stepwell.runtime.errors import CompileError

STATEMENTS: Statements = {
    **dict.fromkeys(math_functions.NAMES, math_functions.evaluate),
    **dict.fromkeys(divider.EXACT, divider.evaluate),
    **dict.fromkeys(extremes.WAYS, extremes.evaluate),
    **memory.STATEMENTS,
    **host.STATEMENTS,
}
TERMINATORS = (YieldOp, ConditionOp)


def lower(module: ModuleOp, machine: Machine = X86_64_V4) -> ModuleOp:
    """The module at the llvm level, in instructions that the machine has.

    It exports the entry points, `i32 NAME(ptr context, ptr arguments, ptr sizes)`: functions over
    buffers that nothing launches, or that have the attribute `entry`. CompileError SW0240 for an op
    that an earlier stage should have replaced, SW0241 for an effect on several threads.
    """
    return ModuleOp(program_of(module, machine, STATEMENTS).operations)


def program_of(module: ModuleOp, machine: Machine, statements: Statements) -> Program:
    """The module's functions and kernels, each as a function. For a GPU any of them may fail."""
    for op in module.ops:
        if not isinstance(op, FuncOp | KernelOp):
            raise _refusal(op)
    callees = survey(module, machine.is_gpu)
    program = Program(callees, imports(callees), machine, statements)
    for callee in callees.values():
        define(lower_block, program, callee)
        if callee.is_entry:
            define_entry(program, callee)
    return program


def lower_block(frame: Frame, block: Block) -> None:
    """Emits what a block's ops do; its terminator is left to the op around it."""
    build, values, statements = frame.build, frame.values, frame.program.statements
    outside = build.location
    for op in block.ops:
        kind = type(op)
        build.location = op.location
        if (instruction := INSTRUCTIONS.get(kind)) is not None:
            operands = [values[operand] for operand in operands_of(op)]
            values[op.results[0]] = instruction(build, *operands)
        elif (statement := statements.get(kind)) is not None:
            statement(frame, op)
        elif (of_op := WITH_PROPERTIES.get(kind)) is not None:
            operands = [values[operand] for operand in operands_of(op)]
            values[op.results[0]] = of_op(build, op, *operands)
        elif (structure := STRUCTURES.get(kind)) is not None:
            structure(lower_block, frame, op)
        elif kind not in TERMINATORS:
            raise _refusal(op)
    build.location = outside


def _refusal(op: Operation) -> CompileError:
    return CompileError(
        "SW0240",
        f"{op.name} cannot become instructions: an earlier stage replaces it",
        where=source_line(op.location),
    )


def replace_ops(module: ModuleOp, ops: Sequence[Operation]) -> None:
    """Ops in the place of all that a module contains."""
    module.body.detach_block(module.body.block)
    module.body.add_block(Block(ops))


@final
@dataclass(frozen=True)
class LoopToLlvm(ModulePass):
    """The pass `loop-to-llvm`: the module's contents give way to their instructions."""

    name = "loop-to-llvm"

    machine: str = X86_64_V4.name

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        replace_ops(op, program_of(op, machine_named(self.machine), STATEMENTS).operations)
