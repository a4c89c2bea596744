"""Which functions are controlled by the host, which waits for the GPU in the middle of them."""

from xdsl.dialects import gpu
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.compiler.dialects.loop.explicit import LoadOp
from stepwell.compiler.dialects.loop.host import CustomOp, FuncOp, HostOp, LaunchOp
from stepwell.compiler.dialects.loop.nests import KernelOp


def host_controlled(module: ModuleOp) -> frozenset[str]:
    """Of a module whose grids are made, the functions that read back numbers, or let something of
    the host look at them, themselves or in what they call. All others launch what the sizes say."""
    functions = {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp | KernelOp)}
    return frozenset(name for name, op in functions.items() if _waits(op, functions))


def _waits(op: Operation, functions: dict[str, FuncOp | KernelOp]) -> bool:
    match op:
        case gpu.LaunchOp():
            return False
        case LoadOp() | HostOp() | CustomOp():
            return True
        case LaunchOp():
            return _waits(functions[op.callee.string_value()], functions)
        case _:
            inside = (each for region in op.regions for each in region.block.ops)
            return any(_waits(each, functions) for each in inside)
