"""Runs explicit loops as machine code and in the interpreter, and compares their bytes."""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import pytest
from llvmlite import binding
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects import arith, builtin, math
from xdsl.dialects.builtin import ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import Block, Region
from xdsl.parser import Parser

from stepwell.compiler.dialects.loop import LOOP
from stepwell.compiler.dialects.loop.host import FuncOp, LaunchOp
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.sizes import BindingsAttr, NumberAttr
from stepwell.compiler.interpret.loops import run_function
from stepwell.compiler.lower.loop_to_llvm import lower
from stepwell.compiler.machines import MACHINES, Machine
from stepwell.compiler.targets.cpu import compile_object
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime.code import load
from stepwell.runtime.context import HostFunction, Words
from stepwell.runtime.pool import ParallelFor, Task
from stepwell.runtime.sizes import Size

Array = NDArray[np.generic]
Host = Callable[[int, Sequence[int], int], int]
Custom = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)
Entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
GUARD = 0xAB


def parsed(source: str) -> ModuleOp:
    context = Context()
    for dialect in (builtin.Builtin, arith.Arith, math.Math, LOOP):
        context.load_dialect(dialect)
    return Parser(context, source).parse_module()


def add_entries(module: ModuleOp) -> None:
    """Gives a module of kernels an entry point `run` that launches the last one."""
    if any(isinstance(op, FuncOp) for op in module.ops):
        return
    kernel = module.body.block.last_op
    assert isinstance(kernel, KernelOp)
    block = Block(arg_types=[argument.type for argument in kernel.arguments])
    names = [name for name, _ in kernel.symbols.data]
    bindings = BindingsAttr(tuple((name, Size.of(name)) for name in names))
    properties = {"callee": SymbolRefAttr(kernel.sym_name.data), "bindings": bindings}
    block.add_op(LaunchOp.create(operands=block.args, properties=properties))
    module.body.block.add_op(
        FuncOp.create(
            properties={
                "sym_name": StringAttr("run"),
                "symbols": kernel.symbols,
                "outputs": NumberAttr(len(kernel.arguments)),
            },
            regions=[Region(block)],
        )
    )


class Native:
    """A module as machine code in this process."""

    def __init__(self, module: ModuleOp, machine: Machine) -> None:
        lowered = lower(module, machine)
        lowered.verify()
        self.text = module_text(lowered)
        self.code = load(compile_object(self.text, machine), "test")
        self.words = Words(version=1)

    def run(
        self,
        name: str,
        arrays: Sequence[Array],
        sizes: Sequence[int] = (),
        *,
        workspace: int = 0,
        host: Host | None = None,
        imports: Sequence[Callable[[int, int], int]] = (),
    ) -> int:
        """What the entry point answers."""
        numbers = (ctypes.c_int64 * len(sizes))(*sizes)
        arena = np.full(workspace + 64, GUARD, np.uint8)
        start = -arena.ctypes.data % 64
        parallel_for = ParallelFor(_in_uneven_ranges)
        answer = HostFunction(_host(host)) if host else HostFunction()
        functions = [Custom(function) for function in imports]
        table = (ctypes.c_void_p * len(functions))(
            *[ctypes.cast(function, ctypes.c_void_p).value for function in functions]
        )
        words = self.words
        words.workspace = arena.ctypes.data + start
        words.parallel_for = ctypes.cast(parallel_for, ctypes.c_void_p).value or 0
        words.host = ctypes.cast(answer, ctypes.c_void_p).value or 0
        words.imports = ctypes.addressof(table)
        pointers = (ctypes.c_void_p * len(arrays))(*[array.ctypes.data for array in arrays])
        entry = Entry(self.code.address(name))
        status = entry(ctypes.addressof(words), pointers, numbers)
        assert np.all(arena[:start] == GUARD)
        assert np.all(arena[start + workspace :] == GUARD)
        return status


def _host(function: Host) -> Callable[[int, int, int, int], int]:
    def called(context: int, site: int, operands: int, sizes: int) -> int:
        return function(site, (ctypes.c_int64 * 4).from_address(operands), sizes)

    return called


def _in_uneven_ranges(pool: int, task: int, arguments: int, count: int) -> None:
    """Last range first, and an empty one between."""
    middle = count // 3
    for begin, end in ((middle, count), (middle, middle), (0, middle)):
        Task(task)(arguments, begin, end)


def available() -> list[str]:
    features = tuple(name for name, has in binding.get_host_cpu_features().items() if has)
    return [name for name in ("x86-64-v3", "x86-64-v4") if MACHINES[name].runs_on(features)]


@pytest.fixture(params=available())
def machine(request: pytest.FixtureRequest) -> Machine:
    return MACHINES[request.param]


@pytest.fixture
def parse() -> Callable[[str], ModuleOp]:
    return parsed


@pytest.fixture
def native(machine: Machine) -> Callable[[str], Native]:
    return lambda source: Native(parsed(source), machine)


@pytest.fixture
def agree(machine: Machine) -> Callable[..., list[Array]]:
    """Runs `source` both ways on copies of the arrays, and gives them as both leave them."""

    def compared(
        source: str,
        arrays: Sequence[Array],
        sizes: Mapping[str, int] | None = None,
        workspace: int = 0,
    ) -> list[Array]:
        module, native = _compiled(source, machine)
        name = next(op.sym_name.data for op in module.ops if isinstance(op, FuncOp))
        sizes = sizes or {}
        expected = [array.copy() for array in arrays]
        found = [array.copy() for array in arrays]
        room = [np.zeros(workspace, np.uint8)] if workspace else []
        run_function(module, name, [*expected, *room], sizes)
        assert native.run(name, found, list(sizes.values()), workspace=workspace) == 0
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert _same(one, other), f"argument {number}:\n{one}\n{other}"
        return found

    return compared


@cache
def _compiled(source: str, machine: Machine) -> tuple[ModuleOp, Native]:
    module = parsed(source)
    add_entries(module)
    return module, Native(module, machine)


def _same(one: Array, other: Array) -> bool:
    """Bit for bit, but any NaN is as good as another."""
    nan = np.not_equal(one, one) & np.not_equal(other, other)
    different = one.view(f"V{one.itemsize}") != other.view(f"V{other.itemsize}")
    return not np.any(different & ~nan)
