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

from stepwell.compiler.dialects.loop.host import FuncOp
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.lower.loop_to_llvm import control, divider, extremes, math_functions, memory
from stepwell.compiler.lower.loop_to_llvm.callees import imports, survey
from stepwell.compiler.lower.loop_to_llvm.frame import refusal
from stepwell.compiler.lower.loop_to_llvm.functions import define, define_entry
from stepwell.compiler.lower.loop_to_llvm.host import BETWEEN_KERNELS
from stepwell.compiler.lower.loop_to_llvm.program import Program, Statements
from stepwell.compiler.machines import X86_64_V4, Machine, machine_named

STATEMENTS: Statements = {
    **dict.fromkeys(math_functions.NAMES, math_functions.evaluate),
    **dict.fromkeys(divider.EXACT, divider.evaluate),
    **dict.fromkeys(extremes.WAYS, extremes.evaluate),
    **memory.STATEMENTS,
    **control.STATEMENTS,
    **BETWEEN_KERNELS,
}


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
            raise refusal(op)
    callees = survey(module, machine.is_gpu)
    program = Program(callees, imports(callees), machine, statements)
    for callee in callees.values():
        define(program, callee)
        if callee.is_entry:
            define_entry(program, callee)
    return program


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
