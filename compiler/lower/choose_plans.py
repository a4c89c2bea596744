"""The pass `choose-plans`: every kernel gets a plan, and the memory that the plan asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from stepwell.compiler.dialects.loop.host import FuncOp, LaunchOp
from stepwell.compiler.dialects.loop.nests import KernelOp
from stepwell.compiler.dialects.sizes import IntsAttr
from stepwell.compiler.lower.grids.plans import strategies_of
from stepwell.compiler.lower.overwriting import overwritable
from stepwell.compiler.lower.strategies import check_fit, choose_plan, planned
from stepwell.compiler.lower.writer import ZERO
from stepwell.compiler.machines import machine_named
from stepwell.compiler.ops.structure import DONATED
from stepwell.compiler.passes.assign_buffers import lend, with_workspace
from stepwell.compiler.passes.interference import OVERWRITES
from stepwell.runtime.sizes import Size


@final
@dataclass(frozen=True)
class ChoosePlans(ModulePass):
    """Keeps plans that are there already. A plan that needs memory adds an argument to its kernel,
    the last one, for which every launch allocates a buffer; one that runs element by element says
    which inputs may be overwritten."""

    name = "choose-plans"

    machine: str = "x86-64-v4"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        needs: dict[str, Size] = {}
        kernels = {each.sym_name.data: each for each in op.ops if isinstance(each, KernelOp)}
        launches = [each for each in op.walk() if isinstance(each, LaunchOp)]
        read = {each.callee.string_value() for each in launches if _is_read(each, kernels)}
        for name, kernel in kernels.items():
            size = self._plan(kernel, name in read)
            if size != ZERO:
                needs[name] = size
        for launch in launches:
            if (bytes := needs.get(launch.callee.string_value())) is not None:
                lend(launch, bytes)

    def _plan(self, kernel: KernelOp, is_read: bool) -> Size:
        """The bytes that the kernel's plan needs."""
        machine = machine_named(self.machine)
        known = strategies_of(machine)
        if kernel.plan is None:
            strategy = choose_plan(kernel, machine, known)
            strategy = strategy.cached() if is_read else strategy
            kernel.properties["plan"] = strategy.plan
        else:
            strategy = planned(kernel, known)
            check_fit(kernel, strategy, machine, known)
        if strategy.IN_PLACE and (pairs := tuple(overwritable(kernel))):
            kernel.attributes[OVERWRITES] = IntsAttr(sum(pairs, ()))
        size = strategy.workspace(kernel)
        if size != ZERO:
            with_workspace(kernel, size)
        return size


def _is_read(launch: LaunchOp, kernels: Mapping[str, KernelOp]) -> bool:
    """Whether the program itself reads what a kernel writes, or writes it again in a loop, or over
    what has just been read."""
    kernel, function = kernels.get(launch.callee.string_value()), launch.parent_op()
    if kernel is None or not isinstance(function, FuncOp):
        return True
    given = function.attributes.get(DONATED, IntsAttr(()))
    assert isinstance(given, IntsAttr)
    if any(function.arguments[number] in launch.arguments for number in given.data):
        return True
    outputs = launch.arguments[len(kernel.arguments) - kernel.outputs.data :]
    return any(each.owner is not function.body.block or not each.has_one_use() for each in outputs)
