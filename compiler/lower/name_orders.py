"""The pass `name-orders`: sums of products take the order that a machine's instructions have."""

from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.loop.nests import FoldOp, KernelOp
from stepwell.compiler.dialects.loop.types import PAIRS, OrderAttr
from stepwell.compiler.lower.grids.orders import name_tensor
from stepwell.compiler.lower.strategies.dots import Dots
from stepwell.compiler.machines import Machine, machine_named
from stepwell.compiler.ops.structure import is_fast


@final
@dataclass(frozen=True)
class NameOrders(ModulePass):
    """On a GPU products of f16 and bf16 are summed as its matrix instructions do it. On a CPU, in
    kernels whose numerics are `fast`, products of bf16 are summed in pairs, where `dots` has an
    instruction that does so. The nests say it, so that the order is theirs, not that of a plan.
    """

    name = "name-orders"

    machine: str = "x86-64-v4"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        machine = machine_named(self.machine)
        name = name_tensor if machine.is_gpu else _name_pairs
        for kernel in op.ops:
            if isinstance(kernel, KernelOp) and (machine.is_gpu or is_fast(kernel)):
                for fold in list(kernel.walk()):
                    if isinstance(fold, FoldOp) and fold.order.data.kind == "serial":
                        name(fold, kernel, machine)


def _name_pairs(fold: FoldOp, kernel: KernelOp, machine: Machine) -> None:
    before, fold.properties["order"] = fold.order, OrderAttr(PAIRS)
    if Dots.fits(kernel, machine) is not None:
        fold.properties["order"] = before
