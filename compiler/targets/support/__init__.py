"""The machine code that goes with every program: the pool of threads, and the thunk of calls."""

from functools import cache

from xdsl.dialects.builtin import ModuleOp

from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.targets.cpu import compile_object
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.compiler.targets.support.pool import pool_functions
from stepwell.compiler.targets.support.thunk import thunk_functions


@cache
def support_object(machine: Machine) -> bytes:
    """Both as one relocatable object; made once per process.

    With the least effort: the pool waits for memory and the thunk for CPython, not for their own
    instructions, and the first program of every process waits for this.
    """
    return compile_object(module_text(support_module(machine.architecture)), machine, effort=0)


def support_module(architecture: str = "x86_64") -> ModuleOp:
    """The code at the llvm level, for a processor of the pool's `ARCHITECTURES`."""
    return ModuleOp([*pool_functions(architecture), *thunk_functions()])
