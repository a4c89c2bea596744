"""Runs kernels as nests, as the loops of a plan and as machine code, and compares bit for bit."""

import ctypes
from collections.abc import Mapping, Sequence

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import Block, Region

from loop_text import parse_module
from stepwell.compiler.dialects.loop.host import FuncOp, LaunchOp
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import BufferType
from stepwell.compiler.dialects.sizes import BindingsAttr, NumberAttr
from stepwell.compiler.interpret.loops import run_kernel
from stepwell.compiler.lower.choose_plans import ChoosePlans
from stepwell.compiler.lower.expand_plans import ExpandPlans
from stepwell.compiler.lower.loop_to_llvm import lower
from stepwell.compiler.lower.strategies import Strategy
from stepwell.compiler.targets.cpu import compile_object, host
from stepwell.compiler.targets.llvm_text import module_text
from stepwell.runtime.code import load
from stepwell.runtime.context import Words
from stepwell.runtime.pool import ParallelFor, Task
from stepwell.runtime.sizes import Size

Array = NDArray[np.generic]
Sizes = Mapping[str, int]
DTYPES = {
    "i1": np.bool_,
    "i8": np.uint8,
    "i32": np.int32,
    "i64": np.int64,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
    "f64": np.float64,
}
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan)
Entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


def expanded(text: str, strategy: Strategy | None = None, machine: str = "x86-64-v4") -> KernelOp:
    """The kernel as explicit loops, verified; under the plan that fits best if none is given."""
    module = parse_module(text)
    kernel = kernel_of(module)
    if strategy is not None:
        kernel.properties["plan"] = strategy.plan
    ChoosePlans(machine).apply(Context(), module)
    ExpandPlans().apply(Context(), module)
    module.verify()
    return kernel


def kernel_of(module: ModuleOp) -> KernelOp:
    return next(op for op in module.ops if isinstance(op, KernelOp))


def agree(
    text: str,
    sizes: Sizes | None = None,
    strategy: Strategy | None = None,
    *,
    special: bool = False,
    native: bool = False,
    machine: str = "x86-64-v4",
) -> Sequence[Array]:
    """Checks that the loops leave in every output what the nests leave, and gives that.

    The loops run in the interpreter, or as machine code where `native`. With `special` some inputs
    are infinite, NaN or a zero with a sign.
    """
    sizes = sizes or {}
    kernel = kernel_of(parse_module(text))
    arrays = arrays_for(kernel, sizes, special)
    expected = [array.copy() for array in arrays]
    run_kernel(kernel, expected, sizes)
    explicit = expanded(text, strategy, machine)
    outputs = kernel.outputs.data
    run = run_natively if native else run_kernel
    found = [array.copy() for array in arrays]
    for output in found[len(found) - outputs :]:
        output.fill(1)
    extra = explicit.arguments[len(arrays) :]
    room = [np.full(shape_of(each.type, sizes), 0xA5, np.uint8) for each in extra]
    run(explicit, [*found, *room], sizes)
    for one, other in zip(found, expected, strict=True):
        assert same(one, other), f"{explicit.plan}\n{one}\n{other}"
    return expected[len(expected) - outputs :]


def arrays_for(kernel: KernelOp, sizes: Sizes, special: bool) -> list[Array]:
    """Random arguments; integers but bytes are small, as indices are."""
    random = np.random.default_rng(len(kernel.arguments) + sum(sizes.values()))
    return [_array(argument.type, sizes, random, special) for argument in kernel.arguments]


def _array(type: object, sizes: Sizes, random: np.random.Generator, special: bool) -> Array:
    assert isinstance(type, BufferType)
    shape, dtype = shape_of(type, sizes), DTYPES[str(type.element)]
    if np.issubdtype(dtype, np.integer) or dtype is np.bool_:
        limit = {np.bool_: 2, np.uint8: 256}.get(dtype, 10)
        return random.integers(0, limit, shape).astype(dtype)
    values = np.asarray(random.standard_normal(shape))
    if special:
        values = np.where(random.random(shape) < 0.05, random.choice(SPECIAL, shape), values)
    return values.astype(dtype)


def shape_of(type: object, sizes: Sizes) -> tuple[int, ...]:
    assert isinstance(type, BufferType)
    return tuple(size.evaluate(sizes) for size in type.shape)


def same(one: Array, other: Array) -> bool:
    """Bit for bit, but any NaN is as good as another."""
    nan = np.not_equal(one, one) & np.not_equal(other, other)
    different = one.view(f"V{one.itemsize}") != other.view(f"V{other.itemsize}")
    return not np.any(different & ~nan)


def run_natively(kernel: KernelOp, arrays: Sequence[Array], sizes: Sizes) -> None:
    """The explicit kernel as machine code, in this thread."""
    module = kernel.parent_op()
    assert isinstance(module, ModuleOp)
    if not any(isinstance(op, FuncOp) for op in module.ops):
        module.body.block.add_op(entry_of(kernel))
    code = load(compile_object(module_text(lower(module, host())), host()), "test")
    parallel_for = ParallelFor(lambda pool, task, values, count: Task(task)(values, 0, count))
    words = Words(version=1, parallel_for=ctypes.cast(parallel_for, ctypes.c_void_p).value or 0)
    symbols = [sizes[name] for name, _ in kernel.symbols.data]
    pointers = (ctypes.c_void_p * len(arrays))(*[array.ctypes.data for array in arrays])
    entry = Entry(code.address("run"))
    assert entry(ctypes.addressof(words), pointers, (ctypes.c_int64 * len(symbols))(*symbols)) == 0


def entry_of(kernel: KernelOp) -> FuncOp:
    """An entry point `run` that launches the kernel on its own arguments."""
    block = Block(arg_types=[argument.type for argument in kernel.arguments])
    names = [name for name, _ in kernel.symbols.data]
    bindings = BindingsAttr(tuple((name, Size.of(name)) for name in names))
    launched = {"callee": SymbolRefAttr(kernel.sym_name.data), "bindings": bindings}
    block.add_op(LaunchOp.create(operands=block.args, properties=launched))
    properties = {
        "sym_name": StringAttr("run"),
        "symbols": kernel.symbols,
        "outputs": NumberAttr(len(kernel.arguments)),
    }
    return FuncOp.create(properties=properties, regions=[Region(block)])
