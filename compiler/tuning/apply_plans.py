"""The pass `apply-plans`: kernels that were tuned get their plans before others are chosen."""

from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.loop.types import PlanAttr
from stepwell.compiler.tuning.plans import Place, Plans


@final
@dataclass(frozen=True)
class ApplyPlans(ModulePass):
    """Gives each kernel without a plan the one that `plans` has for it, if any.

    `stepwell-opt`, whose passes take text, has not this one: there, plans stand in the module.
    """

    name = "apply-plans"

    plans: Plans
    machine: str

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if not self.plans.found:
            return
        for kernel in op.ops:
            if isinstance(kernel, KernelOp) and kernel.plan is None:
                tuned = self.plans.found.get(Place.of(kernel, self.machine))
                if tuned is not None:
                    kernel.properties["plan"] = PlanAttr(tuned.plan)
