"""Compiles functions for each machine that this processor is, and runs them in this process."""

import ctypes
from collections.abc import Callable

import numpy as np
import pytest
from llvmlite import binding
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.compiler.dialects.llvm_builder import LlvmBuilder
from stepwell.compiler.machines import MACHINES, Machine
from stepwell.compiler.targets.cpu import compile_object
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime.code import load

Argument = NDArray[np.generic] | int
Call = Callable[..., int]


def available() -> list[str]:
    """The machines whose code this processor runs."""
    features = tuple(name for name, has in binding.get_host_cpu_features().items() if has)
    return [name for name in ("x86-64-v3", "x86-64-v4") if MACHINES[name].runs_on(features)]


@pytest.fixture(params=available())
def machine(request: pytest.FixtureRequest) -> Machine:
    return MACHINES[request.param]


@pytest.fixture
def compiled(machine: Machine) -> Callable[..., Call]:
    """Compile a function, with others that it needs; call it with arrays and 64-bit integers."""

    def compile_and_load(main: LlvmBuilder, *others: LlvmBuilder | Operation) -> Call:
        ops = [part.function if isinstance(part, LlvmBuilder) else part for part in (main, *others)]
        module = ModuleOp(ops)
        module.verify()
        name = main.function.sym_name.data
        code = load(compile_object(module_text(module), machine), name)
        function = ctypes.CFUNCTYPE(ctypes.c_int64)(code.address(name))

        def call(*arguments: Argument) -> int:
            assert code is not None  # which keeps the memory
            return function(*map(passed, arguments))

        return call

    return compile_and_load


def passed(argument: Argument) -> ctypes.c_void_p | ctypes.c_int64:
    if isinstance(argument, np.ndarray):
        return ctypes.c_void_p(argument.ctypes.data)
    return ctypes.c_int64(argument)
