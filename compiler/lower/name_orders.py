"""The pass `name-orders`: sums whose order is free take the one that the machine has."""

from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.loop.nests import FoldOp, KernelOp
from stepwell.compiler.dialects.loop.types import PAIRS, OrderAttr
from stepwell.compiler.lower.strategies.dots import Dots
from stepwell.compiler.machines import machine_named
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.ops.structure import is_fast


@final
@dataclass(frozen=True)
class NameOrders(ModulePass):
    """In kernels whose numerics are `fast`: products of bf16 are summed in pairs, where `dots` has
    an instruction that does so. The nests say it, so that the order is theirs, not that of a plan.
    """

    name = "name-orders"

    machine: str = "x86-64-v4"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        machine = machine_named(self.machine)
        for kernel in op.ops:
            if isinstance(kernel, KernelOp) and is_fast(kernel):
                _name(kernel, machine)


def _name(kernel: KernelOp, machine: Machine) -> None:
    folds = [op for op in kernel.walk() if isinstance(op, FoldOp)]
    if len(folds) != 1 or folds[0].order.data.kind != "serial":
        return
    (fold,) = folds
    before = fold.order
    fold.properties["order"] = OrderAttr(PAIRS)
    if Dots.fits(kernel, machine) is not None:
        fold.properties["order"] = before
