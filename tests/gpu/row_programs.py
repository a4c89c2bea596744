"""Softmax and the like of rows, compiled for a GPU and compared with their nests."""

from collections.abc import Callable, Sequence
from functools import cache

from xdsl.dialects.builtin import ModuleOp

from arrays import Array, expect_same_bits
from emulator.block import Order
from gpu_programs import OnGpu
from programs import Interpreter, block_of, module_of
from stepwell.compiler.machines.gpu.nvidia import SM_80
from stepwell.compiler.ops.value import Value
from stepwell.compiler.pipeline import Image, compile_module
from tensor_types import tensor_of

Write = Callable[[Value], Sequence[Value]]


def along(x: Value, row: Value) -> Value:
    """Numbers of rows for each of their elements."""
    return row.broadcast(x.shape, range(x.rank - 1))


def softmax(x: Value) -> Sequence[Value]:
    e = (x - along(x, x.max((x.rank - 1,)))).apply("exp")
    return [e / along(x, e.sum((x.rank - 1,)))]


def centred(x: Value) -> Sequence[Value]:
    """Two results, of which one is a number for each row."""
    last = (x.rank - 1,)
    moved = x - along(x, x.sum(last) * 0.125)
    square = (moved * moved).sum(last)
    return [moved * along(x, square.apply("rsqrt")), square]


def extremes(x: Value) -> Sequence[Value]:
    return [x.max((x.rank - 1,)), x.apply("reduce_min", axes=(x.rank - 1,))]


@cache
def _program(write: Write, text: str) -> tuple[ModuleOp, Image, Interpreter]:
    """One for all orders in which it is run."""
    module = module_of(block_of([tensor_of(text)], write))
    return module, compile_module(module.clone(), SM_80), Interpreter(module)


def check(write: Write, text: str, array: Array, order: Order = Order.TOGETHER) -> OnGpu:
    module, image, interpreter = _program(write, text)
    gpu = OnGpu(module, order=order, image=image)
    expect_same_bits(gpu("f0", [array]), interpreter("f0", [array]))
    return gpu
