"""The pass `expand-plans`: every kernel's nests become the explicit loops of its plan."""

from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.lower.grids import versions
from stepwell.compiler.lower.grids.plans import GRIDS
from stepwell.compiler.lower.strategies import STRATEGIES, planned


@final
@dataclass(frozen=True)
class ExpandPlans(ModulePass):
    """Kernels without a plan stay as they are."""

    name = "expand-plans"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in list(op.ops):
            if isinstance(kernel, KernelOp) and kernel.plan is not None:
                strategy = planned(kernel, {**STRATEGIES, **GRIDS})
                if strategy.name in GRIDS:
                    versions.expand(kernel, strategy)
                else:
                    strategy.expand(kernel)
